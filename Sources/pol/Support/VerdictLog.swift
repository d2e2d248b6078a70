import Cryptography
import MerkleTrees
import ProofPrimitives
import ProofVerification
import TransparencyLedger

/// Logs what this verifier found (`spec/statements.md` §9).
struct VerdictLog {
  private let ledger: String
  private let key: SigningKey
  private let trust: LedgerTrust

  init(_ ledger: String, key path: String, _ trust: LedgerTrust) throws {
    self.ledger = ledger
    self.trust = trust
    key = try loadSigningKey(path)
  }

  /// - Parameter report: Digest of the report, wherever that is kept; zero where there is none.
  /// - Returns: The entry's index.
  func log(_ verdict: Verdict, report: Digest) throws -> LeafIndex {
    guard let proof = verdict.proofEntry else {
      throw CommandFailure(
        code: "notPublished", place: printable(ledger),
        message: "the verdict is not logged: no proof of this archive was found on the ledger",
        remedy: "give the ledger that it was published on")
    }
    let coverage = verdict.coverage
    // A draw by another's challenge is no answer to it: who challenged has to answer himself.
    let challenge = coverage.publicDraw.flatMap {
      $0.keyID == key.verifyingKey.keyID ? $0.challenge : nil
    }
    let log = try LedgerWriter(ledger, trust)
    let statement = VerdictStatement(
      answer: VerdictLog.answer(verdict.answer), challenge: challenge ?? .zero,
      executedCount: coverage.executedSegments.count, logOrigin: log.origin,
      nonce: Digest(coverage.nonce) ?? .zero, policyDigest: verdict.policyDigest, proof: proof,
      proverKey: Digest(key.verifyingKey.rawBytes) ?? .zero,
      reason: verdict.answer == .verified ? "" : verdict.decisive?.code ?? "unknown",
      reportDigest: report, segmentCount: coverage.segments)
    return try log.add(try LedgerEntry.signed(statement.encoded, by: key)).index
  }

  private static func answer(_ answer: Answer) -> VerdictStatement.Answer {
    switch answer {
    case .verified: .verified
    case .refuted: .refuted
    case .undecided: .undecided
    }
  }
}
