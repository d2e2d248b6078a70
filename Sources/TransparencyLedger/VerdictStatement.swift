package import ProofPrimitives

/// What a verifier found, failures too (`spec/statements.md` §9).
package struct VerdictStatement: Hashable, Sendable {
  package static let predicateType = "https://pol.dev/verdict/v1"
  /// Names of checks' errors are single words.
  package static let reasonByteLimit = 64

  package enum Answer: String, CaseIterable, Sendable {
    case refuted, undecided, verified
  }

  package let answer: Answer
  /// Leaf hash of the challenge's entry, by the same key; zero for a private draw.
  package let challenge: Digest
  /// Segments that were executed again, of `segmentCount`.
  package let executedCount: Int
  package let logOrigin: String
  /// What the draw was made from.
  package let nonce: Digest
  /// Digest of the verifier's own policy.
  package let policyDigest: Digest
  /// Leaf hash of the proof's entry.
  package let proof: Digest
  /// The verifier's 32 raw Ed25519 bytes: every statement names its signer so.
  package let proverKey: Digest
  /// The decisive check's error name; empty when verified.
  package let reason: String
  /// SHA-256 of the report, wherever that is kept; zero where there is none.
  package let reportDigest: Digest
  package let segmentCount: Int

  package init(
    answer: Answer, challenge: Digest, executedCount: Int, logOrigin: String, nonce: Digest,
    policyDigest: Digest, proof: Digest, proverKey: Digest, reason: String, reportDigest: Digest,
    segmentCount: Int
  ) {
    self.answer = answer
    self.challenge = challenge
    self.executedCount = executedCount
    self.logOrigin = logOrigin
    self.nonce = nonce
    self.policyDigest = policyDigest
    self.proof = proof
    self.proverKey = proverKey
    self.reason = reason
    self.reportDigest = reportDigest
    self.segmentCount = segmentCount
  }

  package var encoded: [UInt8] {
    StatementFields.statement(
      type: VerdictStatement.predicateType, subject: "proof", proof,
      predicate: [
        ("answer", .string(answer.rawValue)),
        ("challenge", .string(challenge.hex)),
        ("executedCount", .int(executedCount)),
        ("logOrigin", .string(logOrigin)),
        ("nonce", .string(nonce.hex)),
        ("policyDigest", .string(policyDigest.hex)),
        ("proof", .string(proof.hex)),
        ("proverKey", .string(proverKey.hex)),
        ("reason", .string(reason)),
        ("reportDigest", .string(reportDigest.hex)),
        ("segmentCount", .int(segmentCount)),
      ]
    ).encoded
  }

  init(_ statement: StatementFields) throws(LedgerError) {
    let predicate = try StatementFields.predicate(
      of: statement,
      keys: [
        "answer", "challenge", "executedCount", "logOrigin", "nonce", "policyDigest", "proof",
        "proverKey", "reason", "reportDigest", "segmentCount",
      ], subject: "proof", is: "proof")
    guard let answer = predicate.value("answer")?.stringValue.flatMap(Answer.init(rawValue:)) else {
      throw StatementFields.bad("predicate.answer is not refuted, undecided or verified")
    }
    self.answer = answer
    challenge = try predicate.digest("challenge")
    executedCount = try predicate.count("executedCount")
    logOrigin = try predicate.text("logOrigin")
    nonce = try predicate.digest("nonce")
    policyDigest = try predicate.digest("policyDigest")
    proof = try predicate.digest("proof")
    proverKey = try predicate.digest("proverKey")
    reason = try predicate.text("reason", limit: VerdictStatement.reasonByteLimit)
    reportDigest = try predicate.digest("reportDigest")
    segmentCount = try predicate.count("segmentCount")
    guard executedCount <= segmentCount else {
      throw StatementFields.bad("predicate.executedCount is above predicate.segmentCount")
    }
    guard reason.isEmpty == (answer == .verified) else {
      throw StatementFields.bad("predicate.reason is not empty exactly where answer is verified")
    }
  }
}
