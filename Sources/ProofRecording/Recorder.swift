internal import ChunkStorage
package import ProofArchive
internal import ProofPrimitives

/// Turns a trainer's events into an archive: every step as it happens, the state where the committed
/// schedule wants a checkpoint.
///
/// What was recorded is durable once `durableStep` has reached it. Syncs are grouped, because each
/// costs the disk two flushes: one comes after the first checkpoint, after every `syncInterval` more,
/// and on `flush`.
///
/// A store that fails does not stop the training (`spec/recorder.md` §4.1): the checkpoint is missed,
/// `trouble` says so, the steps are kept, and the next due checkpoint is tried again. The first that
/// succeeds is recorded after a gap. The state before the first step is the exception: without it
/// nothing can be proved, and nothing is lost by failing then.
package final class Recorder {
  package let writer: ArchiveWriter
  /// What is wrong with the store; nil while recording works.
  package private(set) var trouble: RecordingTrouble?

  private let schedule: CheckpointSchedule
  private let totalSteps: Int
  private let syncInterval: Int
  private let isStrict: Bool
  /// Steps after the last durable checkpoint, without those that were too many to keep.
  private var kept: KeptSteps
  /// Where the last checkpoint was recorded or missed.
  private var lastDue: Int
  /// Checkpoints that the schedule wanted since the last one that is recorded.
  private var missed = 0
  /// The writer's last step when that was counted.
  private var recordedStep: Int
  private var unsynced = 0
  private let anchoring: Anchoring?
  /// Checkpoints since the last anchor; nil before the first.
  private var unanchored: Int?
  private var anchoredAt = ContinuousClock.now

  /// - Parameters:
  ///   - totalSteps: Steps of the whole run, from the settings; the last one ends the last segment.
  ///   - syncInterval: Checkpoints between syncs; a crash loses at most these.
  ///   - isStrict: Whether a failing store is an error, after which only a resumed run goes on.
  ///   - memoryLimit: For steps that cannot be recorded; beyond it the oldest are lost.
  ///   - anchoring: Has the chain anchored while it grows; nil does not.
  package init(
    _ writer: ArchiveWriter, schedule: CheckpointSchedule, totalSteps: Int, syncInterval: Int = 64,
    isStrict: Bool = false, memoryLimit: Int = KeptSteps.standardLimit,
    anchoring: Anchoring? = nil
  ) {
    self.writer = writer
    self.schedule = schedule
    self.totalSteps = totalSteps
    self.syncInterval = max(1, syncInterval)
    self.isStrict = isStrict
    kept = KeptSteps(after: writer.lastStep, byteLimit: memoryLimit)
    lastDue = writer.lastStep
    recordedStep = writer.lastStep
    self.anchoring = anchoring
  }

  /// Steps reported so far, recorded or not.
  package var step: Int { kept.end }
  package var durableStep: Int? { writer.durableStep }
  /// The step at which the next checkpoint is due; nil when the run is whole.
  package var nextCheckpoint: Int? {
    guard writer.hasCheckpoint else { return 0 }
    if writer.lastStep == totalSteps { return nil }
    // A last checkpoint that failed is due until it is recorded: there is none after it.
    return lastDue == totalSteps ? totalSteps : schedule.next(after: lastDue, total: totalSteps)
  }
  package var isCheckpointDue: Bool { nextCheckpoint == step }

  /// Reports one training step, after it was done.
  package func add(_ step: CheckpointRecord.Step) throws(RecordingError) {
    guard let next = nextCheckpoint, self.step < next else {
      throw RecordingError(
        .badEvent, "step \(self.step) comes where a checkpoint is due or after the last step",
        remedy: "report a checkpoint at the steps that the policy's schedule names")
    }
    kept.append(step)
    guard trouble != nil else { return }
    kept.trim()
    tellLost()
  }

  /// Reports the state after the last reported step.
  package func checkpoint(_ state: TrainingState) throws(RecordingError) {
    guard isCheckpointDue else {
      throw RecordingError(
        .badEvent,
        "a checkpoint at step \(step) is not in the committed schedule (next: \(nextCheckpoint ?? totalSteps))",
        remedy: "report checkpoints at the steps that the policy's schedule names")
    }
    do throws(ArchiveError) {
      try append(state)
    } catch {
      try fail(error, misses: true)
      return
    }
    let isRecovered = trouble != nil
    (lastDue, recordedStep) = (step, step)
    missed = 0
    trouble = nil
    unsynced += 1
    unanchored = unanchored.map { $0 + 1 }
    // The first one at once: what has no start cannot go on after a failure.
    if unsynced >= syncInterval || writer.durableStep == nil || isRecovered || kept.isLarge
      || isAnchorDue
    {
      try flush()
    }
  }

  private func append(_ state: TrainingState) throws(ArchiveError) {
    if !isStrict { try writer.reopen() }
    while true {
      let steps = kept.steps(after: writer.lastStep)
      let lost = step - writer.lastStep - steps.count
      do throws(ArchiveError) {
        try writer.append(state, steps: steps, gap: gap(lost: lost))
        return
      } catch {
        // A gap's record that is too long for the format: fewer steps of it can be told.
        guard error.code == .limit, isGap, steps.count > 1 else { throw error }
        kept.drop(to: step - steps.count / 2)
      }
    }
  }

  /// Whether a checkpoint at `step` would not be the one that the schedule wants after the last record.
  private var isGap: Bool {
    writer.hasCheckpoint && schedule.next(after: writer.lastStep, total: totalSteps) != step
  }

  private func gap(lost: Int) -> CheckpointRecord.Gap? {
    guard isGap || lost > 0 else { return nil }
    return CheckpointRecord.Gap(lostSteps: lost, cause: trouble?.cause ?? "checkpoint not written")
  }

  /// Returns when every checkpoint so far survives a power cut, or `trouble` says why not.
  package func flush() throws(RecordingError) {
    guard writer.isOpen || isStrict else { return }
    do throws(ArchiveError) {
      try writer.sync()
      unsynced = 0
      kept.drop(to: writer.lastStep)
      anchor()
    } catch {
      try fail(error, misses: false)
    }
  }

  private var isAnchorDue: Bool {
    anchoring?.isDue(after: unanchored, anchoredAt.duration(to: .now)) ?? false
  }

  /// Has the head of the durable chain anchored where that is due.
  ///
  /// Called after a sync alone. What a sync has acknowledged is never cut off: not by a crash, whose torn tail
  /// comes after it, and not by a failure of the store, which falls back to it. So no anchor names a
  /// record that the archive does not keep.
  private func anchor() {
    guard let anchoring, isAnchorDue, let step = writer.durableStep, let head = writer.durableHead
    else { return }
    anchoring.logger.submit(
      ChainPoint(recordCount: head.recordCount, chainHead: head.hash, step: step))
    unanchored = 0
    anchoredAt = .now
  }

  /// Takes note of a failure of the store; an error that is the trainer's is thrown.
  ///
  /// - Parameter misses: Whether the checkpoint at `step` is missed by it.
  private func fail(_ error: ArchiveError, misses: Bool) throws(RecordingError) {
    let isStore = error.code != .malformed && error.code != .limit
    guard isStore || (trouble != nil && !writer.isOpen), !isStrict, writer.hasCheckpoint else {
      throw RecordingError(error)
    }
    // The last one may be tried more than once.
    if misses, lastDue != step {
      lastDue = step
      missed += 1
    }
    if writer.lastStep != recordedStep {
      // Checkpoints that were written and not yet durable are missed too.
      recordedStep = writer.lastStep
      missed = schedule.count(after: recordedStep, to: lastDue, total: totalSteps)
      unsynced = 0
    }
    kept.trim()
    trouble = RecordingTrouble(error, missedCheckpoints: missed)
    tellLost()
  }

  private func tellLost() {
    trouble?.lostSteps = max(0, kept.start - writer.lastStep)
  }
}
