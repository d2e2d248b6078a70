package import ProofPrimitives

/// Tensor digests that found no room in a proof's own statement (`spec/statements.md` §7).
package struct ProofPartStatement: OpenableStatement, Hashable, Sendable {
  package static let predicateType = "https://pol.dev/proof-part/v1"
  /// 46 KiB of envelope, below an entry's limit with room for the texts.
  package static let tensorLimit = 512

  package let logOrigin: String
  package var opening: StatementOpening?
  /// Leaf hash of the proof's entry.
  package let proof: Digest
  /// The prover's 32 raw Ed25519 bytes, as a number of that width; not a hash.
  package let proverKey: Digest
  /// In rising order; at least one.
  package let tensors: [Digest]

  package init(
    logOrigin: String, proof: Digest, proverKey: Digest, tensors: [Digest],
    opening: StatementOpening? = nil
  ) {
    self.logOrigin = logOrigin
    self.opening = opening
    self.proof = proof
    self.proverKey = proverKey
    self.tensors = tensors
  }

  package var encoded: [UInt8] {
    StatementFields.statement(
      type: ProofPartStatement.predicateType, subject: "proof", proof,
      predicate: [
        ("logOrigin", .string(logOrigin)),
        ("proof", .string(proof.hex)),
        ("proverKey", .string(proverKey.hex)),
        ("tensors", .digests(tensors)),
      ] + StatementOpening.members(opening)
    ).encoded
  }

  init(_ statement: StatementFields) throws(LedgerError) {
    let predicate = try StatementFields.predicate(
      of: statement, keys: ["logOrigin", "proof", "proverKey", "tensors"],
      optional: [StatementOpening.member], subject: "proof", is: "proof")
    logOrigin = try predicate.text("logOrigin")
    opening = try StatementOpening(in: predicate)
    proof = try predicate.digest("proof")
    proverKey = try predicate.digest("proverKey")
    tensors = try predicate.risingDigests("tensors", limit: ProofPartStatement.tensorLimit)
    guard !tensors.isEmpty else { throw StatementFields.bad("predicate.tensors is empty") }
  }
}
