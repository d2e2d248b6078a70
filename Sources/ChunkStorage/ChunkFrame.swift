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

  /// The header of the frame at the start of `bytes`: how long the whole frame is.
  package static func frameByteCount(header bytes: [UInt8], at place: String) throws(StorageError)
    -> Int
  {
    headerByteCount + (try Header(bytes, at: place)).payloadByteCount
  }

  /// The raw bytes of one whole frame. Allocates at most `rawLimit`.
  package static func decode(
    _ frame: [UInt8], rawLimit: Int, at place: String
  ) throws(StorageError) -> [UInt8] {
    let header = try Header(frame, at: place)
    guard frame.count == headerByteCount + header.payloadByteCount else {
      throw damaged(place, "the frame is \(frame.count) bytes, its header says otherwise")
    }
    let payload = frame[headerByteCount...]
    let crc = crc32c(payload, after: crc32c(frame[0..<12]))
    guard crc == header.crc else {
      throw damaged(place, "the checksum does not match")
    }
    guard header.rawByteCount <= rawLimit else {
      throw StorageError(
        .limit, at: place, "a chunk claims \(header.rawByteCount) bytes, the limit is \(rawLimit)",
        remedy: "this archive was not written by pol; do not use it")
    }
    switch header.codec {
    case codecStored:
      guard header.rawByteCount == header.payloadByteCount else {
        throw malformed(place, "a stored chunk has two lengths")
      }
      return Array(payload)
    case codecLZ4:
      guard header.rawByteCount > header.payloadByteCount,
        header.rawByteCount <= header.payloadByteCount * expansionLimit
      else { throw malformed(place, "the lengths are not those of an LZ4 block") }
      return try decompress(payload, count: header.rawByteCount, at: place)
    default:
      throw StorageError(
        .unsupported, at: place, "codec \(header.codec) is not known to this version",
        remedy: "read it with a newer pol")
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
    let codec: UInt8
    let payloadByteCount: Int
    let rawByteCount: Int
    let crc: UInt32

    init(_ bytes: [UInt8], at place: String) throws(StorageError) {
      var reader = ByteReader(bytes)
      do throws(ParsingError) {
        guard try reader.u16("frame magic") == magic else {
          throw ParsingError("there is no chunk frame", at: 0)
        }
        codec = try reader.u8("codec")
        guard try reader.u8("parameter") == 0 else {
          throw ParsingError("the codec parameter is not 0", at: 3)
        }
        payloadByteCount = Int(try reader.u32("payload length"))
        rawByteCount = Int(try reader.u32("raw length"))
        crc = try reader.u32("checksum")
        guard payloadByteCount >= 1, payloadByteCount <= ChunkFrame.rawByteLimit, rawByteCount >= 1
        else { throw ParsingError("a length is out of bounds", at: 4) }
      } catch {
        throw malformed(place, "\(error.reason) (byte \(error.offset))")
      }
    }
  }

  private static func damaged(_ place: String, _ message: String) -> StorageError {
    StorageError(
      .damaged, at: place, message, remedy: "fetch the archive again or use another copy")
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
