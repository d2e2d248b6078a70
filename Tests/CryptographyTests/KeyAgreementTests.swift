import Cryptography
import ProofPrimitives
import ProofTestSupport
import Testing

private struct AgreementCase: Decodable, Sendable, CustomTestStringConvertible {
  let id: String
  let comment: String
  let `private`: HexBytes
  let `public`: HexBytes
  let shared: HexBytes
  let valid: Bool
  var testDescription: String { "\(id): \(comment)" }

  static func all() throws -> [AgreementCase] {
    try TestVectors.cases("encryption/x25519.json", of: AgreementCase.self)
  }
}

@Suite("X25519 (RFC 7748; Wycheproof)") struct KeyAgreementTests {
  @Test(
    "the shared secret, and none where it would be all zero", arguments: try AgreementCase.all())
  private func agreement(vector: AgreementCase) throws {
    let key = try KeyAgreementKey(rawBytes: vector.private.bytes)
    #expect(
      key.sharedSecret(with: vector.public.bytes) == (vector.valid ? vector.shared.bytes : nil))
  }

  @Test("one thousand times in a row (RFC 7748 §5.2)")
  func iterated() throws {
    var scalar: [UInt8] = [9] + [UInt8](repeating: 0, count: 31)
    var point = scalar
    for _ in 0..<1000 {
      let next = try #require(KeyAgreementKey(rawBytes: scalar).sharedSecret(with: point))
      (scalar, point) = (next, scalar)
    }
    #expect(
      Hex.encode(scalar) == "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51")
  }

  @Test(
    "the public key of a private one (RFC 7748 §6.1)",
    arguments: [
      (
        "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
        "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
      ),
      (
        "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
        "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"
      ),
    ])
  func publicKey(privateKey: String, publicKey: String) throws {
    let key = try KeyAgreementKey(rawBytes: try #require(Hex.decode(privateKey)))
    #expect(Hex.encode(key.publicKey) == publicKey)
  }

  @Test("keys of another length are refused", arguments: [0, 31, 33, 64])
  func lengths(byteCount: Int) throws {
    let bytes = [UInt8](repeating: 1, count: byteCount)
    #expect(throws: CryptographyError.self) { try KeyAgreementKey(rawBytes: bytes) }
    #expect(try KeyAgreementKey.generate().sharedSecret(with: bytes) == nil)
  }

  @Test("a private key is never printed")
  func printed() throws {
    let key = try KeyAgreementKey(rawBytes: [UInt8](repeating: 0x5a, count: 32))
    var dumped = ""
    dump(key, to: &dumped)
    for text in ["\(key)", String(reflecting: key), dumped] {
      #expect(!text.contains("90") && !text.contains("5a5a"))
    }
  }
}
