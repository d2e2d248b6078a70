internal import ChunkStorage
internal import ProofPrimitives

/// How the chunks of one large tensor, or of one run of small ones, are stored: what was learned from
/// the checkpoints so far.
///
/// Deltas form a star: each is against the group's last key frame, so that reading a chunk never needs
/// more than two frames. A new key frame comes when a delta would cost as much as the average of
/// the period so far, which is where the average per checkpoint is smallest.
struct ChunkGroup {
  /// What the next checkpoint does with the group.
  enum Plan: Equatable, Sendable {
    /// Stored alone, and kept at hand for deltas against it.
    case key
    case delta
    /// Stored alone: deltas did not help.
    case alone
  }

  /// One encoding that was tried on a sampled chunk.
  struct Trial: Sendable {
    let codec: ChunkCodec
    let byteCount: Int
  }

  let element: ChunkElement
  /// Chunks of the layout.
  let chunks: Range<Int>
  /// Of the first chunk in the scratch file.
  let firstSlot: Int

  private(set) var plan = Plan.key
  private(set) var intra: ChunkCodec
  private(set) var delta = ChunkCodec.deltaBits
  private var knowsIntra = false
  private var knowsDelta = false
  /// Checkpoints so far.
  private var count = 0
  /// Stored bytes of each checkpoint since the last key frame, that one first.
  private var period: [Int] = []
  private var aloneCount = 0

  /// A sampled chunk in so many tries every encoding.
  static let sampleInterval = 16
  /// Every so many checkpoints encodings are tried again.
  private static let trialInterval = 8
  /// Deltas go against a key frame of the last so many checkpoints.
  private static let periodLimit = 16
  private static let usualPeriod = 4
  private static let slowShare = 0.9
  /// A delta that is not this much smaller than the chunk alone is not worth a second frame.
  static let leastGain = 0.97

  init(element: ChunkElement, chunks: Range<Int>, firstSlot: Int) {
    self.element = element
    self.chunks = chunks
    self.firstSlot = firstSlot
    intra = .bits
  }

  /// The same group in a layout where it stands elsewhere.
  init(_ other: ChunkGroup, chunks: Range<Int>) {
    self = ChunkGroup(element: other.element, chunks: chunks, firstSlot: other.firstSlot)
    plan = other.plan
    intra = other.intra
    delta = other.delta
    knowsIntra = other.knowsIntra
    knowsDelta = other.knowsDelta
    count = other.count
    period = other.period
    aloneCount = other.aloneCount
  }

  /// Whether the chunk is one on which the encodings are compared: one in so many from time to time,
  /// and every one while nothing is known.
  func isSampled(_ chunk: Int) -> Bool {
    if plan == .delta ? !knowsDelta : !knowsIntra { return true }
    return (chunk - chunks.lowerBound) % ChunkGroup.sampleInterval == 0
      && count % ChunkGroup.trialInterval == 0
  }

  /// Encodings worth a comparison under the current plan.
  var candidates: [ChunkCodec] {
    plan == .delta ? [.deltaBits, .deltaPlanes] : [.bits, .lz4]
  }

  /// Learns from one checkpoint.
  ///
  /// - Parameters:
  ///   - stored: Bytes that the group's chunks added to the archive, or would have.
  ///   - trials: What was measured on sampled chunks.
  mutating func finish(stored: Int, trials: [Trial]) {
    choose(trials)
    count += 1
    switch plan {
    case .key:
      period = [stored]
      plan = .delta
    case .alone:
      aloneCount += 1
      if aloneCount >= ChunkGroup.trialInterval { plan = .key }
    case .delta:
      if period.count == 1, Double(stored) >= ChunkGroup.leastGain * Double(period[0]), stored > 0 {
        plan = .alone
        aloneCount = 0
        return
      }
      period.append(stored)
      // Deltas grow ever more slowly with the distance: the next one by half of what this one did.
      let last = period[period.count - 1]
      let step = period.count > 2 ? max(0, last - period[period.count - 2]) / 2 : last / 16
      let average = period.reduce(0, +) / period.count
      // Short periods are right or nearly so for most trainings, which change more at first than the
      // period shows; only slow ones go on.
      let least =
        period.count < ChunkGroup.usualPeriod
        ? Double(average) : ChunkGroup.slowShare * Double(average)
      if Double(last + step) >= least && last > 0 || period.count >= ChunkGroup.periodLimit {
        plan = .key
      }
    }
  }

  /// A failed checkpoint leaves no key frame that could be relied on.
  mutating func forgetKey() {
    plan = .key
    period = []
  }

  private mutating func choose(_ trials: [Trial]) {
    var sums: [ChunkCodec: Int] = [:]
    for trial in trials { sums[trial.codec, default: 0] += trial.byteCount }
    // In a fixed order, so that equal sums have one winner.
    let best = candidates.filter { sums[$0] != nil }.min { (sums[$0] ?? 0) < (sums[$1] ?? 0) }
    guard let best else { return }
    if plan == .delta {
      delta = best
      knowsDelta = true
    } else {
      intra = best
      knowsIntra = true
    }
  }
}
