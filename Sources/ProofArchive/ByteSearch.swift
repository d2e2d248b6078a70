internal import ChunkStorage
internal import ProofPrimitives

/// Looks for a few bytes in a part of a file, which is read in pieces.
enum ByteSearch {
  private static let pieceByteCount = 1 << 20

  /// Whether `isWanted` takes one of the places where `pattern` stands.
  static func any(
    _ pattern: [UInt8], in name: String, _ range: Range<Int>, _ source: any ObjectSource,
    isWanted: (Int) throws(ArchiveError) -> Bool
  ) throws(ArchiveError) -> Bool {
    var start = range.lowerBound
    while range.upperBound - start >= pattern.count {
      let end = min(range.upperBound, start + pieceByteCount)
      let bytes = try source.bytes(of: name, start..<end)
      for position in 0...bytes.count - pattern.count
      where bytes[position] == pattern[0]
        && bytes[position..<position + pattern.count].elementsEqual(pattern)
      {
        if try isWanted(start + position) { return true }
      }
      // One that is cut by the end of this piece stands in the next one.
      start = end == range.upperBound ? end : end - pattern.count + 1
    }
    return false
  }
}
