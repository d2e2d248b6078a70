internal import ChunkStorage
internal import ProofPrimitives

/// The frames of `records`, one after the other, each whole or an error (`spec/archive.md` §5.4).
struct RecordWalk {
  /// Where the next frame is expected.
  var offset = 0
  let total: Int
  private let source: any ObjectSource

  init(_ source: any ObjectSource) throws(ArchiveError) {
    self.source = source
    let found = try storing { () throws(StorageError) in
      try source.byteCount(of: ArchiveFiles.records)
    }
    guard let found else {
      throw ArchiveError(
        .missing, at: "\(source.location)/\(ArchiveFiles.records)", "there is no archive here",
        remedy: "check the path; `pol train` or `pol record` makes an archive")
    }
    total = found
  }

  /// Stated maxima, then the file's length, then the checksum, then what the bytes say.
  mutating func next() throws(ArchiveError) -> RecordFrame {
    let place = "\(ArchiveFiles.records), byte \(offset)"
    let start = try source.bytes(
      of: ArchiveFiles.records, offset..<offset + RecordFrame.headerByteCount)
    let header = try parsing(place) { () throws(ParsingError) in try RecordFrame.Header(start) }
    let bytes = try source.bytes(of: ArchiveFiles.records, offset..<offset + header.frameByteCount)
    let frame = try parsing(place) { () throws(ParsingError) in try RecordFrame(parsing: bytes) }
    offset += header.frameByteCount
    return frame
  }
}
