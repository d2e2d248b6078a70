package import Cryptography
import ProofPrimitives

/// An in-toto Statement v1 in canonical JSON (`spec/statements.md`).
package enum LedgerStatement: Hashable, Sendable {
  case anchor(AnchorStatement)
  case challenge(ChallengeStatement)
  case commitment(CommitmentStatement)
  case hidden(HiddenStatement)
  case indexRoot(IndexRootStatement)
  case logBegin(LogBeginStatement)
  case logEnd(LogEndStatement)
  case proof(ProofStatement)
  case proofPart(ProofPartStatement)
  case verdict(VerdictStatement)
  case withdrawal(WithdrawalStatement)
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
    case AnchorStatement.predicateType: return (.anchor(try .init(fields)), key)
    case ChallengeStatement.predicateType: return (.challenge(try .init(fields)), key)
    case CommitmentStatement.predicateType: return (.commitment(try .init(fields)), key)
    case HiddenStatement.predicateType: return (.hidden(try .init(fields)), key)
    case IndexRootStatement.predicateType: return (.indexRoot(try .init(fields)), key)
    case LogBeginStatement.predicateType: return (.logBegin(try .init(fields)), key)
    case LogEndStatement.predicateType: return (.logEnd(try .init(fields)), key)
    case ProofStatement.predicateType: return (.proof(try .init(fields)), key)
    case ProofPartStatement.predicateType: return (.proofPart(try .init(fields)), key)
    case VerdictStatement.predicateType: return (.verdict(try .init(fields)), key)
    case WithdrawalStatement.predicateType: return (.withdrawal(try .init(fields, key: key)), key)
    default:
      guard fields.value("subject")?.arrayValue != nil else {
        throw StatementFields.bad("subject is not a list")
      }
      return (.other(predicateType: type), key)
    }
  }

  package var encoded: [UInt8]? {
    switch self {
    case .anchor(let statement): statement.encoded
    case .challenge(let statement): statement.encoded
    case .commitment(let statement): statement.encoded
    case .hidden(let statement): statement.encoded
    case .indexRoot(let statement): statement.encoded
    case .logBegin(let statement): statement.encoded
    case .logEnd(let statement): statement.encoded
    case .proof(let statement): statement.encoded
    case .proofPart(let statement): statement.encoded
    case .verdict(let statement): statement.encoded
    case .withdrawal(let statement): statement.encoded
    case .other: nil
    }
  }

  /// The kind in one word; a kind that this version does not know is named by its type.
  package var kind: String {
    switch self {
    case .anchor: "anchor"
    case .challenge: "challenge"
    case .commitment: "commitment"
    case .hidden: "hidden"
    case .indexRoot: "index-root"
    case .logBegin: "log-begin"
    case .logEnd: "log-end"
    case .proof: "proof"
    case .proofPart: "proof-part"
    case .verdict: "verdict"
    case .withdrawal: "withdrawal"
    case .other(let type): type
    }
  }

  /// The log that the statement is meant for; nil where a kind does not say.
  ///
  /// A proof without a commitment names no log; a commitment may be kept where it is of no use.
  var boundOrigin: String? {
    switch self {
    case .anchor(let statement): statement.logOrigin
    case .challenge(let statement): statement.logOrigin
    case .hidden(let statement): statement.logOrigin
    case .indexRoot(let statement): statement.logOrigin
    case .logBegin(let statement): statement.logOrigin
    case .logEnd(let statement): statement.logOrigin
    case .proofPart(let statement): statement.logOrigin
    case .verdict(let statement): statement.logOrigin
    case .withdrawal(let statement): statement.logOrigin
    case .commitment, .proof, .other: nil
    }
  }
}
