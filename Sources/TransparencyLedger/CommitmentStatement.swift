package import ProofPrimitives

/// What a prover logs before training starts (`spec/statements.md` §4): it fixes the run without
/// showing anything of it.
package struct CommitmentStatement: Hashable, Sendable {
  package static let predicateType = "https://pol.dev/commitment/v1"

  package let datasetRoot: Digest
  /// The log this is meant for: the same bytes in another log are not this run's commitment.
  package let logOrigin: String
  package let policyDigest: Digest
  /// The prover's 32 raw Ed25519 bytes, as a number of that width; not a hash.
  package let proverKey: Digest
  /// SHA-256(tag "run-secret" || secret): hides the secret and fixes it.
  package let runSecretDigest: Digest
  package let settingsDigest: Digest

  package init(
    datasetRoot: Digest, logOrigin: String, policyDigest: Digest, proverKey: Digest,
    runSecretDigest: Digest, settingsDigest: Digest
  ) {
    self.datasetRoot = datasetRoot
    self.logOrigin = logOrigin
    self.policyDigest = policyDigest
    self.proverKey = proverKey
    self.runSecretDigest = runSecretDigest
    self.settingsDigest = settingsDigest
  }

  package var encoded: [UInt8] {
    StatementFields.statement(
      type: CommitmentStatement.predicateType, subject: "run", runSecretDigest,
      predicate: [
        ("datasetRoot", .string(datasetRoot.hex)),
        ("logOrigin", .string(logOrigin)),
        ("policyDigest", .string(policyDigest.hex)),
        ("proverKey", .string(proverKey.hex)),
        ("runSecretDigest", .string(runSecretDigest.hex)),
        ("settingsDigest", .string(settingsDigest.hex)),
      ]
    ).encoded
  }

  init(_ statement: StatementFields) throws(LedgerError) {
    let predicate = try StatementFields(
      statement.value("predicate"), "predicate",
      keys: [
        "datasetRoot", "logOrigin", "policyDigest", "proverKey", "runSecretDigest",
        "settingsDigest",
      ])
    datasetRoot = try predicate.digest("datasetRoot")
    logOrigin = try predicate.text("logOrigin", limit: LedgerStatement.textByteLimit)
    policyDigest = try predicate.digest("policyDigest")
    proverKey = try predicate.digest("proverKey")
    runSecretDigest = try predicate.digest("runSecretDigest")
    settingsDigest = try predicate.digest("settingsDigest")
    guard try statement.subject(named: "run") == runSecretDigest else {
      throw StatementFields.bad("the subject's digest is not runSecretDigest")
    }
  }
}
