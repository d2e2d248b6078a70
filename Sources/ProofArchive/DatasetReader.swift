package import ChunkStorage
internal import MerkleTrees
package import ProofPrimitives

/// Fetches single data points of an archive and proves each against the dataset root before anybody
/// sees it (`spec/dataset.md` §4).
package final class DatasetReader {
  private let source: StagedObjectSource
  private let root: Digest
  private let count: Int
  private let size: TreeSize
  private let keys: ArchiveKeys?
  private let nodes: TileNodeReader<TreeFiles>
  private var known: [UInt32: SaltedPoint] = [:]
  /// Points or rows that stand closer together may be fetched in one request.
  private static let gapLimit = 4096
  /// 4 MiB in one request.
  private static let runLimit = 4 << 20
  /// What may be fetched in vain to save requests: of points 64 KiB and a fiftieth of what is wanted, of
  /// rows 256 KiB, the whole table of 32,768 points.
  private static let spareByteCount = 65_536
  private static let spareDivisor = 50
  private static let spareRowByteCount = 262_144
  /// Points in one batch.
  private static let batchLimit = 65_536
  /// Tiles of one batch, 8 KiB each; half of what `TileNodeReader` keeps.
  private static let tileLimit = 512
  /// 64 MiB of points in one round trip, or one point.
  private static let groupLimit = 64 << 20

  /// - Parameter keys: Of an encrypted archive.
  package init(source: any ObjectSource, root: Digest, count: Int, keys: ArchiveKeys?) {
    let source = source as? StagedObjectSource ?? StagedObjectSource(source)
    self.keys = keys
    self.source = source
    self.root = root
    self.count = count
    size = TreeSize(count)
    nodes = TileNodeReader(size: size, source: TreeFiles(source: source))
  }

  /// Distinct points fetched and proved so far.
  package var provedCount: Int { known.count }

  /// The points at `indices`, each below the dataset's count; already proved ones are not fetched
  /// again.
  package func points(
    at indices: some Sequence<UInt32>
  ) throws(ArchiveError) -> [UInt32: SaltedPoint] {
    let wanted = Set(indices)
    let missing = wanted.filter { known[$0] == nil }.sorted()
    if !missing.isEmpty { try fetch(missing) { known[$0] = $1 } }
    return known.filter { wanted.contains($0.key) }
  }

  /// Fetches and proves points as `points(at:)` does, and keeps none.
  func check(_ indices: [UInt32]) throws(ArchiveError) {
    if !indices.isEmpty { try fetch(indices.sorted()) { _, _ in } }
  }

  /// The object ids of points of an encrypted archive, in the order of `indices`.
  func objectIDs(
    of indices: [UInt32]
  ) throws(ArchiveError) -> [(index: UInt32, id: Digest)] {
    var ids: [(index: UInt32, id: Digest)] = []
    ids.reserveCapacity(indices.count)
    for index in indices {
      guard Int(index) < count else {
        throw ArchiveError(
          .malformed, at: ArchiveFiles.points, "a data point is beyond the dataset")
      }
      let bounds = try source.bytes(of: ArchiveFiles.offsets, Int(index) * 8..<Int(index) * 8 + 8)
      var reader = ByteReader(bounds)
      let start = try parsing(ArchiveFiles.offsets) { () throws(ParsingError) in
        try reader.u64("offset")
      }
      let bytes = try source.bytes(
        of: ArchiveFiles.points,
        Int(clamping: min(start, 1 << 62))..<Int(clamping: min(start, 1 << 62)) + Digest.byteCount)
      guard let id = Digest(bytes) else { continue }
      ids.append((index, id))
    }
    return ids
  }

  private func fetch(
    _ indices: [UInt32], _ body: (UInt32, SaltedPoint) -> Void
  ) throws(ArchiveError) {
    guard let last = indices.last, Int(last) < count else {
      throw ArchiveError(.malformed, at: ArchiveFiles.points, "a data point is beyond the dataset")
    }
    var rest = indices[...]
    while !rest.isEmpty {
      defer { source.discard("\(ArchiveFiles.datasetFolder)/") }
      let batch = batch(rest)
      rest = rest.dropFirst(batch.count)
      try stage(batch.tables)
      let ranges = try ranges(batch)
      for group in groups(ranges) {
        try stage(group.map(\.request))
        for run in group { try fetch(run, body) }
        source.discard(ArchiveFiles.points)
      }
    }
  }

  private func stage(_ requests: [ObjectRequest]) throws(ArchiveError) {
    try storing { () throws(StorageError) in try source.stage(requests) }
  }

  private func fetch(
    _ run: Run, _ body: (UInt32, SaltedPoint) -> Void
  ) throws(ArchiveError) {
    let bytes = try source.bytes(of: ArchiveFiles.points, run.range)
    for (index, range) in run.points {
      let start = range.lowerBound - run.range.lowerBound
      let stored = bytes[start..<start + range.count]
      let place = place(index, range)
      let slice = try keys?.openPoint(stored, index: index, at: place)[...] ?? stored
      // Proved before it is parsed: a point that is committed and breaks a rule is the prover's fault.
      try prove(SaltedPoint.signature(ofEncoded: slice), index, at: place)
      let point = try parsing(place, isSigned: true) {
        () throws(ParsingError) in try SaltedPoint(parsing: slice)
      }
      body(index, point)
    }
  }

  private func place(_ index: UInt32, _ range: Range<Int>) -> String {
    "\(source.location)/\(ArchiveFiles.points), byte \(range.lowerBound) (point \(index))"
  }

  private func prove(
    _ signature: Digest?, _ index: UInt32, at place: String
  ) throws(ArchiveError) {
    let leaf = LeafIndex(Int(index))
    let proof = try nodes.inclusionProof(index: leaf, size: size)
    if let proof, let signature,
      proof.isValid(
        leafHash: MerkleTree.leafHash(of: signature.bytes), index: leaf, size: size, root: root)
    {
      return
    }
    throw ArchiveError(
      .damaged, at: try falseTile(above: index) ?? place,
      "point \(index) is not the data point that the dataset root commits to")
  }
}

// MARK: - Planning

extension DatasetReader {
  /// Points whose rows and tiles are fetched together.
  private struct Batch {
    let indices: ArraySlice<UInt32>
    /// Rows of `offsets`, and the tiles of the proofs.
    let tables: [ObjectRequest]
    /// Ranges of `offsets`, ascending, that hold both rows of each point.
    let rows: [Range<Int>]
    var count: Int { indices.count }
  }

  /// Points that are asked for as one range.
  private struct Run {
    let range: Range<Int>
    let points: [(index: UInt32, range: Range<Int>)]
    var request: ObjectRequest { ObjectRequest(ArchiveFiles.points, .range(range)) }
  }

  /// What `points(at:)` will ask for first, so that it can be fetched with other things.
  ///
  /// - Returns: Rows and tiles; then, from what the rows say, the points of the first round trip.
  func requests(
    for indices: some Sequence<UInt32>
  ) -> (tables: [ObjectRequest], points: () throws(ArchiveError) -> [ObjectRequest]) {
    let missing = Set(indices).filter { known[$0] == nil }.sorted()
    guard let last = missing.last, Int(last) < count else {
      return ([], { () throws(ArchiveError) in [] })
    }
    let batch = batch(missing[...])
    return (
      batch.tables,
      { () throws(ArchiveError) in
        self.groups(try self.ranges(batch)).first?.map(\.request) ?? []
      }
    )
  }

  /// As many points as have their tables fetched at once.
  private func batch(_ indices: ArraySlice<UInt32>) -> Batch {
    var tiles = Set<TileCoordinate>()
    var end = indices.startIndex
    while end < indices.endIndex, end - indices.startIndex < DatasetReader.batchLimit,
      tiles.count < DatasetReader.tileLimit
    {
      tiles.formUnion(
        TileCoordinate.needed(forInclusionOf: LeafIndex(Int(indices[end])), in: size))
      end += 1
    }
    let taken = indices[indices.startIndex..<end]
    let rows = taken.map { (object: UInt32(0), range: Int($0) * 8..<Int($0) * 8 + 16) }
    let joined = RangeRuns.join(
      rows, gap: source.joinsRanges ? DatasetReader.gapLimit : 0, longest: DatasetReader.runLimit,
      spare: DatasetReader.spareRowByteCount)
    let rowRanges = joined.map {
      rows[$0.lowerBound].range.lowerBound..<rows[$0.upperBound - 1].range.upperBound
    }
    let sorted = tiles.filter { !nodes.holds($0) }.map {
      (object: UInt32($0.level), range: TreeFiles.range($0))
    }
    .sorted { ($0.object, $0.range.lowerBound) < ($1.object, $1.range.lowerBound) }
    let tileRuns = RangeRuns.join(sorted, gap: 0, longest: DatasetReader.runLimit, spare: 0)
    return Batch(
      indices: taken,
      tables: rowRanges.map { ObjectRequest(ArchiveFiles.offsets, .range($0)) }
        + tileRuns.map { run in
          let range =
            sorted[run.lowerBound].range.lowerBound..<sorted[run.upperBound - 1].range.upperBound
          return ObjectRequest(
            ArchiveFiles.tree(level: Int(sorted[run.lowerBound].object)), .range(range))
        }, rows: rowRanges)
  }

  /// Where the points of a batch stand, as `offsets` says.
  private func ranges(
    _ batch: Batch
  ) throws(ArchiveError) -> [(index: UInt32, range: Range<Int>)] {
    let tables = try source.allBytes(of: batch.rows.map { (ArchiveFiles.offsets, $0) })
    var found: [(index: UInt32, range: Range<Int>)] = []
    found.reserveCapacity(batch.count)
    var table = 0
    for index in batch.indices {
      let byte = Int(index) * 8
      while byte >= batch.rows[table].upperBound { table += 1 }
      let from = byte - batch.rows[table].lowerBound
      let (start, end) = tables[table].withUnsafeBytes {
        (
          UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: from, as: UInt64.self)),
          UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: from + 8, as: UInt64.self))
        )
      }
      let place = "\(source.location)/\(ArchiveFiles.offsets), byte \(byte) (point \(index))"
      guard start < end, end < 1 << 62 else {
        throw ArchiveError(.malformed, at: place, "offsets do not increase")
      }
      let overhead = keys == nil ? 0 : EncryptedPoint.overheadByteCount
      guard end - start <= UInt64(SaltedPoint.byteLimit + overhead) else {
        throw ArchiveError(.limit, at: place, "the point is over the limit")
      }
      found.append((index, Int(start)..<Int(end)))
    }
    return found
  }

  /// Runs of points, in groups that are each fetched in one round trip.
  private func groups(_ points: [(index: UInt32, range: Range<Int>)]) -> [[Run]] {
    // A hostile table may name one place many times: sums are kept from wrapping.
    let wanted = points.reduce(0) { min($0 + $1.range.count, 1 << 40) }
    let joined = RangeRuns.join(
      points.map { (0, $0.range) }, gap: source.joinsRanges ? DatasetReader.gapLimit : 0,
      longest: DatasetReader.runLimit,
      spare: DatasetReader.spareByteCount + wanted / DatasetReader.spareDivisor)
    var groups: [[Run]] = []
    var room = 0
    for positions in joined {
      let points = Array(points[positions])
      let start = points[0].range.lowerBound
      let end = points.reduce(start) { max($0, $1.range.upperBound) }
      if groups.isEmpty || end - start > room {
        groups.append([])
        room = DatasetReader.groupLimit
      }
      groups[groups.count - 1].append(Run(range: start..<end, points: points))
      room -= end - start
    }
    return groups
  }
}

// MARK: - The tree

extension DatasetReader {
  /// Where the tree is not the one that the root commits to, if it is the tree that is wrong and not the
  /// point: the first tile from the root down that its parent does not name.
  private func falseTile(above index: UInt32) throws(ArchiveError) -> String? {
    let tiles = TileCoordinate.needed(forInclusionOf: LeafIndex(Int(index)), in: size)
      .sorted { ($0.level, $0.index) > ($1.level, $1.index) }
    // The tiles that are not full, and the topmost, are named by the root together.
    let isUnnamed = { (tile: TileCoordinate) in
      !tile.isFull
        || TileCoordinate(level: tile.level + 1, index: tile.index >> 8, in: self.size)
          == nil
    }
    if try nodes.root(size: size) != root {
      return tiles.filter(isUnnamed).map(treePlace).joined(separator: " or ")
    }
    for tile in tiles where !isUnnamed(tile) {
      let position = NodePosition(
        level: TileCoordinate.height * (tile.level + 1), index: tile.index)
      let hashes = try TreeFiles(source: source).hashes(ofTile: tile)
      if try MerkleTree.root(ofLeafHashes: hashes) != nodes.node(at: position) {
        return treePlace(tile)
      }
    }
    return nil
  }

  private func treePlace(_ tile: TileCoordinate) -> String {
    let range = TreeFiles.range(tile)
    return "\(source.location)/\(ArchiveFiles.tree(level: tile.level)), bytes "
      + "\(range.lowerBound) to \(range.upperBound - 1)"
  }

  /// The level files as tiles: tile (L, n) is 256 hashes from 256 n of `tree.L`.
  private struct TreeFiles: TileSource {
    let source: any ObjectSource

    static func range(_ tile: TileCoordinate) -> Range<Int> {
      let start = Int(tile.index) * TileCoordinate.fullWidth * Digest.byteCount
      return start..<start + tile.width * Digest.byteCount
    }

    func hashes(ofTile coordinate: TileCoordinate) throws(ArchiveError) -> [Digest] {
      let bytes = try source.bytes(
        of: ArchiveFiles.tree(level: coordinate.level), TreeFiles.range(coordinate))
      return stride(from: 0, to: bytes.count, by: Digest.byteCount).compactMap {
        Digest(bytes[$0..<$0 + Digest.byteCount])
      }
    }
  }
}
