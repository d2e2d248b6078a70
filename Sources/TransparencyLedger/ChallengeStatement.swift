internal import Cryptography
package import ProofPrimitives

/// A verifier's promise, before he draws, of the nonce that he will draw with (`spec/statements.md` §8).
package struct ChallengeStatement: Hashable, Sendable {
  package static let predicateType = "https://pol.dev/challenge/v1"

  package let logOrigin: String
  package let nonceDigest: Digest
  /// Leaf hash of the proof's entry.
  package let proof: Digest
  /// The verifier's 32 raw Ed25519 bytes: every statement names its signer so.
  package let proverKey: Digest

  package init(logOrigin: String, nonceDigest: Digest, proof: Digest, proverKey: Digest) {
    self.logOrigin = logOrigin
    self.nonceDigest = nonceDigest
    self.proof = proof
    self.proverKey = proverKey
  }

  /// SHA-256(tag || key || leaf hash of the proof || nonce): hides the nonce and fixes it, for this
  /// verifier and this proof.
  package static func nonceDigest(key: Digest, proof: Digest, nonce: Digest) -> Digest {
    SHA256.hash(.challenge, key.bytes, proof.bytes, nonce.bytes)
  }

  package var encoded: [UInt8] {
    StatementFields.statement(
      type: ChallengeStatement.predicateType, subject: "proof", proof,
      predicate: [
        ("logOrigin", .string(logOrigin)),
        ("nonceDigest", .string(nonceDigest.hex)),
        ("proof", .string(proof.hex)),
        ("proverKey", .string(proverKey.hex)),
      ]
    ).encoded
  }

  init(_ statement: StatementFields) throws(LedgerError) {
    let predicate = try StatementFields.predicate(
      of: statement, keys: ["logOrigin", "nonceDigest", "proof", "proverKey"], subject: "proof",
      is: "proof")
    logOrigin = try predicate.text("logOrigin")
    nonceDigest = try predicate.digest("nonceDigest")
    proof = try predicate.digest("proof")
    proverKey = try predicate.digest("proverKey")
  }
}
