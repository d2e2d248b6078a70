package import ProofArchive
internal import ProofPrimitives

/// Turns a trainer's events into an archive: every step as it happens, the state where the committed
/// schedule wants a checkpoint.
///
/// What was recorded is durable once `durableStep` has reached it. Syncs are grouped, because each
/// costs the disk two flushes: one comes after every `syncInterval` checkpoints, and on `flush`.
package final class Recorder {
  package let writer: ArchiveWriter
  private let schedule: CheckpointSchedule
  private let totalSteps: Int
  private let syncInterval: Int
  private var steps: [CheckpointRecord.Step] = []
  private var unsynced = 0

  /// - Parameters:
  ///   - totalSteps: Steps of the whole run, from the settings; the last one ends the last segment.
  ///   - syncInterval: Checkpoints between syncs; a crash loses at most these.
  package init(
    _ writer: ArchiveWriter, schedule: CheckpointSchedule, totalSteps: Int, syncInterval: Int = 64
  ) {
    self.writer = writer
    self.schedule = schedule
    self.totalSteps = totalSteps
    self.syncInterval = max(1, syncInterval)
  }

  /// Steps reported so far, recorded or not.
  package var step: Int { writer.lastStep + steps.count }
  package var durableStep: Int? { writer.durableStep }
  /// The step at which the next checkpoint is due; nil when the run is whole.
  package var nextCheckpoint: Int? {
    guard writer.hasCheckpoint else { return 0 }
    return writer.lastStep == totalSteps
      ? nil : schedule.next(after: writer.lastStep, total: totalSteps)
  }
  package var isCheckpointDue: Bool { nextCheckpoint == step }

  /// Reports one training step, after it was done.
  package func add(_ step: CheckpointRecord.Step) throws(RecordingError) {
    guard let next = nextCheckpoint, self.step < next else {
      throw RecordingError(
        .badEvent, "step \(self.step) comes where a checkpoint is due or after the last step",
        remedy: "report a checkpoint at the steps that the policy's schedule names")
    }
    steps.append(step)
  }

  /// Reports the state after the last reported step.
  package func checkpoint(_ state: TrainingState) throws(RecordingError) {
    guard isCheckpointDue else {
      throw RecordingError(
        .badEvent,
        "a checkpoint at step \(step) is not in the committed schedule (next: \(nextCheckpoint ?? totalSteps))",
        remedy: "report checkpoints at the steps that the policy's schedule names")
    }
    try archiving { () throws(ArchiveError) in try writer.append(state, steps: steps) }
    steps = []
    unsynced += 1
    if unsynced >= syncInterval { try flush() }
  }

  /// Returns when every checkpoint so far survives a power cut.
  package func flush() throws(RecordingError) {
    try archiving { () throws(ArchiveError) in try writer.sync() }
    unsynced = 0
  }
}
