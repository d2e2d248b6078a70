import Cryptography
import ProofPrimitives
import ProofTestSupport
import Testing

struct HashCase: Decodable, Sendable, CustomTestStringConvertible {
  let id: String
  let unit: HexBytes
  let times: Int
  let digest: String
  var testDescription: String { id }
  var message: [UInt8] { Array(repeatElement(unit.bytes, count: times).joined()) }

  static func all() throws -> [HashCase] {
    try TestVectors.cases("primitives/sha256.json", of: HashCase.self)
  }
}

private struct MACCase: Decodable, Sendable, CustomTestStringConvertible {
  let id: String
  let key: HexBytes
  let message: HexBytes
  let digest: String
  var testDescription: String { id }

  static func all() throws -> [MACCase] {
    try TestVectors.cases("primitives/hmac.json", of: MACCase.self)
  }
}

private struct DerivationCase: Decodable, Sendable, CustomTestStringConvertible {
  let id: String
  let secret: HexBytes
  let salt: HexBytes
  let info: HexBytes
  let output: String
  var testDescription: String { id }

  static func all() throws -> [DerivationCase] {
    try TestVectors.cases("primitives/hkdf.json", of: DerivationCase.self)
  }
}

@Suite("SHA-256 (FIPS 180-4), HMAC (RFC 4231) and HKDF (RFC 5869)") struct HashingTests {
  @Test("SHA-256, at once, from a slice and in pieces", arguments: try HashCase.all())
  private func sha256(vector: HashCase) {
    let message = vector.message
    #expect(SHA256.hash(message).hex == vector.digest)
    let framed = [1, 2] + message
    #expect(SHA256.hash(framed[2...]).hex == vector.digest)
    let hasher = SHA256()
    // The hasher starts afresh after finish, so the second round must agree.
    for pieceByteCount in [max(1, message.count / 3), 64] {
      for start in stride(from: 0, to: message.count, by: pieceByteCount) {
        hasher.update(message[start..<min(start + pieceByteCount, message.count)])
      }
      #expect(hasher.finish().hex == vector.digest)
    }
  }

  @Test("a tag stands before all parts")
  func tagged() {
    let expected = SHA256.hash(DomainTag.record.bytes + [1, 2, 3])
    #expect(SHA256.hash(.record, [1], [], [2, 3]) == expected)
    #expect(SHA256.hash(.seal, [1, 2, 3]) != expected)
    let hasher = SHA256()
    hasher.update(.record)
    hasher.update([1, 2, 3])
    #expect(hasher.finish() == expected)
  }

  @Test("HMAC-SHA256", arguments: try MACCase.all())
  private func hmac(vector: MACCase) {
    let digest = hmacSHA256(key: vector.key.bytes, message: vector.message.bytes)
    #expect(digest.hex == vector.digest)
  }

  @Test("HKDF-SHA256, 32 bytes", arguments: try DerivationCase.all())
  private func hkdf(vector: DerivationCase) {
    let output = hkdfSHA256(
      secret: vector.secret.bytes, salt: vector.salt.bytes, info: vector.info.bytes)
    #expect(output.hex == vector.output)
  }

  @Test("random bytes are as many as asked for, and never the same")
  func random() {
    #expect(randomBytes(0).isEmpty)
    #expect(randomBytes(33).count == 33)
    #expect(Set((0..<50).map { _ in randomBytes(16) }).count == 50)
  }
}
