internal import ProofArchive

/// Steps that are reported and not yet durable: consecutive ones, up to the last reported.
package struct KeptSteps {
  /// 64 MiB: of batches of a hundred indices, 130,000 steps.
  package static let standardLimit = 64 << 20

  /// Number of the first step that is kept.
  private(set) var start: Int
  private var items: ArraySlice<CheckpointRecord.Step> = []
  private var byteCount = 0
  private let byteLimit: Int

  /// - Parameter step: Steps done before the first that comes.
  init(after step: Int, byteLimit: Int) {
    start = step
    self.byteLimit = byteLimit
  }

  /// Steps done after the last one that is kept.
  var end: Int { start + items.count }
  /// Whether it is time to make room by a sync.
  var isLarge: Bool { byteCount > byteLimit / 2 }

  /// Of a step with its array in memory.
  private static func byteCount(_ step: CheckpointRecord.Step) -> Int {
    64 + step.batch.count * 4
  }

  mutating func append(_ step: CheckpointRecord.Step) {
    items.append(step)
    byteCount += KeptSteps.byteCount(step)
  }

  /// Those after the first `step` steps of the run that are kept.
  func steps(after step: Int) -> [CheckpointRecord.Step] {
    Array(items.dropFirst(max(0, step - start)))
  }

  /// Drops what comes before the first `step` steps of the run.
  mutating func drop(to step: Int) {
    let count = min(items.count, max(0, step - start))
    byteCount -= items.prefix(count).reduce(0) { $0 + KeptSteps.byteCount($1) }
    // A new array: a slice would keep what was dropped.
    items = ArraySlice(Array(items.dropFirst(count)))
    start += count
  }

  /// Drops the oldest until the rest is within the limit; half of it, so that this is seldom done.
  mutating func trim() {
    guard byteCount > byteLimit else { return }
    var count = 0
    var rest = byteCount
    for step in items {
      guard rest > byteLimit / 2 else { break }
      rest -= KeptSteps.byteCount(step)
      count += 1
    }
    drop(to: start + count)
  }
}
