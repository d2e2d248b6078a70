package import ProofPrimitives

/// How far a run has come while it trains (`spec/statements.md` §5): the chain of its records up to now.
package struct AnchorStatement: Hashable, Sendable {
  package static let predicateType = "https://pol.dev/anchor/v1"

  package let archiveID: Digest
  /// Hash of the newest record, which chains to all before it.
  package let chainHead: Digest
  /// Leaf hash of the run's commitment, by the same key.
  package let commitment: Digest
  package let logOrigin: String
  /// The prover's 32 raw Ed25519 bytes, as a number of that width; not a hash.
  package let proverKey: Digest
  /// Records up to the chain head, record 0 included.
  package let recordCount: Int
  /// Training steps up to the chain head.
  package let step: Int

  package init(
    archiveID: Digest, chainHead: Digest, commitment: Digest, logOrigin: String,
    proverKey: Digest, recordCount: Int, step: Int
  ) {
    self.archiveID = archiveID
    self.chainHead = chainHead
    self.commitment = commitment
    self.logOrigin = logOrigin
    self.proverKey = proverKey
    self.recordCount = recordCount
    self.step = step
  }

  package var encoded: [UInt8] {
    StatementFields.statement(
      type: AnchorStatement.predicateType, subject: "chain", chainHead,
      predicate: [
        ("archiveID", .string(archiveID.hex)),
        ("chainHead", .string(chainHead.hex)),
        ("commitment", .string(commitment.hex)),
        ("logOrigin", .string(logOrigin)),
        ("proverKey", .string(proverKey.hex)),
        ("recordCount", .int(recordCount)),
        ("step", .int(step)),
      ]
    ).encoded
  }

  init(_ statement: StatementFields) throws(LedgerError) {
    let predicate = try StatementFields.predicate(
      of: statement,
      keys: [
        "archiveID", "chainHead", "commitment", "logOrigin", "proverKey", "recordCount", "step",
      ], subject: "chain", is: "chainHead")
    archiveID = try predicate.digest("archiveID")
    chainHead = try predicate.digest("chainHead")
    commitment = try predicate.digest("commitment")
    logOrigin = try predicate.text("logOrigin")
    proverKey = try predicate.digest("proverKey")
    recordCount = try predicate.count("recordCount")
    step = try predicate.count("step")
    guard recordCount > 0 else { throw StatementFields.bad("predicate.recordCount is 0") }
  }
}
