package import ProofArchive

/// What a training loop asks of a trainer that runs in this process.
package protocol RecordableTrainer {
  /// The whole state after the steps done so far.
  func state() throws(RecordingError) -> TrainingState
  /// Does one step, counted from 0, and says what it used.
  func step(_ number: Int) throws(RecordingError) -> CheckpointRecord.Step
}

/// Trains and records until the run is complete or somebody wants it to stop.
package enum TrainingRun {
  package struct Outcome: Equatable, Sendable {
    /// Steps that a resumed run need not do again.
    package let durableStep: Int
    package let isComplete: Bool
  }

  /// - Parameters:
  ///   - shouldStop: Asked before every step. Steps after the last checkpoint are then done again by
  ///     the resumed run, with the same result.
  ///   - troubled: Told of each checkpoint that is missed, and then nil when one is recorded again.
  ///   - retry: Asked before the last checkpoint is tried again, with how often it has failed. It waits
  ///     for the store to recover, or says no; then the run fails, and what is durable stays.
  ///   - progress: Told the steps done and the last step, after each.
  package static func run(
    _ trainer: some RecordableTrainer, into recorder: Recorder,
    shouldStop: () -> Bool = { false },
    troubled: (RecordingTrouble?) -> Void = { _ in },
    retry: (Int) -> Bool = { _ in false },
    progress: (Int, CheckpointRecord.Step) -> Void = { _, _ in }
  ) throws(RecordingError) -> Outcome {
    // Before the first step, the state it starts from.
    if recorder.isCheckpointDue { try recorder.checkpoint(try trainer.state()) }
    while let next = recorder.nextCheckpoint, recorder.step < next, !shouldStop() {
      let step = try trainer.step(recorder.step)
      try recorder.add(step)
      if recorder.isCheckpointDue { try checkpoint(trainer, recorder, troubled) }
      progress(recorder.step, step)
    }
    try flush(recorder, troubled)
    var failures = 0
    while recorder.isCheckpointDue {
      failures += 1
      guard retry(failures) else { break }
      try checkpoint(trainer, recorder, troubled)
      try flush(recorder, troubled)
    }
    // What is durable was recorded; the rest is for a run that resumes.
    if let trouble = recorder.trouble, !shouldStop() { throw trouble.error }
    return Outcome(
      durableStep: recorder.durableStep ?? 0, isComplete: recorder.nextCheckpoint == nil)
  }

  private static func checkpoint(
    _ trainer: some RecordableTrainer, _ recorder: Recorder,
    _ troubled: (RecordingTrouble?) -> Void
  ) throws(RecordingError) {
    let wasTroubled = recorder.trouble != nil
    try recorder.checkpoint(try trainer.state())
    if wasTroubled || recorder.trouble != nil { troubled(recorder.trouble) }
  }

  private static func flush(
    _ recorder: Recorder, _ troubled: (RecordingTrouble?) -> Void
  ) throws(RecordingError) {
    let wasTroubled = recorder.trouble != nil
    try recorder.flush()
    if !wasTroubled, recorder.trouble != nil { troubled(recorder.trouble) }
  }
}
