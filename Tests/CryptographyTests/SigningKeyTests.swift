import Cryptography
import ProofPrimitives
import ProofTestSupport
import Testing

private struct SigningCase: Decodable, Sendable, CustomTestStringConvertible {
  let id: String
  let seed: HexBytes
  let message: HexBytes
  let publicKey: String
  let signature: String
  var testDescription: String { id }

  static func all() throws -> [SigningCase] {
    try TestVectors.cases("primitives/ed25519-signing.json", of: SigningCase.self)
  }
}

private struct VerifyingCase: Decodable, Sendable, CustomTestStringConvertible {
  let id: String
  let publicKey: HexBytes
  let message: HexBytes
  let signature: HexBytes
  let valid: Bool
  var testDescription: String { id }

  static func all() throws -> [VerifyingCase] {
    try TestVectors.cases("primitives/ed25519-verifying.json", of: VerifyingCase.self)
  }
}

@Suite("Ed25519 signatures (RFC 8032)") struct SigningKeyTests {
  @Test("keys and signatures are the published ones", arguments: try SigningCase.all())
  private func signing(vector: SigningCase) throws {
    let key = try SigningKey(seed: vector.seed.bytes)
    #expect(Hex.encode(key.verifyingKey.rawBytes) == vector.publicKey)
    let signature = try key.signature(over: vector.message.bytes)
    #expect(Hex.encode(signature) == vector.signature)
    #expect(key.verifyingKey.isValid(signature, over: vector.message.bytes))
  }

  @Test("one signature is valid, and no other", arguments: try VerifyingCase.all())
  private func verifying(vector: VerifyingCase) {
    let key = VerifyingKey(rawBytes: vector.publicKey.bytes)
    let isValid = key?.isValid(vector.signature.bytes, over: vector.message.bytes) ?? false
    #expect(isValid == vector.valid)
  }

  @Test("a seed or a key of any other length is refused", arguments: [0, 1, 31, 33, 64])
  func lengths(count: Int) {
    let bytes = [UInt8](repeating: 1, count: count)
    #expect(VerifyingKey(rawBytes: bytes) == nil)
    #expect { try SigningKey(seed: bytes) } throws: {
      ($0 as? CryptographyError)?.code == .badKey
    }
  }

  @Test("generated keys differ")
  func generated() throws {
    let keys = try (0..<8).map { _ in try SigningKey.generate().verifyingKey }
    #expect(Set(keys).count == 8)
  }

  @Test("a key's name is the SHA-256 of its SPKI")
  func keyID() throws {
    let key = try SigningKey(seed: [UInt8](repeating: 1, count: 32)).verifyingKey
    #expect(key.spki.count == 44)
    #expect(key.keyID == SHA256.hash(key.spki))
  }

  @Test("a private key that is printed or dumped does not show its seed")
  func hidden() throws {
    let seed = [UInt8](repeating: 201, count: 32)
    let key = try SigningKey(seed: seed)
    var dumped = ""
    dump(key, to: &dumped)
    for text in ["\(key)", String(reflecting: key), "\([key])", dumped] {
      #expect(!text.contains("201, 201"))
      #expect(!text.contains("seed"))
      #expect(!text.contains(Hex.encode(seed)))
    }
  }
}
