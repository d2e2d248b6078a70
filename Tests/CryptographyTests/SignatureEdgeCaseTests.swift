import Cryptography
import ProofPrimitives
import ProofTestSupport
import Testing

/// A published vector on the edge of what an Ed25519 verifier may take (`testvectors/ed25519`).
private struct EdgeCase: Decodable, Sendable, CustomTestStringConvertible {
  let id: String
  let key: HexBytes
  let message: HexBytes
  let signature: HexBytes
  let flags: [String]?
  let valid: Bool?
  var testDescription: String { id }

  static func all(_ name: String) throws -> [EdgeCase] {
    try TestVectors.cases("ed25519/\(name).json", of: EdgeCase.self)
  }

  func has(_ flag: String) -> Bool { flags?.contains(flag) ?? false }

  var isAccepted: Bool {
    VerifyingKey(rawBytes: key.bytes)?.isValid(signature.bytes, over: message.bytes) ?? false
  }
}

@Suite("Ed25519 at its edges (spec/glossary.md)") struct SignatureEdgeCaseTests {
  @Test("points of low order and second encodings (CCTV)", arguments: try EdgeCase.all("cctv"))
  private func points(vector: EdgeCase) {
    let key = VerifyingKey(rawBytes: vector.key.bytes)
    #expect((key == nil) == (vector.has("low_order_A") || vector.has("non_canonical_A")))
    let isAccepted =
      !vector.has("low_order_A") && !vector.has("non_canonical_A") && !vector.has("non_canonical_R")
      && !vector.has("low_order_residue")
    #expect(vector.isAccepted == isAccepted)
  }

  @Test("no key has a y of p or more", arguments: UInt8(0xed)...0xff, [UInt8(0x7f), 0xff])
  func secondEncodings(first: UInt8, last: UInt8) {
    #expect(VerifyingKey(rawBytes: [first] + [UInt8](repeating: 0xff, count: 30) + [last]) == nil)
  }

  @Test("these vectors have every kind, and some are accepted")
  func kinds() throws {
    let vectors = try EdgeCase.all("cctv")
    for flag in [
      "low_order_A", "low_order_R", "non_canonical_A", "non_canonical_R", "low_order_component_A",
      "low_order_component_R", "low_order_residue",
    ] {
      #expect(vectors.contains { $0.has(flag) }, "\(flag)")
    }
    #expect(vectors.contains { $0.isAccepted && $0.has("low_order_R") })
  }

  @Test(
    "malleable and malformed signatures (Wycheproof)", arguments: try EdgeCase.all("wycheproof"))
  private func wycheproof(vector: EdgeCase) {
    #expect(vector.isAccepted == vector.valid)
  }

  @Test("cofactor, reduction and bounds (ed25519-speccheck)")
  func speccheck() throws {
    let accepted = try EdgeCase.all("speccheck").filter(\.isAccepted).map(\.id)
    // 0, 1: A of low order; 4, 5: only the cofactored equation; 6, 7: S too large; 8, 9: R, and 10, 11:
    // A in a second encoding.
    #expect(accepted == ["2", "3"])
  }
}
