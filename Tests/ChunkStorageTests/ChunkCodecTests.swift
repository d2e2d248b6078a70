import ProofPrimitives
import Testing

@testable import ChunkStorage

@Suite("Chunk codecs (filters.md §3)") struct ChunkCodecTests {
  @Test("every codec gives the chunk back", arguments: FilterKernelTests.elements)
  func roundTrip(element: ChunkElement) throws {
    let encoder = ChunkEncoder()
    let decoder = ChunkDecoder()
    for count in [1, 7, 8, 100, 512, 1029, 6000] {
      var random = RandomBytes(seed: UInt64(count))
      let noise = random.bytes(count * element.byteCount)
      // Few bits of each element differ from the parent and from its neighbour.
      let low = noise.enumerated().map { $0 % element.byteCount == 0 ? $1 & 1 : 9 }
      let inputs =
        FilterInputs.pairs(byteCount: noise.count, element)
        + [FilterInputs(name: "low", raw: low, parent: noise)]
      for input in inputs {
        for codec in ChunkCodec.allCases {
          let encoding = encoded(encoder, input, element, codec)
          #expect([codec, .stored, .constant].contains(encoding.codec))
          #expect((encoding.codec == .stored) == (encoding.payload.count == input.raw.count))
          let parent = encoding.codec.isDelta ? input.parent : nil
          let back = try decoder.decode(
            codec: encoding.codec, parameter: encoding.parameter, payload: encoding.payload[...],
            rawByteCount: encoding.rawByteCount, parent: parent, at: input.name)
          #expect(back == input.raw, "\(input.name) \(codec)")
        }
      }
    }
  }

  @Test("each codec is used where it serves", arguments: FilterKernelTests.elements)
  func used(element: ChunkElement) {
    let encoder = ChunkEncoder()
    let count = 4096 * element.byteCount
    var source = RandomBytes(seed: 4)
    let noise = source.bytes(count)
    let low = noise.map { $0 & 1 | 0x20 }
    let random = FilterInputs(name: "noise", raw: noise, parent: low)
    let same = FilterInputs(name: "same", raw: low.map { $0 & 1 }, parent: low.map { $0 & 1 })
    #expect(encoded(encoder, random, element, .bits).codec == .stored)
    #expect(encoded(encoder, same, element, .bits).codec == .bits)
    #expect(encoded(encoder, same, element, .deltaBits).codec == .deltaBits)
    #expect(encoded(encoder, same, element, .deltaPlanes).codec == .deltaPlanes)
    #expect(encoded(encoder, same, element, .bits).parameter == element.parameter)
    #expect(encoded(encoder, same, element, .lz4).parameter == 0)
  }

  @Test(
    "equal elements are one element, whichever codec was asked for", arguments: ChunkCodec.allCases)
  func constant(codec: ChunkCodec) throws {
    let element = try #require(ChunkElement(byteCount: 4, isFloat: true))
    let raw = Array((0..<300).flatMap { _ in [1, 2, 3, 0x3f] as [UInt8] })
    let input = FilterInputs(name: "constant", raw: raw, parent: raw.reversed())
    let encoding = encoded(ChunkEncoder(), input, element, codec)
    #expect(encoding.codec == .constant)
    #expect(encoding.payload == [1, 2, 3, 0x3f])
    #expect(encoding.parameter == 0x84)
  }

  @Test("a chunk that is no row of whole elements is stored")
  func odd() throws {
    let element = try #require(ChunkElement(byteCount: 4, isFloat: false))
    let input = FilterInputs(
      name: "odd", raw: [UInt8](repeating: 0, count: 4097),
      parent: [UInt8](repeating: 0, count: 4097))
    for codec in [ChunkCodec.constant, .bits, .deltaBits, .deltaPlanes] {
      #expect(encoded(ChunkEncoder(), input, element, codec).codec == .stored)
    }
  }

  @Test("the asked size is that of the encoding", arguments: ChunkCodec.allCases)
  func trial(codec: ChunkCodec) throws {
    let element = try #require(ChunkElement(byteCount: 2, isFloat: true))
    let encoder = ChunkEncoder()
    for input in FilterInputs.pairs(byteCount: 20_000, element) {
      let size = input.raw.withUnsafeBytes { raw in
        input.parent.withUnsafeBytes { parent in
          encoder.encodedByteCount(raw, as: element, codec: codec, parent: parent)
        }
      }
      #expect(size == encoded(encoder, input, element, codec).payload.count)
    }
  }

  @Test(
    "a sample is a part of whole elements", arguments: [1, 8, 32_768, 32_776, 262_144, 999_992])
  func sample(byteCount: Int) {
    let sample = ChunkEncoder.sample(ofByteCount: byteCount)
    #expect(sample.count == min(byteCount, 128 << 10))
    #expect(sample.lowerBound % 8 == 0 && sample.upperBound <= byteCount)
  }

  private func encoded(
    _ encoder: ChunkEncoder, _ input: FilterInputs, _ element: ChunkElement, _ codec: ChunkCodec
  ) -> ChunkEncoding {
    input.raw.withUnsafeBytes { raw in
      input.parent.withUnsafeBytes { parent in
        encoder.encode(raw, as: element, codec: codec, parent: parent)
      }
    }
  }
}
