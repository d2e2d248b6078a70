internal import CKernels
internal import CLZ4
internal import ProofPrimitives

/// A chunk as it is stored: header, then the payload as the codec left it (`spec/archive.md` §5.1).
package enum ChunkFrame {
  package static let headerByteCount = 16
  /// The largest chunk size that an archive may declare: what one decode allocates at most.
  package static let rawByteLimit = 1 << 20

  private static let magic: UInt16 = 0x4350
  private static let codecStored: UInt8 = 0
  private static let codecLZ4: UInt8 = 1
  /// One LZ4 sequence byte yields at most 255 bytes, so no block grows by more.
  private static let expansionLimit = 255

  /// Filters nothing yet: LZ4 when it makes the chunk smaller, the raw bytes otherwise.
  package static func encode(_ raw: UnsafeRawBufferPointer) -> [UInt8] {
    precondition(!raw.isEmpty && raw.count <= rawByteLimit)
    // One byte less than the raw size: a block that does not fit there is not worth having.
    let payload = [UInt8](unsafeUninitializedCapacity: raw.count) { out, count in
      let written = LZ4_compress_default(
        raw.baseAddress, out.baseAddress, Int32(raw.count), Int32(raw.count - 1))
      count = max(0, Int(written))
    }
    if payload.isEmpty {
      return frame(codec: codecStored, rawByteCount: raw.count, payload: Array(raw))
    }
    return frame(codec: codecLZ4, rawByteCount: raw.count, payload: payload)
  }

  private static func frame(codec: UInt8, rawByteCount: Int, payload: [UInt8]) -> [UInt8] {
    var writer = ByteWriter()
    writer.u16(magic)
    writer.u8(codec)
    writer.u8(0)
    writer.u32(UInt32(payload.count))
    writer.u32(UInt32(rawByteCount))
    writer.u32(crc32c(payload, after: crc32c(writer.bytes)))
    writer.raw(payload)
    return writer.bytes
  }

  /// How long the frame with this header is, which is not checked yet; `.limit` above `rawLimit`.
  package static func frameByteCount(
    header bytes: [UInt8], rawLimit: Int = rawByteLimit, at place: String
  ) throws(StorageError) -> Int {
    let header = try Header(bytes, at: place)
    guard header.payloadByteCount <= rawLimit else {
      throw tooLarge(place, header.payloadByteCount, rawLimit)
    }
    return headerByteCount + header.payloadByteCount
  }

  /// The raw bytes of one whole frame. Allocates at most `rawLimit`.
  ///
  /// The checksum is compared before anything that it covers is believed (`spec/archive.md` §8).
  package static func decode(
    _ frame: [UInt8], rawLimit: Int, at place: String
  ) throws(StorageError) -> [UInt8] {
    let header = try Header(frame, at: place)
    let payload = frame[headerByteCount...]
    let crc = crc32c(payload, after: crc32c(frame[0..<12]))
    guard crc == header.crc else {
      throw damaged(place, "the checksum does not match")
    }
    guard header.hasMagic else { throw malformed(place, "there is no chunk frame") }
    guard header.codec <= codecLZ4 else {
      throw StorageError(
        .unsupported, at: place, "codec \(header.codec) is not known to this version",
        remedy: "read it with a newer pol")
    }
    let largest = max(header.rawByteCount, header.payloadByteCount)
    guard largest <= rawLimit else { throw tooLarge(place, largest, rawLimit) }
    guard header.parameter == 0, header.payloadByteCount == payload.count,
      header.payloadByteCount >= 1, header.rawByteCount >= 1
    else { throw malformed(place, "the frame's parameter or lengths are not valid") }
    switch header.codec {
    case codecStored:
      guard header.rawByteCount == header.payloadByteCount else {
        throw malformed(place, "a stored chunk has two lengths")
      }
      return Array(payload)
    default:
      guard header.rawByteCount > header.payloadByteCount else {
        throw malformed(place, "the lengths are not those of an LZ4 block")
      }
      guard header.rawByteCount <= header.payloadByteCount * expansionLimit else {
        throw tooLarge(place, header.rawByteCount, header.payloadByteCount * expansionLimit)
      }
      return try decompress(payload, count: header.rawByteCount, at: place)
    }
  }

  private static func decompress(
    _ payload: ArraySlice<UInt8>, count: Int, at place: String
  ) throws(StorageError) -> [UInt8] {
    var written: Int32 = -1
    let raw = [UInt8](unsafeUninitializedCapacity: count) { out, initialized in
      written = payload.withUnsafeBytes {
        LZ4_decompress_safe($0.baseAddress, out.baseAddress, Int32($0.count), Int32(count))
      }
      initialized = max(0, Int(written))
    }
    guard Int(written) == count else {
      throw malformed(place, "the LZ4 block is not \(count) bytes long when decoded")
    }
    return raw
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

  private static func damaged(_ place: String, _ message: String) -> StorageError {
    StorageError(
      .damaged, at: place, message, remedy: "fetch the archive again or use another copy")
  }

  private static func tooLarge(_ place: String, _ found: Int, _ limit: Int) -> StorageError {
    StorageError(
      .limit, at: place, "a chunk claims \(found) bytes, the limit is \(limit)",
      remedy: "this archive was not written by pol; do not use it")
  }

  private static func malformed(_ place: String, _ message: String) -> StorageError {
    StorageError(
      .malformed, at: place, message, remedy: "fetch the archive again or use another copy")
  }
}

/// CRC-32C (RFC 3720 §B.4) of `bytes`, continuing from the checksum of what stands before them.
package func crc32c(_ bytes: some Collection<UInt8>, after start: UInt32 = 0) -> UInt32 {
  bytes.withContiguousStorageIfAvailable { pol_crc32c(start, $0.baseAddress, $0.count) }
    ?? pol_crc32c(start, Array(bytes), bytes.count)
}
