import Cryptography
import ProofPrimitives
import ProofTestSupport
import Testing

private struct StreamCase: Decodable, Sendable, CustomTestStringConvertible {
  let id: String
  let key: HexBytes
  let block: Int
  let stream: String
  var testDescription: String { id }

  static func all() throws -> [StreamCase] {
    try TestVectors.cases("primitives/chacha20.json", of: StreamCase.self)
  }
}

@Suite("ChaCha20 generator (RFC 8439 §2.4)") struct ChaCha20GeneratorTests {
  @Test("words are the key stream in little-endian order", arguments: try StreamCase.all())
  private func stream(vector: StreamCase) {
    var generator = ChaCha20Generator(key: vector.key.bytes)
    for _ in 0..<vector.block * 16 { _ = generator.nextWord() }
    var writer = ByteWriter()
    for _ in 0..<16 { writer.u32(generator.nextWord()) }
    #expect(Hex.encode(writer.bytes) == vector.stream)
  }

  @Test("a seed's key is HKDF of seed, tag and label")
  func derived() {
    let key = hkdfSHA256(secret: Digest.zero.bytes, salt: DomainTag.draw.bytes, info: [7])
    var expected = ChaCha20Generator(key: key.bytes)
    var derived = ChaCha20Generator(seed: .zero, tag: .draw, label: [7])
    var otherLabel = ChaCha20Generator(seed: .zero, tag: .draw, label: [8])
    var otherTag = ChaCha20Generator(seed: .zero, tag: .batchOrder, label: [7])
    let word = expected.nextWord()
    #expect(derived.nextWord() == word)
    #expect(otherLabel.nextWord() != word)
    #expect(otherTag.nextWord() != word)
  }

  @Test(
    "numbers below a bound are words modulo it, without those above its last multiple",
    arguments: [1, 2, 3, 10, 1 << 31, (1 << 31) + 1, 3 << 30, UInt32.max] as [UInt32])
  func bounded(bound: UInt32) {
    let key = [UInt8](repeating: 5, count: 32)
    var generator = ChaCha20Generator(key: key)
    var words = ChaCha20Generator(key: key)
    let end = (UInt64(1) << 32) / UInt64(bound) * UInt64(bound)
    for _ in 0..<2000 {
      var word = words.nextWord()
      while UInt64(word) >= end { word = words.nextWord() }
      #expect(generator.next(below: bound) == word % bound)
    }
  }
}
