internal import CKernels
internal import ProofPrimitives

/// A chunk as it is stored: header, then the payload (`spec/filters.md` §2).
///
/// The header and its checksum know nothing of the codec: between encoding a chunk and framing it, the
/// payload may be encrypted.
package enum ChunkFrame {
  package static let headerByteCount = 16
  /// The largest chunk size that an archive may declare: what one decode allocates at most.
  package static let rawByteLimit = 1 << 20

  private static let magic: UInt16 = 0x4350

  /// What one frame holds, its checksum compared. The payload is as it was stored.
  package struct Content: Sendable {
    package let codec: ChunkCodec
    package let parameter: UInt8
    package let rawByteCount: Int
    package let storedPayload: ArraySlice<UInt8>
  }

  /// The whole frame.
  package static func bytes(
    codec: ChunkCodec, parameter: UInt8, rawByteCount: Int, storedPayload: [UInt8]
  ) -> [UInt8] {
    var writer = ByteWriter()
    writer.u16(magic)
    writer.u8(codec.rawValue)
    writer.u8(parameter)
    writer.u32(UInt32(storedPayload.count))
    writer.u32(UInt32(rawByteCount))
    writer.u32(crc32c(storedPayload, after: crc32c(writer.bytes)))
    return [UInt8](unsafeUninitializedCapacity: headerByteCount + storedPayload.count) {
      out, count in
      count = out.initialize(fromContentsOf: writer.bytes)
      count += out[count...].initialize(fromContentsOf: storedPayload) - count
    }
  }

  /// Writes the header of a frame whose payload stands behind it in `frame` already.
  ///
  /// - Parameter frame: The whole frame.
  package static func writeHeader(
    _ frame: UnsafeMutableRawBufferPointer, codec: ChunkCodec, parameter: UInt8, rawByteCount: Int
  ) {
    var writer = ByteWriter()
    writer.u16(magic)
    writer.u8(codec.rawValue)
    writer.u8(parameter)
    writer.u32(UInt32(frame.count - headerByteCount))
    writer.u32(UInt32(rawByteCount))
    let payload = UnsafeRawBufferPointer(rebasing: frame[headerByteCount...])
    writer.u32(pol_crc32c(crc32c(writer.bytes), payload.baseAddress, payload.count))
    frame.copyBytes(from: writer.bytes)
  }

  /// How long the frame with this header is, which is not checked yet; `.limit` above `rawLimit`.
  ///
  /// - Parameter tagByteCount: What encryption adds to each payload.
  package static func frameByteCount(
    header bytes: [UInt8], rawLimit: Int = rawByteLimit, tagByteCount: Int = 0, at place: String
  ) throws(StorageError) -> Int {
    let header = try Header(bytes, at: place)
    guard header.payloadByteCount <= rawLimit + tagByteCount else {
      throw tooLarge(place, header.payloadByteCount, rawLimit + tagByteCount)
    }
    return headerByteCount + header.payloadByteCount
  }

  /// What a header says of its frame. Nothing of it is checked: that takes the payload.
  package struct Heading: Sendable {
    package let codec: UInt8
    package let rawByteCount: Int

    /// - Parameter bytes: The header, 16 bytes.
    package init(_ bytes: [UInt8], at place: String) throws(StorageError) {
      let header = try Header(bytes, at: place)
      codec = header.codec
      rawByteCount = header.rawByteCount
    }
  }

  /// The content of one whole frame.
  ///
  /// The checksum is compared before anything that it covers is believed (`spec/archive.md` §8).
  package static func parse(
    _ frame: ArraySlice<UInt8>, rawLimit: Int = rawByteLimit, tagByteCount: Int = 0,
    at place: String
  ) throws(StorageError) -> Content {
    let header = try Header(Array(frame.prefix(headerByteCount)), at: place)
    let payload = frame.dropFirst(headerByteCount)
    let crc = crc32c(payload, after: crc32c(frame.prefix(12)))
    guard crc == header.crc else {
      throw damaged(place, "the checksum does not match")
    }
    guard header.hasMagic else { throw malformed(place, "there is no chunk frame") }
    guard let codec = ChunkCodec(rawValue: header.codec) else {
      throw StorageError(
        .unsupported, at: place, "codec \(header.codec) is not known to this version",
        remedy: "read it with a newer pol")
    }
    let largest = max(header.rawByteCount, header.payloadByteCount - tagByteCount)
    guard largest <= rawLimit else { throw tooLarge(place, largest, rawLimit) }
    guard header.payloadByteCount == payload.count, payload.count > tagByteCount,
      header.rawByteCount >= 1
    else { throw malformed(place, "the frame's lengths are not valid") }
    return Content(
      codec: codec, parameter: header.parameter, rawByteCount: header.rawByteCount,
      storedPayload: payload)
  }

  package static func parse(
    _ frame: [UInt8], rawLimit: Int = rawByteLimit, tagByteCount: Int = 0, at place: String
  ) throws(StorageError) -> Content {
    try parse(frame[...], rawLimit: rawLimit, tagByteCount: tagByteCount, at: place)
  }

  /// One frame in the clear: LZ4 when it makes the chunk smaller, the raw bytes otherwise.
  package static func encode(_ raw: UnsafeRawBufferPointer) -> [UInt8] {
    let encoding = ChunkEncoder().encode(raw, as: .byte, codec: .lz4)
    return bytes(
      codec: encoding.codec, parameter: encoding.parameter, rawByteCount: encoding.rawByteCount,
      storedPayload: encoding.payload)
  }

  /// The raw bytes of one whole frame in the clear that is no delta. Allocates at most `rawLimit`.
  package static func decode(
    _ frame: [UInt8], rawLimit: Int, at place: String
  ) throws(StorageError) -> [UInt8] {
    let content = try parse(frame[...], rawLimit: rawLimit, at: place)
    return try ChunkDecoder().decode(
      codec: content.codec, parameter: content.parameter, payload: content.storedPayload,
      rawByteCount: content.rawByteCount, rawLimit: rawLimit, at: place)
  }

  private struct Header {
    let hasMagic: Bool
    let codec: UInt8
    let parameter: UInt8
    let payloadByteCount: Int
    let rawByteCount: Int
    let crc: UInt32

    init(_ bytes: [UInt8], at place: String) throws(StorageError) {
      var reader = ByteReader(bytes)
      do throws(ParsingError) {
        hasMagic = try reader.u16("frame magic") == magic
        codec = try reader.u8("codec")
        parameter = try reader.u8("parameter")
        payloadByteCount = Int(try reader.u32("payload length"))
        rawByteCount = Int(try reader.u32("raw length"))
        crc = try reader.u32("checksum")
      } catch {
        throw damaged(place, "\(error.reason) (byte \(error.offset))")
      }
    }
  }

  static func damaged(_ place: String, _ message: String) -> StorageError {
    StorageError(
      .damaged, at: place, message, remedy: "fetch the archive again or use another copy")
  }

  static func tooLarge(_ place: String, _ found: Int, _ limit: Int) -> StorageError {
    StorageError(
      .limit, at: place, "a chunk claims \(found) bytes, the limit is \(limit)",
      remedy: "this archive was not written by pol; do not use it")
  }

  static func malformed(_ place: String, _ message: String) -> StorageError {
    StorageError(
      .malformed, at: place, message, remedy: "fetch the archive again or use another copy")
  }
}

/// CRC-32C (RFC 3720 §B.4) of `bytes`, continuing from the checksum of what stands before them.
package func crc32c(_ bytes: some Collection<UInt8>, after start: UInt32 = 0) -> UInt32 {
  bytes.withContiguousStorageIfAvailable { pol_crc32c(start, $0.baseAddress, $0.count) }
    ?? pol_crc32c(start, Array(bytes), bytes.count)
}
