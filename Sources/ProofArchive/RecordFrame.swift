internal import ChunkStorage
internal import ProofPrimitives

/// A record and its envelope as they stand in `records` (`spec/archive.md` §5.4).
struct RecordFrame {
  static let headerByteCount = 16
  private static let magic = Array("PRF1".utf8)
  static let recordLimit = RecordHeader.byteCount + RecordHeader.bodyLimit

  let record: [UInt8]
  let envelope: [UInt8]

  var encoded: [UInt8] {
    var writer = ByteWriter()
    writer.raw(RecordFrame.magic)
    writer.u32(UInt32(record.count))
    writer.u32(UInt32(envelope.count))
    writer.u32(crc32c(envelope, after: crc32c(record, after: crc32c(writer.bytes))))
    writer.raw(record)
    writer.raw(envelope)
    return writer.bytes
  }

  struct Header {
    let recordByteCount: Int
    let envelopeByteCount: Int
    let crc: UInt32
    let hasMagic: Bool
    let start: [UInt8]
    var frameByteCount: Int { headerByteCount + recordByteCount + envelopeByteCount }

    init(_ bytes: [UInt8]) throws(ParsingError) {
      var reader = ByteReader(bytes)
      hasMagic = try reader.take(magic.count, "frame magic").elementsEqual(magic)
      recordByteCount = Int(try reader.u32("record length"))
      envelopeByteCount = Int(try reader.u32("envelope length"))
      crc = try reader.u32("checksum")
      start = Array(bytes[0..<12])
      guard recordByteCount <= recordLimit, envelopeByteCount <= Envelope.byteLimit else {
        throw ParsingError("a length is over the limit", at: 4, kind: .limit)
      }
    }
  }

  /// Reads one whole frame and nothing else: lengths, then the checksum, then what they cover.
  init(parsing frame: [UInt8]) throws(ParsingError) {
    let header = try Header(frame)
    guard frame.count == header.frameByteCount else {
      throw ParsingError("the frame is cut or too long", at: 4, kind: .damaged)
    }
    guard crc32c(frame[RecordFrame.headerByteCount...], after: crc32c(header.start)) == header.crc
    else { throw ParsingError("the checksum does not match", at: 12, kind: .damaged) }
    guard header.hasMagic else { throw ParsingError("there is no record frame", at: 0) }
    let middle = RecordFrame.headerByteCount + header.recordByteCount
    record = Array(frame[RecordFrame.headerByteCount..<middle])
    envelope = Array(frame[middle...])
  }

  init(record: [UInt8], envelope: [UInt8]) {
    self.record = record
    self.envelope = envelope
  }
}
