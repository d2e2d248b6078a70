internal import Cryptography
package import ProofPrimitives

/// The last word of a key: no later statement under it is its owner's (`spec/statements.md` §10).
package struct WithdrawalStatement: Hashable, Sendable {
  package static let predicateType = "https://pol.dev/withdrawal/v1"

  package enum Reason: String, CaseIterable, Sendable {
    /// Somebody else may have signed with it.
    case compromised
    /// It is not used any more.
    case retired
  }

  /// SHA-256 of the key's SubjectPublicKeyInfo, as envelopes name it.
  package let keyID: Digest
  package let logOrigin: String
  /// The withdrawn key's 32 raw Ed25519 bytes, as a number of that width; not a hash.
  package let proverKey: Digest
  package let reason: Reason

  package init(keyID: Digest, logOrigin: String, proverKey: Digest, reason: Reason) {
    self.keyID = keyID
    self.logOrigin = logOrigin
    self.proverKey = proverKey
    self.reason = reason
  }

  package var encoded: [UInt8] {
    StatementFields.statement(
      type: WithdrawalStatement.predicateType, subject: "key", keyID,
      predicate: [
        ("keyID", .string(keyID.hex)),
        ("logOrigin", .string(logOrigin)),
        ("proverKey", .string(proverKey.hex)),
        ("reason", .string(reason.rawValue)),
      ]
    ).encoded
  }

  init(_ statement: StatementFields, key: VerifyingKey) throws(LedgerError) {
    let predicate = try StatementFields.predicate(
      of: statement, keys: ["keyID", "logOrigin", "proverKey", "reason"], subject: "key",
      is: "keyID")
    keyID = try predicate.digest("keyID")
    guard keyID == key.keyID else {
      throw StatementFields.bad("predicate.keyID is not that of predicate.proverKey")
    }
    logOrigin = try predicate.text("logOrigin")
    proverKey = try predicate.digest("proverKey")
    guard let reason = predicate.value("reason")?.stringValue.flatMap(Reason.init(rawValue:)) else {
      throw StatementFields.bad("predicate.reason is neither compromised nor retired")
    }
    self.reason = reason
  }
}
