import MerkleTrees
import TransparencyLedger

/// Entries that have their places under a signed head, and whoever waits to hear that it is published.
struct StagedBatch: Sendable {
  let batch: LocalLedger.Batch
  /// One for each index of the batch, the oldest first.
  let submissions: [Sequencer.Submission]

  /// What of a batch the published head covers.
  struct Covered: Sendable {
    let submissions: [Sequencer.Submission]
    let receipts: [LedgerReceipt]
    /// Nil when nothing is left.
    let rest: StagedBatch?

    func answer() {
      for (submission, receipt) in zip(submissions, receipts) {
        submission.continuation.resume(returning: .success(receipt))
      }
    }
  }

  func covered(by ledger: LocalLedger) throws(LedgerError) -> Covered {
    let (covered, rest) = batch.split(at: ledger.published.size)
    return Covered(
      submissions: covered.map { submissions[$0] },
      receipts: covered.isEmpty ? [] : try ledger.receipts(batch.only(covered)),
      rest: rest.isEmpty
        ? nil : StagedBatch(batch: batch.only(rest), submissions: rest.map { submissions[$0] }))
  }

  /// Says that the witnesses did not sign in time.
  func fail() {
    for submission in submissions {
      submission.continuation.resume(returning: .failure(.quorumMissing))
    }
  }
}

extension Sequencer {
  /// Gives a batch its places under a signed head. The answers come from the round that publishes it.
  func stage(_ submissions: [Submission], _ rounds: CosigningRounds) {
    let staged = use { ledger throws(LedgerError) in
      let entries = submissions.map(\.entry)
      let refusals = try ledger.refusals(of: entries)
      let taken = refusals.indices.filter { refusals[$0] == nil }
      let batch = StagedBatch(
        batch: try ledger.stage(taken.map { entries[$0] }, areAdmitted: true),
        submissions: taken.map { submissions[$0] })
      // What was published before needs no witness.
      return (refusals, try batch.covered(by: ledger))
    }
    guard let (refusals, found) = staged else {
      for submission in submissions {
        submission.continuation.resume(returning: .failure(.writerStopped))
      }
      return
    }
    for (submission, refusal) in zip(submissions, refusals) {
      if let refusal {
        submission.continuation.resume(returning: .failure(ServiceProblem(refusing: refusal)))
      }
    }
    found.answer()
    if let rest = found.rest { rounds.add(rest, of: self) }
  }
}
