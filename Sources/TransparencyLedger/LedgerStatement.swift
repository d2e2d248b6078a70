package import Cryptography
import ProofPrimitives

/// An in-toto Statement v1 in canonical JSON (`spec/ledger.md` §5).
package enum LedgerStatement: Hashable, Sendable {
  case commitment(CommitmentStatement)
  case proof(ProofStatement)
  /// Well formed, of a kind that this version does not know. It is kept and counted, and claims
  /// nothing, so that new kinds do not stop old readers.
  case other(predicateType: String)

  package static let inTotoType = "https://in-toto.io/Statement/v1"
  /// For origins, locations and types: what a URL may reasonably be.
  package static let textByteLimit = 2048

  /// Reads a payload, and the key its predicate names, which every kind does.
  package static func parse(
    _ payload: [UInt8]
  ) throws(LedgerError) -> (statement: LedgerStatement, proverKey: VerifyingKey) {
    let json: JSONValue
    do {
      json = try JSONValue(parsing: payload, form: .canonical)
    } catch {
      throw StatementFields.bad("at byte \(error.offset): \(error.reason)")
    }
    let fields = try StatementFields(
      json, "the statement", keys: ["_type", "predicate", "predicateType", "subject"])
    try fields.constant("_type", inTotoType)
    let type = try fields.text("predicateType", limit: textByteLimit)
    guard let keyText = fields.value("predicate")?["proverKey"]?.stringValue,
      let keyDigest = Digest(hex: keyText), let key = VerifyingKey(rawBytes: keyDigest.bytes)
    else { throw StatementFields.bad("predicate.proverKey is not an Ed25519 key in hexadecimal") }
    switch type {
    case CommitmentStatement.predicateType: return (.commitment(try .init(fields)), key)
    case ProofStatement.predicateType: return (.proof(try .init(fields)), key)
    default:
      guard fields.value("subject")?.arrayValue != nil else {
        throw StatementFields.bad("subject is not a list")
      }
      return (.other(predicateType: type), key)
    }
  }

  package var encoded: [UInt8]? {
    switch self {
    case .commitment(let statement): statement.encoded
    case .proof(let statement): statement.encoded
    case .other: nil
    }
  }
}
