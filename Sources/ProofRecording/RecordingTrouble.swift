internal import ChunkStorage
internal import ProofArchive
internal import ProofPrimitives

/// Why nothing can be recorded at present, while the training goes on (`spec/recorder.md` §4.1).
package struct RecordingTrouble: Sendable {
  package let error: RecordingError
  /// Checkpoints that were due and are not in the archive.
  package let missedCheckpoints: Int
  /// Steps that were too many to keep in memory.
  package internal(set) var lostSteps = 0

  private let underlying: ArchiveError

  init(_ error: ArchiveError, missedCheckpoints: Int) {
    self.error = RecordingError(error)
    underlying = error
    self.missedCheckpoints = missedCheckpoints
  }

  /// The archive error's code.
  package var code: String { underlying.code.description }

  package var message: String {
    underlying.place.isEmpty ? underlying.message : "\(underlying.place): \(underlying.message)"
  }

  /// What a gap's record says: no path of this machine, for the archive is published.
  var cause: String {
    var text = "checkpoint not written: \(printable(underlying.message))"
    while text.utf8.count > CheckpointRecord.Gap.causeLimit { text.removeLast() }
    return text
  }
}
