internal import ChunkStorage
internal import ProofPrimitives

/// The frames of `records`, one after the other, each whole or an error (`spec/archive.md` §5.4).
struct RecordWalk {
  let header: RecordsHeader
  /// Where the next frame is expected.
  var offset = RecordsHeader.byteCount
  let total: Int
  private let keys: ArchiveKeys?
  private var reader: ForwardReader

  /// - Parameter keys: Of the sealed archive; nil when it is not encrypted.
  init(_ source: any ObjectSource, keys: ArchiveKeys?) throws(ArchiveError) {
    self.keys = keys
    let found = try storing { () throws(StorageError) in
      try source.byteCount(of: ArchiveFiles.records)
    }
    guard let found else {
      throw ArchiveError(
        .missing, at: "\(source.location)/\(ArchiveFiles.records)", "there is no archive here",
        remedy: "check the path; `pol train` or `pol record` makes an archive")
    }
    total = found
    reader = ForwardReader(ArchiveFiles.records, byteCount: found, in: source)
    header = try RecordsHeader.load(source)
  }

  /// Stated maxima, then the file's length, then the checksum, then what the bytes say.
  ///
  /// - Parameter number: Of the record, which a grant's keys are for.
  mutating func next(_ number: Int) throws(ArchiveError) -> RecordFrame {
    let bytes = try stored()
    let frame = try RecordFrame(parsing: bytes, number: number, keys: keys)
    offset += bytes.count
    return frame
  }

  /// Goes over one frame by its lengths and checksum alone; takes no key and decodes nothing.
  mutating func skip() throws(ArchiveError) {
    let place = "\(ArchiveFiles.records), byte \(offset)"
    let bytes = try stored()
    let isEncrypted = header.suite == 1
    _ = try parsing(place) { () throws(ParsingError) in
      try RecordFrame.checked(bytes, isEncrypted: isEncrypted)
    }
    offset += bytes.count
  }

  private mutating func stored() throws(ArchiveError) -> [UInt8] {
    let place = "\(ArchiveFiles.records), byte \(offset)"
    let start = try reader.bytes(offset..<offset + RecordFrame.headerByteCount)
    let header = try parsing(place) { () throws(ParsingError) in try RecordFrame.Header(start) }
    return try reader.bytes(offset..<offset + header.frameByteCount)
  }
}
