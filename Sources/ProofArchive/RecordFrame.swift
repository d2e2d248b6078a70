internal import ChunkStorage
internal import ProofPrimitives

/// A record and its envelope as they stand in `records` (`spec/archive.md` §5.4).
///
/// Record and envelope are stored as one payload, LZ4-compressed where that makes it smaller.
package struct RecordFrame {
  static let headerByteCount = 64
  static let magic = Array("PRF2".utf8)
  static let recordLimit = RecordHeader.byteCount + RecordHeader.bodyLimit
  /// The codec byte, both raw parts, and the tag that encryption adds.
  private static let payloadLimit = 1 + recordLimit + Envelope.byteLimit + 16
  static let byteLimit = headerByteCount + payloadLimit
  private static let codecStored: UInt8 = 0
  private static let codecLZ4: UInt8 = 1

  let record: [UInt8]
  let envelope: [UInt8]

  /// Bytes of the whole frame, as it was read.
  let byteCount: Int

  /// The frame of a record and its envelope.
  static func encode(
    record: [UInt8], envelope: [UInt8], sealer: ArchiveSealer? = nil
  ) -> [UInt8] {
    let raw = record + envelope
    var payload = LZ4Block.compress(raw).map { [codecLZ4] + $0 } ?? [codecStored] + raw
    var id = Digest.zero
    if let sealer {
      let sealed = sealer.cipher.seal(
        payload[...], .record(rawByteCount: UInt32(raw.count)), with: sealer.key)
      payload = sealed.bytes
      id = sealed.id
    }
    var writer = ByteWriter()
    writer.raw(magic)
    writer.u32(UInt32(payload.count))
    writer.u32(UInt32(record.count))
    writer.u32(UInt32(envelope.count))
    writer.digest(id)
    writer.u32(crc32c(payload, after: crc32c(writer.bytes)))
    writer.raw([UInt8](repeating: 0, count: 12))
    writer.raw(payload)
    return writer.bytes
  }

  /// The frame of a record that is not encrypted.
  package static func clear(record: [UInt8], envelope: Envelope) -> [UInt8] {
    encode(record: record, envelope: envelope.encoded)
  }

  struct Header {
    let payloadByteCount: Int
    let recordByteCount: Int
    let envelopeByteCount: Int
    let objectID: Digest
    fileprivate let crc: UInt32
    fileprivate let hasMagic: Bool
    fileprivate let covered: [UInt8]
    fileprivate let reserved: [UInt8]
    var frameByteCount: Int { headerByteCount + payloadByteCount }

    init(_ bytes: [UInt8]) throws(ParsingError) {
      var reader = ByteReader(bytes)
      hasMagic = try reader.take(magic.count, "frame magic").elementsEqual(magic)
      payloadByteCount = Int(try reader.u32("payload length"))
      recordByteCount = Int(try reader.u32("record length"))
      envelopeByteCount = Int(try reader.u32("envelope length"))
      objectID = try reader.digest("object id")
      crc = try reader.u32("checksum")
      reserved = Array(try reader.take(12, "reserved"))
      covered = Array(bytes[0..<48])
      guard payloadByteCount <= payloadLimit, recordByteCount <= recordLimit,
        envelopeByteCount <= Envelope.byteLimit
      else { throw ParsingError("a length is over the limit", at: 4, kind: .limit) }
    }
  }

  /// Reads one whole frame and nothing else: lengths, then the checksum, then what they cover.
  ///
  /// - Parameters:
  ///   - number: Of the record, which a grant's keys are for.
  ///   - keys: Nil for an archive that is not encrypted.
  ///   - place: For messages.
  init(
    parsing frame: [UInt8], number: Int, keys: ArchiveKeys?, at place: String? = nil
  ) throws(ArchiveError) {
    let place = place ?? "\(ArchiveFiles.records), record \(number)"
    let header = try parsing(place) { () throws(ParsingError) in
      try RecordFrame.checked(frame, isEncrypted: keys != nil)
    }
    let stored = frame[RecordFrame.headerByteCount...]
    let count = header.recordByteCount + header.envelopeByteCount
    let payload =
      try keys?.openRecord(
        stored, id: header.objectID, number: number, rawByteCount: count, at: place)[...]
      ?? stored
    self = try parsing(place) { () throws(ParsingError) in
      try RecordFrame(payload: payload, header)
    }
  }

  /// Lengths, checksum, magic and reserved fields of one whole frame, as it is stored.
  static func checked(
    _ frame: [UInt8], isEncrypted: Bool
  ) throws(ParsingError) -> Header {
    let header = try Header(frame)
    guard frame.count == header.frameByteCount else {
      throw ParsingError("the frame is cut or too long", at: 4, kind: .damaged)
    }
    let stored = frame[RecordFrame.headerByteCount...]
    guard crc32c(stored, after: crc32c(header.covered)) == header.crc else {
      throw ParsingError("the checksum does not match", at: 48, kind: .damaged)
    }
    guard header.hasMagic else { throw ParsingError("there is no record frame", at: 0) }
    guard header.reserved.allSatisfy({ $0 == 0 }) else {
      throw ParsingError("a reserved field is not 0", at: 52)
    }
    guard isEncrypted || header.objectID.isZero else {
      throw ParsingError("an object id without encryption", at: 16)
    }
    return header
  }

  private init(payload: ArraySlice<UInt8>, _ header: Header) throws(ParsingError) {
    byteCount = header.frameByteCount
    let count = header.recordByteCount + header.envelopeByteCount
    guard let codec = payload.first else {
      throw ParsingError("the payload has no codec", at: RecordFrame.headerByteCount)
    }
    let body = payload.dropFirst()
    switch codec {
    case RecordFrame.codecStored:
      guard body.count == count else {
        throw ParsingError("the lengths are not those of the payload", at: 8)
      }
      record = Array(body.prefix(header.recordByteCount))
      envelope = Array(body.dropFirst(header.recordByteCount))
    case RecordFrame.codecLZ4:
      guard body.count < count else {
        throw ParsingError("the lengths are not those of an LZ4 block", at: 8)
      }
      guard count <= body.count * LZ4Block.expansionLimit else {
        throw ParsingError("the record claims more than LZ4 can hold", at: 8, kind: .limit)
      }
      guard let raw = LZ4Block.decompress(body, count: count) else {
        throw ParsingError(
          "the LZ4 block is not \(count) bytes long when decoded",
          at: RecordFrame.headerByteCount + 1)
      }
      record = Array(raw[..<header.recordByteCount])
      envelope = Array(raw[header.recordByteCount...])
    default:
      throw ParsingError(
        "unsupported record codec", at: RecordFrame.headerByteCount, kind: .unsupported)
    }
  }
}
