import ProofArchive
import ProofPrimitives
import ProofRecording
import Reexecution

/// The reference trainer over an archive's own settings, seed and data, as the recorder's loop wants it.
struct ReferenceRun: RecordableTrainer {
  let settings: RunSettings
  private let runSeed: Digest
  private let executor: ReferenceExecutor
  private let trainer: ReferenceTrainer
  private let points: PreparedPoints

  /// Starts from the archive's last checkpoint, or from the run seed when there is none.
  init(_ run: RecordedRun, threadCount: Int) throws {
    settings = try RunSettings(parsing: run.description.bytes)
    try settings.check(datasetCount: run.writer.dataset.count)
    runSeed = run.writer.opening.runSeed
    executor = ReferenceExecutor(settings: settings, threadCount: threadCount)
    points = try PreparedPoints(run.writer.dataset.points.map(\.point), settings: settings)
    if let state = try run.writer.lastState() {
      trainer = try ReferenceTrainer(settings: settings, state: state, threadCount: threadCount)
    } else {
      trainer = ReferenceTrainer(settings: settings, runSeed: runSeed, threadCount: threadCount)
    }
  }

  func state() throws(RecordingError) -> TrainingState {
    try training { () throws(ReexecutionError) in try trainer.state }
  }

  func step(_ number: Int) throws(RecordingError) -> CheckpointRecord.Step {
    try training { () throws(ReexecutionError) in
      let batch = try executor.batch(ofStep: number, runSeed: runSeed)
      let rate = executor.learningRate(ofStep: number)
      let loss = try trainer.step(batch: batch, learningRate: rate, points: points)
      return CheckpointRecord.Step(
        learningRate: rate.bitPattern, loss: loss.bitPattern, batch: batch)
    }
  }

  private func training<Value>(
    _ body: () throws(ReexecutionError) -> Value
  ) throws(RecordingError) -> Value {
    do throws(ReexecutionError) {
      return try body()
    } catch {
      throw RecordingError(.trainer, error.message, remedy: error.remedy)
    }
  }
}

/// Held-out points that the last recorded state puts in their class; nil when no points are held out.
func heldOutResult(
  _ run: RecordedRun, settings: RunSettings, threadCount: Int
) throws -> (correct: Int, count: Int)? {
  guard settings.heldOut.count > 0, let state = try run.writer.lastState() else { return nil }
  try settings.check(datasetCount: run.writer.dataset.count)
  let first = Int(settings.heldOut.first)
  let points = run.writer.dataset.points[first..<first + settings.heldOut.count].map(\.point)
  let correct = try ReferenceExecutor(settings: settings, threadCount: threadCount)
    .countCorrect(state: state, points: points)
  return (correct, points.count)
}
