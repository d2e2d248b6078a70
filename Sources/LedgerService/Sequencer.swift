import Glibc
import MerkleTrees
import NIOPosix
import Synchronization
import TransparencyLedger

/// The one writer of a log: takes entries from many, gives them to the log in batches.
///
/// Batches clock themselves: the next is whatever came while the last was published, and, where few
/// write, what those send next who were answered by it (`BatchGathering`). So one writer
/// alone never waits for a timer, and many share the syncs of one batch. All work on the log happens
/// on one thread that does nothing else, because it waits for the disk.
final class Sequencer: Sendable {
  typealias Outcome = Result<LedgerReceipt, ServiceProblem>

  /// What the service shows of the writer.
  struct Status: Sendable {
    var size: UInt64
    var queuedEntries = 0
    var queuedByteCount = 0
    var isStopped = false
    /// The log takes nothing more, ever.
    var hasEnded = false
    /// When the oldest of the waiting came, and when the last head was published; seconds.
    var oldestWaiting: Double?
    var lastPublished: Double
    /// Entries under the signed head that wait for witnesses, and since when none of them was published.
    var unpublishedEntries: UInt64 = 0
    var unpublishedSince: Double?
    /// Whether the last round of witnesses had its quorum; nil where none are asked.
    var quorumHolds: Bool?
  }

  struct Submission: Sendable {
    let entry: PreparedEntry
    let continuation: CheckedContinuation<Outcome, Never>
    let seconds: Double
  }

  private struct State {
    var waiting: [Submission] = []
    /// Taken from `waiting` and not yet answered.
    var inBatch: [Submission] = []
    var waitingByteCount = 0
    var isRunning = false
    var isClosed = false
    var isStopped = false
    var hasEnded: Bool
    var size: UInt64
    var signedSize: UInt64
    var lastPublished: Double
    var unpublishedSince: Double?
    var freeBytes: UInt64?
    var freeBytesRead = -Double.infinity
  }

  /// What entries can be found by: one store for as long as the service runs, also when the log is opened
  /// again.
  let claims: ClaimStore
  let directory: String
  private let admission: Admission.Rule
  private let leastFreeByteCount: UInt64
  private let metrics: ServiceMetrics
  private let complain: @Sendable (LedgerError) -> Void
  /// Nil where no witness is asked: then a batch is published before the next one is taken.
  let rounds: CosigningRounds?
  private let thread = NIOThreadPool(numberOfThreads: 1)
  private let ledger: Mutex<LocalLedger?>
  private let state: Mutex<State>

  /// - Parameter complain: Told of what went wrong in the writer; for the operator.
  init(
    _ ledger: consuming sending LocalLedger, rounds: CosigningRounds? = nil,
    leastFreeByteCount: UInt64, metrics: ServiceMetrics,
    complain: @escaping @Sendable (LedgerError) -> Void
  ) {
    claims = ledger.claims
    ledger.indexesElsewhere = true
    directory = ledger.directory
    admission = ledger.admission
    self.rounds = rounds
    state = Mutex(
      State(
        hasEnded: ledger.end != nil, size: ledger.published.size.value,
        signedSize: ledger.head.size.value,
        lastPublished: Seconds.now,
        unpublishedSince: ledger.published == ledger.head ? nil : Seconds.now))
    self.ledger = Mutex(ledger)
    self.leastFreeByteCount = leastFreeByteCount
    self.metrics = metrics
    self.complain = complain
    thread.start()
    // A head that was signed before the last end may wait for its witnesses.
    rounds?.add(StagedBatch(batch: .empty, submissions: []), of: self)
  }

  var status: Status {
    let staged = rounds?.waiting
    return state.withLock { state in
      let oldest = (state.inBatch.first ?? state.waiting.first)?.seconds
      return Status(
        size: state.size,
        queuedEntries: state.waiting.count + state.inBatch.count + (staged?.count ?? 0),
        queuedByteCount: state.waitingByteCount, isStopped: state.isStopped,
        hasEnded: state.hasEnded, oldestWaiting: [staged?.oldest, oldest].compactMap { $0 }.min(),
        lastPublished: state.lastPublished, unpublishedEntries: state.signedSize - state.size,
        unpublishedSince: state.unpublishedSince, quorumHolds: rounds?.quorumHolds)
    }
  }

  /// Room on the log's disk, at most half a second old; nil where it is not known.
  var freeByteCount: UInt64? {
    state.withLock { state in
      if Seconds.now - state.freeBytesRead > 0.5 {
        state.freeBytes = FreeSpace.byteCount(at: directory)
        state.freeBytesRead = Seconds.now
      }
      return state.freeBytes
    }
  }

  /// Why an entry of this length would not be taken now; asked before its body is read, too.
  func refusal(byteCount: Int) -> ServiceProblem? {
    if let free = freeByteCount, free < leastFreeByteCount { return .noSpace }
    return state.withLock { Sequencer.refusal(byteCount, $0) }
  }

  private static func refusal(_ byteCount: Int, _ state: State) -> ServiceProblem? {
    if state.isClosed { return .stopping }
    guard state.waiting.count < ServiceLimits.queuedEntries,
      state.waitingByteCount + byteCount <= ServiceLimits.queuedByteCount
    else { return .queueFull }
    guard state.signedSize - state.size < ServiceLimits.unpublishedEntries else {
      return .quorumMissing
    }
    return nil
  }

  /// Answers once the entry is durable and under a published head, or says why it is not.
  func add(_ entry: PreparedEntry) async -> Outcome {
    if let refusal = refusal(byteCount: entry.bytes.count) { return .failure(refusal) }
    return await withCheckedContinuation { continuation in
      let submission = Submission(
        entry: entry, continuation: continuation, seconds: Seconds.now)
      let (refusal, isFirst) = state.withLock { state in
        if let refusal = Sequencer.refusal(entry.bytes.count, state) {
          return (ServiceProblem?.some(refusal), false)
        }
        state.waiting.append(submission)
        state.waitingByteCount += entry.bytes.count
        defer { state.isRunning = true }
        return (nil, !state.isRunning)
      }
      if let refusal { continuation.resume(returning: .failure(refusal)) }
      if isFirst { thread.submit { _ in self.run() } }
    }
  }

  /// Takes nothing more, waits for what is queued, and gives the log back.
  func close() async {
    state.withLock { $0.isClosed = true }
    // One thread, in order: what was queued before this is answered before it.
    _ = try? await thread.runIfActive {}
    await rounds?.close()
    _ = try? await thread.runIfActive { self.ledger.withLock { $0 = nil } }
    try? await thread.shutdownGracefully()
  }

  private func run() {
    var gathering = BatchGathering()
    while let batch = nextBatch() {
      let started = Seconds.now
      let outcomes = rounds == nil ? publish(batch.map(\.entry)) : []
      if let rounds { stage(batch, rounds) }
      metrics.count {
        $0.batches += 1
        $0.batchEntries += UInt64(batch.count)
        $0.publishSeconds.add(Seconds.now - started)
      }
      let waiting = state.withLock { state in
        state.inBatch = []
        return state.waiting.count
      }
      for (submission, outcome) in zip(batch, outcomes) {
        submission.continuation.resume(returning: outcome)
      }
      let ended = Seconds.now
      gathering.begin(
        writers: batch.count + waiting, waiting: waiting, cost: ended - started, now: ended)
      while let pause = gathering.pause(
        now: Seconds.now, waiting: state.withLock { $0.isClosed ? nil : $0.waiting.count })
      {
        Seconds.sleep(pause)
      }
    }
  }

  /// What has come so far, within the limits of a batch; nil when nothing has.
  private func nextBatch() -> [Submission]? {
    state.withLock { state in
      var byteCount = 0
      var count = 0
      for submission in state.waiting.prefix(ServiceLimits.batchEntries) {
        byteCount += submission.entry.bytes.count
        guard count == 0 || byteCount <= ServiceLimits.batchByteCount else { break }
        count += 1
      }
      guard count > 0 else {
        state.isRunning = false
        return nil
      }
      let batch = Array(state.waiting.prefix(count))
      state.waiting.removeFirst(count)
      state.waitingByteCount -= batch.reduce(0) { $0 + $1.entry.bytes.count }
      state.inBatch = batch
      return batch
    }
  }

  /// Logs what of a batch the log takes. An entry that it refuses stops nobody else's.
  private func publish(_ entries: [PreparedEntry]) -> [Outcome] {
    let outcomes = use { (ledger: LocalLedger) throws(LedgerError) -> [Outcome] in
      let refusals = try ledger.refusals(of: entries)
      let batch = try ledger.stage(
        zip(entries, refusals).filter { $1 == nil }.map { $0.0 }, areAdmitted: true)
      var receipts = try ledger.receipts(batch)[...]
      var outcomes: [Outcome] = []
      for refusal in refusals {
        if let refusal {
          outcomes.append(.failure(ServiceProblem(refusing: refusal)))
        } else {
          outcomes.append(receipts.popFirst().map { .success($0) } ?? .failure(.writerStopped))
        }
      }
      return outcomes
    }
    return outcomes ?? entries.map { _ in .failure(.writerStopped) }
  }

  /// Does work on the log, from a thread that may wait. After a failure the log is opened again.
  ///
  /// - Returns: Nil after a failure.
  func use<Value: Sendable>(
    _ work: @Sendable (LocalLedger) throws(LedgerError) -> Value
  ) -> Value? {
    let (value, sizes): (Value?, Sizes?) = ledger.withLock { slot -> (Value?, Sizes?) in
      do throws(LedgerError) {
        let ledger = if let slot { slot } else { try open() }
        slot = ledger
        let value = try work(ledger)
        return (value, Sizes(ledger))
      } catch {
        complain(error)
        // The lock on the folder goes with it. Opening finishes or undoes what was begun.
        slot = nil
        do throws(LedgerError) {
          slot = try open()
        } catch {
          complain(error)
        }
        return (nil, slot.map { Sizes($0) })
      }
    }
    state.withLock { state in
      state.isStopped = sizes == nil
      guard let sizes else { return }
      let isAhead = sizes.signed > sizes.published
      if sizes.published > state.size || !isAhead { state.lastPublished = Seconds.now }
      if sizes.published > state.size || state.unpublishedSince == nil || !isAhead {
        state.unpublishedSince = isAhead ? Seconds.now : nil
      }
      state.size = max(state.size, sizes.published)
      state.signedSize = max(state.signedSize, sizes.signed)
    }
    return value
  }

  private struct Sizes: Sendable {
    let published: UInt64
    let signed: UInt64

    init(_ ledger: LocalLedger) {
      published = ledger.published.size.value
      signed = ledger.head.size.value
    }
  }

  private func open() throws(LedgerError) -> LocalLedger {
    let ledger = try LocalLedger.open(at: directory, claims: claims)
    ledger.admission = admission
    ledger.indexesElsewhere = true
    return ledger
  }
}

/// Time that does not go back, in seconds from an arbitrary moment.
enum Seconds {
  static var now: Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  /// Stops the thread that calls it; a signal may end it early.
  static func sleep(_ seconds: Double) { usleep(UInt32(seconds * 1e6)) }
}
