import ProofTestSupport
import Testing

@testable import ChunkStorage

@Suite("Chunk vectors (filters.md §7, §8)") struct FilterVectorTests {
  private struct Payload: Decodable {
    let id: String
    let codec: UInt8
    let parameter: UInt8
    let raw: HexBytes
    let parent: HexBytes?
    let payload: HexBytes
  }

  @Test("payloads decode to the raw bytes")
  func payloads() throws {
    let decoder = ChunkDecoder()
    for one in try TestVectors.cases("filters/payloads.json", of: Payload.self) {
      let codec = try #require(ChunkCodec(rawValue: one.codec))
      let raw = try decoder.decode(
        codec: codec, parameter: one.parameter, payload: one.payload.bytes[...],
        rawByteCount: one.raw.bytes.count, parent: one.parent?.bytes, at: one.id)
      #expect(raw == one.raw.bytes, "\(one.id)")
    }
  }

  private struct Refusal: Decodable {
    let id: String
    let codec: UInt8
    let parameter: UInt8
    let rawLength: Int
    let chunkSize: Int
    let payload: HexBytes
    let parent: HexBytes?
    let expect: String
  }

  @Test("payloads that break a rule are refused as stated")
  func refusals() throws {
    let decoder = ChunkDecoder()
    for one in try TestVectors.cases("filters/refusals.json", of: Refusal.self) {
      let codec = try #require(ChunkCodec(rawValue: one.codec))
      var code: String?
      do throws(StorageError) {
        _ = try decoder.decode(
          codec: codec, parameter: one.parameter, payload: one.payload.bytes[...],
          rawByteCount: one.rawLength, parent: one.parent?.bytes, rawLimit: one.chunkSize,
          at: one.id)
      } catch {
        code = error.code.description
      }
      #expect(code == one.expect, "\(one.id)")
    }
  }

  private struct Frame: Decodable {
    let id: String
    let chunkSize: Int
    let expect: String?
    let frame: HexBytes
  }

  @Test("frames are read, written again and refused as stated")
  func frames() throws {
    for one in try TestVectors.cases("filters/frames.json", of: Frame.self) {
      var code: String?
      do throws(StorageError) {
        let content = try ChunkFrame.parse(
          one.frame.bytes[...], rawLimit: one.chunkSize, at: one.id)
        let again = ChunkFrame.bytes(
          codec: content.codec, parameter: content.parameter, rawByteCount: content.rawByteCount,
          storedPayload: Array(content.storedPayload))
        #expect(again == one.frame.bytes, "\(one.id)")
      } catch {
        code = error.code.description
      }
      #expect(code == one.expect, "\(one.id)")
    }
  }

  @Test("a frame may be longer than a chunk by the tag of a cipher, and no more")
  func tag() throws {
    let payload = [UInt8](repeating: 1, count: 21)
    let frame = ChunkFrame.bytes(
      codec: .stored, parameter: 0, rawByteCount: 5, storedPayload: payload)
    let content = try ChunkFrame.parse(frame[...], rawLimit: 5, tagByteCount: 16, at: "tag")
    #expect(content.storedPayload.count == 21)
    #expect(
      try ChunkFrame.frameByteCount(header: frame, rawLimit: 5, tagByteCount: 16, at: "tag") == 37)
    #expect(throws: StorageError.self) {
      try ChunkFrame.parse(frame[...], rawLimit: 5, tagByteCount: 15, at: "tag")
    }
    #expect(throws: StorageError.self) {
      try ChunkFrame.frameByteCount(header: frame, rawLimit: 5, tagByteCount: 15, at: "tag")
    }
    // A tag around nothing.
    let empty = ChunkFrame.bytes(
      codec: .stored, parameter: 0, rawByteCount: 5, storedPayload: Array(payload.prefix(16)))
    #expect(throws: StorageError.self) {
      try ChunkFrame.parse(empty[...], rawLimit: 5, tagByteCount: 16, at: "tag")
    }
  }

  @Test("any change of a payload is refused or decodes to some chunk of that length")
  func alterations() throws {
    let decoder = ChunkDecoder()
    var random = RandomBytes(seed: 11)
    for one in try TestVectors.cases("filters/payloads.json", of: Payload.self) {
      let codec = try #require(ChunkCodec(rawValue: one.codec))
      for _ in 0..<40 {
        var payload = one.payload.bytes
        let place = Int(random.word() % UInt64(payload.count))
        switch random.word() % 3 {
        case 0: payload[place] = UInt8(truncatingIfNeeded: random.word())
        case 1: payload.removeSubrange(place...)
        default: payload.insert(contentsOf: random.bytes(3), at: place)
        }
        let raw = try? decoder.decode(
          codec: codec, parameter: one.parameter, payload: payload[...],
          rawByteCount: one.raw.bytes.count, parent: one.parent?.bytes, at: one.id)
        #expect(raw == nil || raw?.count == one.raw.bytes.count, "\(one.id)")
      }
    }
  }
}
