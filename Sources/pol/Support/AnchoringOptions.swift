import ArgumentParser
import Cryptography
import MerkleTrees
import ProofArchive
import ProofPrimitives
import ProofRecording
import TransparencyLedger

/// Whether a run's chain is anchored on its ledger while it trains.
struct AnchoringOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Log the chain's head on --ledger after so many checkpoints (20), or so much time (10m).",
      valueName: "n-or-time"))
  var anchorEvery: String?

  func validate() throws {
    if let anchorEvery, AnchorInterval(anchorEvery) == nil {
      throw ValidationError(
        "--anchor-every is a number of checkpoints such as 20, or a time such as 30s, 10m or 2h")
    }
  }

  /// Nil where nothing is to be anchored.
  ///
  /// - Throws: Where it cannot be, whatever the ledger says: without its place, a key or a commitment.
  func anchoring(
    of run: RecordedRun, ledger: String?, key: SigningKey?, trust: LedgerTrust
  ) throws(RecordingError) -> Anchoring? {
    guard let interval = anchorEvery.flatMap({ AnchorInterval($0) }) else { return nil }
    func refusal(_ message: String, _ remedy: String) -> RecordingError {
      RecordingError(.anchor, at: "--anchor-every", message, remedy: remedy)
    }
    guard let ledger, let key, key.verifyingKey == run.writer.opening.proverKey else {
      throw refusal("anchors are signed with the run's own key", "give --ledger, and it with --key")
    }
    guard let commitment = run.writer.opening.commitment else {
      throw refusal(
        "the run has no commitment on a ledger, which an anchor names",
        "begin a run with --ledger, or leave --anchor-every out")
    }
    let archiveID = run.writer.opening.archiveID
    return Anchoring(
      every: interval,
      by: AnchorLogger { point throws(RecordingError) in
        try logAnchor(
          of: point, archiveID: archiveID, commitment: commitment, key: key, ledger: ledger,
          trust: trust)
      })
  }
}

/// Logs one chain head and returns its entry's index. The same head again is the same entry.
///
/// The log is opened for each: in a folder, others may write between two anchors.
private func logAnchor(
  of point: ChainPoint, archiveID: Digest, commitment: OpeningRecord.Commitment, key: SigningKey,
  ledger path: String, trust: LedgerTrust
) throws(RecordingError) -> UInt64 {
  do throws(LedgerError) {
    let ledger = try LedgerWriter(path, trust)
    guard ledger.origin.utf8.elementsEqual(commitment.logOrigin.utf8) else {
      throw LedgerError(
        .wrongOrigin, "the run's commitment is on \(printable(commitment.logOrigin))",
        remedy: "give that ledger", path: printable(path))
    }
    let statement = AnchorStatement(
      archiveID: archiveID, chainHead: point.chainHead, commitment: commitment.leafHash,
      logOrigin: ledger.origin, proverKey: Digest(key.verifyingKey.rawBytes) ?? .zero,
      recordCount: point.recordCount, step: point.step)
    return try ledger.add(try LedgerEntry.signed(statement.encoded, by: key)).index.value
  } catch {
    throw RecordingError(
      .anchor, at: error.path ?? printable(path), error.message, remedy: error.remedy)
  }
}

/// What a command says of anchors while and after it trains.
struct AnchorNews {
  private let anchoring: Anchoring?
  private let run: RecordedRun
  private let output: Output
  /// Seconds that the end of a training waits for the anchor that is under way.
  private static let lastSeconds = 10.0
  /// As many as a person reads.
  static let shown = 8

  init(_ anchoring: Anchoring?, _ run: RecordedRun, _ output: Output) {
    self.anchoring = anchoring
    self.run = run
    self.output = output
  }

  /// Tells of a failure once for each row of them, and notes in the journal what stands in the log.
  func tell(after line: () -> Void = {}) {
    guard let news = anchoring?.logger.takeNews() else { return }
    for logged in news.logged { run.note(logged) }
    guard let failure = news.failure else { return }
    line()
    output.talk("warning: the chain is not anchored: \(failure.place): \(failure.message)")
    output.hint("the training goes on, and the ledger is tried again; \(failure.remedy)")
  }

  /// The end of the training: what still waits gets one more attempt.
  func end(isInterrupted: Bool) {
    guard let logger = anchoring?.logger else { return }
    let lost = logger.finish(within: isInterrupted ? 2 : AnchorNews.lastSeconds)
    tell()
    if let lost {
      output.talk("warning: the chain at step \(lost.step) is not anchored")
    }
  }
}
