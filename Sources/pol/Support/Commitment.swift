import Cryptography
import ProofArchive
import ProofPrimitives
import ProofRecording
import ProofVerification
import TransparencyLedger

/// Logs a run's commitment and says what record 0 has to say of it.
func logCommitment(
  _ request: CommitmentRequest, key: SigningKey, ledger path: String, trust: LedgerTrust
) throws(RecordingError) -> OpeningRecord.Commitment {
  do throws(LedgerError) {
    let ledger = try LedgerWriter(path, trust)
    let statement = CommitmentStatement(
      datasetRoot: request.datasetRoot, logOrigin: ledger.origin,
      policyDigest: request.policyDigest,
      proverKey: Digest(request.proverKey.rawBytes) ?? .zero,
      runSecretDigest: request.runSecretDigest, settingsDigest: request.settingsDigest)
    let entry = try LedgerEntry.signed(statement.encoded, by: key)
    let answer = try ledger.add(entry)
    return try Publication.opening(entry: entry, at: answer.index, in: answer.view)
  } catch {
    throw RecordingError(
      .commitment, at: error.path ?? printable(path), error.message, remedy: error.remedy)
  }
}
