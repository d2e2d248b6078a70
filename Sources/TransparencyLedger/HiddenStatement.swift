package import ProofPrimitives

/// A hiding commitment to a statement that its key will log later (`spec/statements.md` §3).
///
/// It says that something was fixed, and not what: neither digest nor kind can be read from it.
package struct HiddenStatement: Hashable, Sendable {
  package static let predicateType = "https://pol.dev/hidden/v1"

  package let hidingDigest: Digest
  package let logOrigin: String
  /// The prover's 32 raw Ed25519 bytes, as a number of that width; not a hash.
  package let proverKey: Digest

  package init(hidingDigest: Digest, logOrigin: String, proverKey: Digest) {
    self.hidingDigest = hidingDigest
    self.logOrigin = logOrigin
    self.proverKey = proverKey
  }

  package var encoded: [UInt8] {
    StatementFields.statement(
      type: HiddenStatement.predicateType, subject: "hidden", hidingDigest,
      predicate: [
        ("hidingDigest", .string(hidingDigest.hex)),
        ("logOrigin", .string(logOrigin)),
        ("proverKey", .string(proverKey.hex)),
      ]
    ).encoded
  }

  init(_ statement: StatementFields) throws(LedgerError) {
    let predicate = try StatementFields.predicate(
      of: statement, keys: ["hidingDigest", "logOrigin", "proverKey"], subject: "hidden",
      is: "hidingDigest")
    hidingDigest = try predicate.digest("hidingDigest")
    logOrigin = try predicate.text("logOrigin")
    proverKey = try predicate.digest("proverKey")
  }
}
