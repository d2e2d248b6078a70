import Cryptography
import Glibc
import ProofArchive
import ProofPrimitives
import ProofRecording
import ProofVerification
import TransparencyLedger

/// Logs a run's commitment and says what record 0 has to say of it.
func logCommitment(
  _ request: CommitmentRequest, key: SigningKey, ledger path: String
) throws(RecordingError) -> OpeningRecord.Commitment {
  do throws(LedgerError) {
    let ledger = try openLocalLedger(path)
    ledger.admission = .statements
    let statement = CommitmentStatement(
      datasetRoot: request.datasetRoot, logOrigin: ledger.origin,
      policyDigest: request.policyDigest,
      proverKey: Digest(request.proverKey.rawBytes) ?? .zero,
      runSecretDigest: request.runSecretDigest, settingsDigest: request.settingsDigest)
    let entry = try LedgerEntry.signed(statement.encoded, by: key)
    guard let receipt = try ledger.append([entry]).first else {
      throw LedgerError(.database, "the log gave no answer", remedy: "try again", path: path)
    }
    return try Publication.opening(entry: entry, at: receipt.index, in: try ledger.view())
  } catch {
    throw RecordingError(
      .commitment, at: error.path ?? printable(path), error.message, remedy: error.remedy)
  }
}

/// Opens a ledger to append to it, with a message that fits a path that is none.
func openLocalLedger(_ path: String) throws(LedgerError) -> LocalLedger {
  let isRemote = path.hasPrefix("http://") || path.hasPrefix("https://")
  guard !isRemote, access("\(path)/checkpoint", F_OK) == 0 || access("\(path).private", F_OK) == 0
  else {
    throw LedgerError(
      .notALedger,
      isRemote ? "a ledger is written in its folder, not at its URL" : "no ledger is here",
      remedy: isRemote ? "name the folder" : "make one with `pol ledger init`, or check the path",
      path: printable(path))
  }
  return try LocalLedger.open(at: path)
}
