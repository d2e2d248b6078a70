/// Where checkpoints stand: a fixed function of the step, short segments first if at all.
package struct CheckpointSchedule: Equatable, Sendable {
  package struct Phase: Equatable, Sendable {
    /// First step, counted in steps done.
    package let from: Int
    /// Steps a segment.
    package let every: Int

    package init(from: Int, every: Int) {
      self.from = from
      self.every = every
    }
  }

  package let phases: [Phase]
  /// More phases than any schedule that a person wrote.
  private static let phaseLimit = 16
  /// Steps a segment: with it, sums of a step and a segment stay far from overflow.
  private static let everyLimit = 1 << 30

  package init(every: Int) { phases = [Phase(from: 0, every: max(1, every))] }

  /// Nil unless the phases start at 0, rise, and each `every` is 1 to 2^30 and not below the one before.
  package init?(_ phases: [Phase]) {
    guard phases.first?.from == 0, phases.count <= CheckpointSchedule.phaseLimit,
      phases.allSatisfy({ $0.every >= 1 && $0.every <= CheckpointSchedule.everyLimit }),
      zip(phases, phases.dropFirst()).allSatisfy({ $0.from < $1.from && $0.every <= $1.every })
    else { return nil }
    self.phases = phases
  }

  /// The step of the checkpoint after the one at `step`, in a run of `total` steps.
  package func next(after step: Int, total: Int) -> Int {
    let position = phases.lastIndex { $0.from <= step } ?? 0
    let phaseEnd = position + 1 < phases.count ? phases[position + 1].from : Int.max
    return min(step + phases[position].every, phaseEnd, total)
  }

  /// How many checkpoints are due after `step`, up to and with `end`.
  ///
  /// - Complexity: O(their number).
  package func count(after step: Int, to end: Int, total: Int) -> Int {
    var count = 0
    var at = step
    while at < end {
      at = next(after: at, total: total)
      count += 1
    }
    return count
  }

  /// Whether a checkpoint is due at `end` when the last one stands at `start`, also when others between
  /// them are missing.
  package func reaches(_ end: Int, from start: Int, total: Int) -> Bool {
    guard end > start, end <= total else { return false }
    if end == total { return true }
    var start = start
    for (position, phase) in phases.enumerated() {
      let phaseEnd = position + 1 < phases.count ? phases[position + 1].from : Int.max
      guard start < phaseEnd else { continue }
      if end < phaseEnd { return (end - start) % phase.every == 0 }
      if end == phaseEnd { return true }
      start = phaseEnd
    }
    return false
  }

  /// The longest segment that may start at `step`.
  package func longest(at step: Int) -> Int {
    phases.last { $0.from <= step }?.every ?? 1
  }
}
