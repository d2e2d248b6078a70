internal import ChunkStorage
internal import MerkleTrees
internal import ProofPrimitives

/// All data points of an archive in order, each as it is stored and opened, compared with the dataset root
/// at the end (`spec/dataset.md` §4).
///
/// Memory: 4 MiB of points at a time, or one larger point.
struct DatasetWalk {
  private static let runLimit = 4 << 20
  /// 64 KiB of offsets.
  private static let offsetWindow = 8192

  let source: any ObjectSource
  let opening: OpeningRecord
  /// Of an encrypted archive.
  let keys: ArchiveKeys?

  /// - Parameter body: Gets the points of one run: stored bytes, opened bytes, leaf hash.
  func run(
    _ body: ([(stored: ArraySlice<UInt8>, plain: ArraySlice<UInt8>, leaf: Digest)])
      throws(ArchiveError) -> Void
  ) throws(ArchiveError) {
    var frontier = MerkleFrontier()
    var first = 0
    while first < opening.datasetCount {
      let last = min(opening.datasetCount, first + DatasetWalk.offsetWindow)
      let offsets = try self.offsets(first...last)
      var start = 0
      while start < offsets.count - 1 {
        var end = start + 1
        while end < offsets.count - 1, offsets[end + 1] - offsets[start] <= DatasetWalk.runLimit {
          end += 1
        }
        let bytes = try source.bytes(of: ArchiveFiles.points, offsets[start]..<offsets[end])
        var points: [(stored: ArraySlice<UInt8>, plain: ArraySlice<UInt8>, leaf: Digest)] = []
        for item in start..<end {
          let stored = bytes[
            offsets[item] - offsets[start]..<offsets[item + 1] - offsets[start]]
          let place = "\(ArchiveFiles.points), point \(first + item)"
          let plain =
            try keys?.openPoint(stored, index: UInt32(first + item), at: place)[...] ?? stored
          guard let signature = SaltedPoint.signature(ofEncoded: plain) else {
            throw ArchiveError(.damaged, at: place, "it is not the committed point")
          }
          let leaf = MerkleTree.leafHash(of: signature.bytes)
          frontier.append(leafHash: leaf)
          points.append((stored, plain, leaf))
        }
        try body(points)
        start = end
      }
      first = last
    }
    guard frontier.root == opening.datasetRoot else {
      throw ArchiveError(
        .damaged, at: ArchiveFiles.points, "the dataset is not the one that record 0 names")
    }
  }

  private func offsets(_ points: ClosedRange<Int>) throws(ArchiveError) -> [Int] {
    let bytes = try source.bytes(
      of: ArchiveFiles.offsets, points.lowerBound * 8..<(points.upperBound + 1) * 8)
    let limit = SaltedPoint.byteLimit + (keys == nil ? 0 : EncryptedPoint.overheadByteCount)
    var reader = ByteReader(bytes)
    var offsets: [Int] = []
    for point in points {
      let value = try parsing(ArchiveFiles.offsets) { () throws(ParsingError) in
        try reader.u64("offset")
      }
      guard value < 1 << 62, offsets.last.map({ Int(value) > $0 }) ?? (point > 0 || value == 0)
      else {
        throw ArchiveError(
          .malformed, at: "\(ArchiveFiles.offsets), point \(point)", "offsets do not increase")
      }
      if let last = offsets.last, Int(value) - last > limit {
        throw ArchiveError(
          .limit, at: "\(ArchiveFiles.offsets), point \(point - 1)", "the point is over the limit")
      }
      offsets.append(Int(value))
    }
    return offsets
  }
}

/// Writes the folder `dataset/` from points that come in order.
final class DatasetFolderWriter {
  private let path: String
  private let points: DurableFileWriter
  private let offsets: DurableFileWriter
  private var levels: [(file: DurableFileWriter, waiting: [Digest])] = []

  init(_ path: String) throws(StorageError) {
    self.path = path
    try DurableFile.createDirectory("\(path)/\(ArchiveFiles.datasetFolder)")
    points = try DurableFileWriter("\(path)/\(ArchiveFiles.points)", replaces: false)
    offsets = try DurableFileWriter("\(path)/\(ArchiveFiles.offsets)", replaces: false)
  }

  /// - Parameter run: Each point as it is stored, and its leaf hash.
  func append(_ run: [(stored: [UInt8], leaf: Digest)]) throws(StorageError) {
    var table = ByteWriter()
    var body: [UInt8] = []
    for point in run {
      table.u64(UInt64(points.byteCount + body.count))
      body += point.stored
    }
    try offsets.append(table.bytes)
    try points.append(body)
    try append(run.map(\.leaf), level: 0)
  }

  /// 256 hashes of a level make one of the next.
  private func append(_ hashes: [Digest], level: Int) throws(StorageError) {
    guard !hashes.isEmpty else { return }
    if level == levels.count {
      let name = ArchiveFiles.tree(level: level)
      levels.append((try DurableFileWriter("\(path)/\(name)", replaces: false), []))
    }
    var bytes: [UInt8] = []
    for hash in hashes { hash.append(to: &bytes) }
    try levels[level].file.append(bytes)
    var above: [Digest] = []
    for hash in hashes {
      levels[level].waiting.append(hash)
      if levels[level].waiting.count == TileCoordinate.fullWidth {
        above.append(MerkleTree.root(ofLeafHashes: levels[level].waiting))
        levels[level].waiting = []
      }
    }
    try append(above, level: level + 1)
  }

  func finish() throws(StorageError) {
    var end = ByteWriter()
    end.u64(UInt64(points.byteCount))
    try offsets.append(end.bytes)
    try points.finish()
    try offsets.finish()
    for level in levels { try level.file.finish() }
  }
}
