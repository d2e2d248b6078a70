import Cryptography
import ProofTestSupport
import Testing

private struct SealedCase: Decodable, Sendable, CustomTestStringConvertible {
  let id: String
  let comment: String
  let key: HexBytes
  let nonce: HexBytes
  let data: HexBytes
  let plaintext: HexBytes
  let sealed: HexBytes
  let valid: Bool
  var testDescription: String { "\(id): \(comment)" }

  static func all(_ name: String) throws -> [SealedCase] {
    try TestVectors.cases("encryption/\(name).json", of: SealedCase.self)
  }

  func check(_ cipher: AuthenticatedCipher) {
    let opened = cipher.open(
      sealed.bytes[...], key: key.bytes, nonce: nonce.bytes, data: data.bytes)
    #expect(opened == (valid ? plaintext.bytes : nil))
    let resealed = cipher.seal(
      plaintext.bytes[...], key: key.bytes, nonce: nonce.bytes, data: data.bytes)
    #expect((resealed == sealed.bytes) == valid)
  }
}

@Suite("Authenticated encryption (SP 800-38D, RFC 8439; Wycheproof)")
struct AuthenticatedCipherTests {
  @Test("AES-256-GCM", arguments: try SealedCase.all("aes-256-gcm"))
  private func gcm(vector: SealedCase) { vector.check(AuthenticatedCipher(.aes256GCM)) }

  @Test("ChaCha20-Poly1305", arguments: try SealedCase.all("chacha20-poly1305"))
  private func poly(vector: SealedCase) { vector.check(AuthenticatedCipher(.chaCha20Poly1305)) }

  @Test("one context serves one call after another, refusals between them")
  func reused() throws {
    let cipher = AuthenticatedCipher(.aes256GCM)
    for vector in try SealedCase.all("aes-256-gcm") { vector.check(cipher) }
  }

  @Test(
    "no bit of what is sealed may change, nor of key, nonce and data",
    arguments: [AuthenticatedCipher.Algorithm.aes256GCM, .chaCha20Poly1305])
  func altered(algorithm: AuthenticatedCipher.Algorithm) {
    let cipher = AuthenticatedCipher(algorithm)
    let key = [UInt8](1...32)
    let nonce = [UInt8](1...12)
    let data: [UInt8] = [1, 2, 3]
    let sealed = cipher.seal([9, 8, 7, 6, 5][...], key: key, nonce: nonce, data: data)
    func flipped(_ bytes: [UInt8], _ bit: Int) -> [UInt8] {
      var bytes = bytes
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
      return bytes
    }
    for bit in 0..<sealed.count * 8 {
      #expect(cipher.open(flipped(sealed, bit)[...], key: key, nonce: nonce, data: data) == nil)
    }
    for bit in 0..<256 {
      #expect(cipher.open(sealed[...], key: flipped(key, bit), nonce: nonce, data: data) == nil)
    }
    for bit in 0..<96 {
      #expect(cipher.open(sealed[...], key: key, nonce: flipped(nonce, bit), data: data) == nil)
    }
    for bit in 0..<24 {
      #expect(cipher.open(sealed[...], key: key, nonce: nonce, data: flipped(data, bit)) == nil)
    }
    #expect(cipher.open(sealed[...], key: key, nonce: nonce, data: []) == nil)
    for count in 0..<sealed.count {
      #expect(cipher.open(sealed.prefix(count), key: key, nonce: nonce, data: data) == nil)
    }
    #expect(
      cipher.open(sealed[...], key: key, nonce: nonce, data: data) == [9, 8, 7, 6, 5])
  }

  @Test("the empty plaintext, and a slice from the middle of an array")
  func slices() {
    let cipher = AuthenticatedCipher(.aes256GCM)
    let key = [UInt8](repeating: 7, count: 32)
    let nonce = [UInt8](repeating: 8, count: 12)
    let empty = cipher.seal([], key: key, nonce: nonce, data: [])
    #expect(empty.count == 16)
    #expect(cipher.open(empty[...], key: key, nonce: nonce, data: []) == [])
    let bytes = [UInt8](0..<100)
    let sealed = [0, 0] + cipher.seal(bytes[10..<60], key: key, nonce: nonce, data: [1])
    #expect(
      cipher.open(sealed[2...], key: key, nonce: nonce, data: [1]) == Array(bytes[10..<60]))
  }
}
