import ChunkStorage
import Dispatch
import MerkleTrees
import NIOCore
import NIOPosix
import ProofPrimitives
import Synchronization
import TransparencyLedger

/// Publishes what is staged, where a policy asks for witnesses (`spec/witness.md` §7).
///
/// One round at a time, each for the newest signed head: batches that were staged while a round went on
/// are answered together after the next. The log is not held while witnesses are asked. All are asked
/// at once, and a round ends when the quorum holds: a dead or slow one delays nobody that can do
/// without it.
final class CosigningRounds: Sendable {
  private struct State {
    /// Batches without an answer, by the order in which they came.
    var waiting: [Int: StagedBatch] = [:]
    var next = 0
    var isRunning = false
    var isClosed = false
    var task: Task<Void, Never>?
    var quorumHolds = true
    var complaint = ""
    var published: UInt64 = 0
    var missing: UInt64 = 0
    var seconds = ServiceMetrics.Histogram()
  }

  let policy: LedgerPolicy
  let witnesses: [WitnessClient]
  private let complain: @Sendable (LedgerError) -> Void
  private let threads: NIOThreadPool
  private let timers = MultiThreadedEventLoopGroup.singleton.next()
  private let state = Mutex(State())

  /// - Parameters:
  ///   - lastSize: Of the published head.
  ///   - complain: Told when there is no quorum, and of each change in why.
  /// - Throws: `.badPolicy` for a URL that is none; `.quorumMissing` when too few witnesses have one.
  init(
    _ policy: LedgerPolicy, lastSize: TreeSize,
    complain: @escaping @Sendable (LedgerError) -> Void
  ) throws(LedgerError) {
    self.policy = policy
    self.complain = complain
    var witnesses: [WitnessClient] = []
    for (position, witness) in policy.witnesses.enumerated() {
      guard let url = witness.url.map({ String(decoding: $0, as: UTF8.self) }) else { continue }
      do throws(StorageError) {
        witnesses.append(try WitnessClient(position, in: policy, url: url, lastSize: lastSize))
      } catch {
        throw LedgerError(
          .badPolicy, "the URL \(printable(url)) of a witness: \(error.message)",
          remedy: error.remedy, cause: error)
      }
    }
    guard policy.holds(Set(witnesses.map(\.position))) else {
      throw LedgerError(
        .quorumMissing, "the witnesses that have a URL in the policy are too few for its quorum",
        remedy: "add the submission prefix of each witness behind its key, with `pol ledger policy`"
      )
    }
    self.witnesses = witnesses
    // One thread publishes, and each witness has at most one open question.
    threads = NIOThreadPool(numberOfThreads: 1 + witnesses.count)
    threads.start()
  }

  /// What waits for an answer: how many, and since when the first.
  var waiting: (count: Int, oldest: Double?) {
    state.withLock { state in
      (
        state.waiting.values.reduce(0) { $0 + $1.submissions.count },
        state.waiting.values.compactMap { $0.submissions.first?.seconds }.min()
      )
    }
  }

  /// Whether the last round ended with a quorum.
  var quorumHolds: Bool { state.withLock { $0.quorumHolds } }

  /// Takes a batch that has its places, and answers it later. An empty one only starts a round, if one
  /// is due.
  func add(_ batch: StagedBatch, of sequencer: Sequencer) {
    let oldest = batch.submissions.first?.seconds
    let (number, isClosed) = state.withLock { state in
      guard !state.isClosed else { return (0, true) }
      state.next += 1
      if oldest != nil { state.waiting[state.next] = batch }
      if !state.isRunning {
        state.isRunning = true
        state.task = Task { await self.run(sequencer) }
      }
      return (state.next, false)
    }
    if isClosed { batch.fail() }
    guard let oldest, !isClosed else { return }
    let seconds = max(0, oldest + ServiceLimits.cosigningSeconds - Seconds.now)
    timers.scheduleTask(in: .milliseconds(Int64(seconds * 1000))) {
      self.state.withLock { $0.waiting.removeValue(forKey: number) }?.fail()
    }
  }

  /// Ends the rounds; whoever still waits is told so.
  func close() async {
    let task = state.withLock { state in
      state.isClosed = true
      return state.task
    }
    task?.cancel()
    await task?.value
    let rest = state.withLock { state in
      defer { state.waiting = [:] }
      return state.waiting
    }
    for batch in rest.values { batch.fail() }
    // A witness may take its time over an answer that nobody waits for.
    threads.shutdownGracefully(queue: .global()) { _ in }
  }

  private func run(_ sequencer: Sequencer) async {
    var pause = ServiceLimits.firstPause
    while true {
      let started = Seconds.now
      var isDone = false
      if let turn = await begin(sequencer) {
        guard let round = turn else {
          if hasEnded() { return }
          continue
        }
        isDone = await finish(await gather(round), sequencer)
      }
      state.withLock { state in
        if isDone { state.published += 1 } else { state.missing += 1 }
        if isDone { state.seconds.add(Seconds.now - started) }
        state.quorumHolds = isDone
        if isDone { state.complaint = "" }
      }
      if isDone {
        pause = ServiceLimits.firstPause
      } else {
        try? await Task.sleep(for: pause)
        pause = min(pause * 2, ServiceLimits.longestPause)
      }
      if Task.isCancelled { return }
    }
  }

  /// Whether there is nothing to be done; then the next batch starts anew.
  private func hasEnded() -> Bool {
    state.withLock { state in
      guard state.waiting.isEmpty || state.isClosed else { return false }
      state.isRunning = false
      return true
    }
  }

  /// The round that is due: nil inside when none is, nil when the log could not be used.
  private func begin(_ sequencer: Sequencer) async -> CosigningRound?? {
    let found = try? await threads.runIfActive { () -> CosigningRound?? in
      self.answerCovered(sequencer)
      return sequencer.use { ledger throws(LedgerError) in
        guard try ledger.needsCosignatures() else { return CosigningRound?.none }
        return CosigningRound(try ledger.signedView(), policy: self.policy)
      }
    }
    return found ?? nil
  }

  /// Asks all witnesses at once, until the quorum holds or the time is up.
  private func gather(_ round: CosigningRound) async -> CosigningRound {
    typealias Answer = (witness: WitnessClient, found: Result<CosigningRound, LedgerError>)
    let end = RoundEnd()
    let (answers, feed) = AsyncStream.makeStream(of: Answer.self)
    let timer = timers.scheduleTask(in: .seconds(Int64(ServiceLimits.witnessSeconds))) {
      feed.finish()
    }
    for witness in witnesses {
      witness.ask(round, on: threads, isOver: { end.isOver }) { feed.yield((witness, $0)) }
    }
    var gathered = round
    var open = witnesses.count
    var silent = Set(witnesses.map(\.position))
    var reasons: [Int: String] = [:]
    for await (witness, found) in answers {
      silent.remove(witness.position)
      switch found {
      case .success(let round): gathered.join(round)
      case .failure(let error): reasons[witness.position] = error.message
      }
      open -= 1
      if gathered.quorumHolds || open == 0 { break }
    }
    end.set()
    timer.cancel()
    feed.finish()
    if !gathered.quorumHolds, !Task.isCancelled { tell(reasons, silent: silent) }
    return gathered
  }

  /// Publishes a head whose quorum holds, and answers for what it covers.
  private func finish(_ round: CosigningRound, _ sequencer: Sequencer) async -> Bool {
    guard round.quorumHolds else { return false }
    let isPublished = try? await threads.runIfActive {
      let done: Void? = sequencer.use { ledger throws(LedgerError) in try ledger.publish(round.note)
      }
      guard done != nil else { return false }
      self.answerCovered(sequencer)
      return true
    }
    return isPublished ?? false
  }

  /// Answers the entries that the published head covers.
  private func answerCovered(_ sequencer: Sequencer) {
    let staged = state.withLock { $0.waiting }
    guard !staged.isEmpty else { return }
    let covered = sequencer.use { ledger throws(LedgerError) in
      var covered: [Int: StagedBatch.Covered] = [:]
      for (number, batch) in staged { covered[number] = try batch.covered(by: ledger) }
      return covered
    }
    guard let covered else { return }
    for (number, found) in covered where !found.receipts.isEmpty {
      // Unless it was told meanwhile that the time is up.
      let batch = state.withLock { state in
        let batch = state.waiting.removeValue(forKey: number)
        if batch != nil, let rest = found.rest { state.waiting[number] = rest }
        return batch
      }
      if batch != nil { found.answer() }
    }
  }

  /// Tells the operator why there is no quorum, once until it changes.
  private func tell(_ reasons: [Int: String], silent: Set<Int>) {
    let text = witnesses.compactMap { witness in
      let reason =
        silent.contains(witness.position) ? "it did not answer in time" : reasons[witness.position]
      return reason.map { "\(witness.name): \($0)" }
    }.joined(separator: "; ")
    let isNew = state.withLock { state in
      defer { state.complaint = text }
      return state.complaint != text
    }
    guard isNew else { return }
    complain(
      LedgerError(
        .quorumMissing, text,
        remedy: "entries keep their places, and are published once enough witnesses sign"))
  }

  /// Gauges and counts for `/metrics`.
  func metricsText(_ status: Sequencer.Status?) -> String {
    let state = state.withLock { $0 }
    let found = witnesses.map { ($0.name, $0.status) }
    var text = MetricsText(prefix: "pol_ledger")
    text.gauge(
      "unpublished_entries", "Entries with a place that wait for witnesses.",
      status?.unpublishedEntries ?? 0)
    text.gauge("quorum", "1 when the last round ended with a quorum.", state.quorumHolds ? 1 : 0)
    text.counter(
      "cosigning_rounds_total", "Rounds of questions to the witnesses, by how they ended.",
      by: "result", [("published", state.published), ("missing", state.missing)])
    text.counter(
      "witness_questions_total", "Questions to a witness, by how they ended.",
      found.flatMap { name, status in
        WitnessClient.Result.allCases.map {
          (
            MetricsText.label("witness", name) + "," + MetricsText.label("result", $0.rawValue),
            status.results[$0] ?? 0
          )
        }
      })
    text.gauge(
      "witness_up", "1 when the witness's last answer was a cosignature.", by: "witness",
      found.map { ($0, $1.isCosigning ? 1 : 0) })
    text.gauge(
      "witness_size", "Entries that the witness last cosigned, as far as is known.", by: "witness",
      found.map { ($0, $1.size.value) })
    text.histogram(
      "cosigning_seconds", "From choosing a head to its publication.", state.seconds)
    return text.whole
  }
}

/// Whether a round still waits for answers.
private final class RoundEnd: Sendable {
  private let value = Atomic(false)
  var isOver: Bool { value.load(ordering: .relaxed) }
  func set() { value.store(true, ordering: .relaxed) }
}
