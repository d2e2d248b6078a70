package import ChunkStorage
internal import MerkleTrees
package import ProofPrimitives

/// Fetches single data points of an archive and proves each against the dataset root before anybody
/// sees it (`spec/dataset.md` §4).
package final class DatasetReader {
  private let source: any ObjectSource
  private let root: Digest
  private let count: Int
  private let keys: ArchiveKeys?
  private let nodes: TileNodeReader<TreeFiles>
  private var known: [UInt32: SaltedPoint] = [:]
  /// Points fetched in one request when they stand close together: a wasted byte costs less than a
  /// round trip.
  private static let gapLimit = 4096
  /// 4 MiB of points at a time.
  private static let runLimit = 4 << 20

  /// - Parameter keys: Of an encrypted archive.
  package init(source: any ObjectSource, root: Digest, count: Int, keys: ArchiveKeys?) {
    self.keys = keys
    self.source = source
    self.root = root
    self.count = count
    nodes = TileNodeReader(size: TreeSize(count), source: TreeFiles(source: source))
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
    if !missing.isEmpty { try fetch(missing) }
    return known.filter { wanted.contains($0.key) }
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

  private func fetch(_ indices: [UInt32]) throws(ArchiveError) {
    guard let first = indices.first, let last = indices.last, Int(last) < count else {
      throw ArchiveError(.malformed, at: ArchiveFiles.points, "a data point is beyond the dataset")
    }
    // One range of the offsets covers them all; 8 bytes a point is small beside the points.
    let table = try source.bytes(of: ArchiveFiles.offsets, Int(first) * 8..<(Int(last) + 2) * 8)
    func offset(_ index: UInt32) -> UInt64 {
      table.withUnsafeBytes {
        UInt64(
          littleEndian: $0.loadUnaligned(
            fromByteOffset: Int(index - first) * 8, as: UInt64.self))
      }
    }
    var run: [(index: UInt32, range: Range<Int>)] = []
    for index in indices {
      let (start, end) = (offset(index), offset(index + 1))
      guard start < end, end < 1 << 62 else {
        throw ArchiveError(
          .malformed, at: "\(ArchiveFiles.offsets), point \(index)", "offsets do not increase")
      }
      let overhead = keys == nil ? 0 : EncryptedPoint.overheadByteCount
      guard end - start <= UInt64(SaltedPoint.byteLimit + overhead) else {
        throw ArchiveError(
          .limit, at: "\(ArchiveFiles.offsets), point \(index)", "the point is over the limit")
      }
      let range = Int(start)..<Int(end)
      if let previous = run.last?.range, let runStart = run.first?.range.lowerBound,
        range.lowerBound < previous.upperBound
          || range.lowerBound - previous.upperBound > DatasetReader.gapLimit
          || range.upperBound - runStart > DatasetReader.runLimit
      {
        try fetchRun(run)
        run = []
      }
      run.append((index, range))
    }
    try fetchRun(run)
  }

  private func fetchRun(_ run: [(index: UInt32, range: Range<Int>)]) throws(ArchiveError) {
    guard let start = run.first?.range.lowerBound, let end = run.last?.range.upperBound else {
      return
    }
    let bytes = try source.bytes(of: ArchiveFiles.points, start..<end)
    for (index, range) in run {
      let stored = bytes[range.lowerBound - start..<range.upperBound - start]
      let place = "\(ArchiveFiles.points), point \(index)"
      let slice = try keys?.openPoint(stored, index: index, at: place)[...] ?? stored
      // Proved before it is parsed: a point that is committed and breaks a rule is the prover's fault.
      try prove(SaltedPoint.signature(ofEncoded: slice), index)
      known[index] = try parsing(place, isSigned: true) {
        () throws(ParsingError) in try SaltedPoint(parsing: slice)
      }
    }
  }

  private func prove(_ signature: Digest?, _ index: UInt32) throws(ArchiveError) {
    let size = TreeSize(count)
    let leaf = LeafIndex(Int(index))
    let proof = try nodes.inclusionProof(index: leaf, size: size)
    guard let proof, let signature,
      proof.isValid(
        leafHash: MerkleTree.leafHash(of: signature.bytes), index: leaf, size: size,
        root: root)
    else {
      throw ArchiveError(
        .damaged, at: "\(ArchiveFiles.points), point \(index)",
        "it is not the data point that the dataset root commits to")
    }
  }

  /// The level files as tiles: tile (L, n) is 256 hashes from 256 n of `tree.L`.
  private struct TreeFiles: TileSource {
    let source: any ObjectSource

    func hashes(ofTile coordinate: TileCoordinate) throws(ArchiveError) -> [Digest] {
      let start = Int(coordinate.index) * TileCoordinate.fullWidth * Digest.byteCount
      let bytes = try source.bytes(
        of: ArchiveFiles.tree(level: coordinate.level),
        start..<start + coordinate.width * Digest.byteCount)
      return stride(from: 0, to: bytes.count, by: Digest.byteCount).compactMap {
        Digest(bytes[$0..<$0 + Digest.byteCount])
      }
    }
  }
}
