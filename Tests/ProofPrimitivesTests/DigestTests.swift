import ProofPrimitives
import Testing

@Suite("Digests and domain tags") struct DigestTests {
  private let counting = Array(UInt8(0)..<32)

  @Test("bytes, digits and memory give the same digest back")
  func roundTrip() throws {
    let digest = try #require(Digest(counting))
    #expect(digest.bytes == counting)
    #expect(digest.hex == "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
    #expect(digest.description == digest.hex)
    #expect(digest.short == "000102030405")
    #expect(Digest(hex: digest.hex) == digest)
    #expect(Digest(([9] + counting)[1...]) == digest)
    let unaligned = [9] + counting
    let loaded = unaligned.withUnsafeBytes { bytes in
      bytes.baseAddress.map { Digest(loadingFrom: $0 + 1) }
    }
    #expect(loaded == digest)
  }

  @Test("any other count of bytes is none", arguments: Array(0..<32) + [33, 64, 256])
  func byteCounts(count: Int) {
    #expect(Digest([UInt8](repeating: 1, count: count)) == nil)
  }

  @Test(
    "any other text is none",
    arguments: [
      "", "00", String(repeating: "0", count: 63), String(repeating: "0", count: 65),
      String(repeating: "0", count: 66), String(repeating: "A", count: 64),
      String(repeating: "0", count: 63) + "g", " " + String(repeating: "0", count: 63),
      "0x" + String(repeating: "0", count: 62), String(repeating: "\u{660}", count: 32),
    ])
  func badHex(text: String) {
    #expect(Digest(hex: text) == nil)
  }

  @Test("every bit counts for equality, and order is bytewise", arguments: 0..<256)
  func everyBit(bit: Int) throws {
    var bytes = [UInt8](repeating: 0x55, count: 32)
    let digest = try #require(Digest(bytes))
    bytes[bit / 8] ^= 1 << (bit % 8)
    let other = try #require(Digest(bytes))
    #expect(other != digest)
    #expect((other < digest) == other.bytes.lexicographicallyPrecedes(digest.bytes))
    #expect((digest < other) != (other < digest))
  }

  @Test("zero is thirty-two zero bytes")
  func zero() {
    #expect(Digest.zero.bytes == [UInt8](repeating: 0, count: 32))
    #expect(Digest.zero.isZero)
    #expect(Digest(counting)?.isZero == false)
  }

  @Test("no domain tag begins another, and all begin with the project's name")
  func tags() {
    for tag in DomainTag.allCases {
      #expect(tag.rawValue.hasPrefix("pol/v1/"))
      #expect(tag.rawValue.utf8.last == 10)
      for other in DomainTag.allCases where other != tag {
        #expect(!other.bytes.starts(with: tag.bytes))
      }
    }
  }
}
