/// How long the writer lets entries come before it takes the next batch, where few write.
///
/// A batch costs much that does not grow with its entries: a dozen syncs, and the last bundle written and
/// read back. Whoever waits for an answer sends the next entry right after it, so a batch that is taken at
/// once splits a few writers into two halves that take turns, and each sync serves half of them. Therefore
/// the writer pauses
///
/// - until as many have come as there were writers: those of the last batch, and who waited beside it;
/// - or nothing came during one pause, an eighth of what the last batch took;
/// - or that has lasted as long as the last batch took.
///
/// One writer alone never waits: there was nobody beside it. Nor do many: the processors prepare their entries
/// while a batch is published, and would stand still while it is waited for.
struct BatchGathering {
  /// Seconds. Below, waking costs more than it finds; above, others wait for nothing.
  private static let pauses = 0.000_25...0.008

  /// Above, half of the writers already share a batch's cost well.
  private static let writerLimit = 32

  private var writers = 0
  private var lastCount = 0
  private var pause = 0.0
  private var deadline = 0.0

  /// - Parameters:
  ///   - writers: Who was answered, or still waits.
  ///   - waiting: Who still waits.
  ///   - cost: Seconds that the last batch took.
  ///   - now: Seconds.
  mutating func begin(writers: Int, waiting: Int, cost: Double, now: Double) {
    self.writers = writers <= BatchGathering.writerLimit ? writers : 0
    lastCount = waiting
    pause = min(max(cost / 8, BatchGathering.pauses.lowerBound), BatchGathering.pauses.upperBound)
    deadline = now + cost
    hasPaused = false
  }

  /// - Parameter waiting: Who waits by now; nil when nobody else may come.
  /// - Returns: Seconds to wait before asking again; nil when the batch is to be taken.
  mutating func pause(now: Double, waiting: Int?) -> Double? {
    guard writers > 1, let waiting, waiting < writers, now < deadline else { return nil }
    guard !hasPaused || waiting > lastCount else { return nil }
    (hasPaused, lastCount) = (true, waiting)
    return pause
  }

  private var hasPaused = false
}
