import ProofPrimitives
import Testing

@testable import Cryptography

@Suite("HMAC under one key (RFC 2104)") struct KeyedHashTests {
  // RFC 4231 §4.3 and §4.7: a short key, and one longer than a block.
  @Test("the published answers, again and again with one key")
  func published() throws {
    let short = KeyedHash(key: Array("Jefe".utf8))
    let long = KeyedHash(key: [UInt8](repeating: 0xaa, count: 131))
    for _ in 0..<2 {
      #expect(
        short.digest(of: Array("what do ya want for nothing?".utf8)).hex
          == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
      #expect(
        long.digest(of: Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8)).hex
          == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")
    }
  }

  @Test("as the one-shot function, whatever the length", arguments: [0, 1, 63, 64, 65, 1000])
  func sameAsOneShot(count: Int) {
    let key = [UInt8](0..<32)
    let message = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
    #expect(KeyedHash(key: key).digest(of: message) == hmacSHA256(key: key, message: message))
  }
}
