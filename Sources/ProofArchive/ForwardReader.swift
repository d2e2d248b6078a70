internal import ChunkStorage

/// Reads one object from its beginning towards its end in pieces of 4 MiB, so that many frames cost one
/// request.
struct ForwardReader {
  private static let pieceByteCount = 4 << 20

  let name: String
  let byteCount: Int
  private let source: any ObjectSource
  private var piece: [UInt8] = []
  private var start = 0

  /// - Parameter byteCount: How long the object is.
  init(_ name: String, byteCount: Int, in source: any ObjectSource) {
    self.name = name
    self.byteCount = byteCount
    self.source = source
  }

  /// The bytes of `range`; a range beyond the object's end is damage, as `ObjectSource.bytes` says.
  mutating func bytes(_ range: Range<Int>) throws(ArchiveError) -> [UInt8] {
    guard range.upperBound <= byteCount else { return try source.bytes(of: name, range) }
    if range.lowerBound < start || range.upperBound > start + piece.count {
      let end = min(
        byteCount, max(range.upperBound, range.lowerBound + ForwardReader.pieceByteCount))
      piece = try source.bytes(of: name, range.lowerBound..<end)
      start = range.lowerBound
    }
    return Array(piece[range.lowerBound - start..<range.upperBound - start])
  }
}
