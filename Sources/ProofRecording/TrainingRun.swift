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
  ///   - progress: Told the steps done and the last step, after each.
  package static func run(
    _ trainer: some RecordableTrainer, into recorder: Recorder,
    shouldStop: () -> Bool = { false },
    progress: (Int, CheckpointRecord.Step) -> Void = { _, _ in }
  ) throws(RecordingError) -> Outcome {
    // Before the first step, the state it starts from.
    if recorder.isCheckpointDue { try recorder.checkpoint(try trainer.state()) }
    while recorder.nextCheckpoint != nil, !shouldStop() {
      let step = try trainer.step(recorder.step)
      try recorder.add(step)
      if recorder.isCheckpointDue { try recorder.checkpoint(try trainer.state()) }
      progress(recorder.step, step)
    }
    try recorder.flush()
    return Outcome(
      durableStep: recorder.durableStep ?? 0, isComplete: recorder.nextCheckpoint == nil)
  }
}
