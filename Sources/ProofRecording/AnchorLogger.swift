internal import Dispatch
internal import Synchronization

/// Logs chain heads on a ledger beside the training, which never waits for it and never fails by it.
///
/// One thread of its own logs one head at a time. A head that comes while another is being logged, or while
/// the ledger does not answer, takes the place of the one that waits: its chain holds all that the older
/// one's does. What fails is tried again, after a second, then two, up to a minute.
///
/// What is given to it MUST be durable in the archive: it is public for ever, and the archive has to keep it.
package final class AnchorLogger: Sendable {
  /// A head that stands in the log.
  package struct Logged: Hashable, Sendable {
    package let point: ChainPoint
    /// Of the entry.
    package let index: UInt64
  }

  /// What happened since it was asked last.
  package struct News: Sendable {
    package var logged: [Logged] = []
    /// Why attempts fail, told once for each row of failures.
    package var failure: RecordingError?
  }

  private struct State {
    var waiting: ChainPoint?
    var isEnding = false
    var news = News()
    var newest: Logged?
    var count = 0
    /// Why the last attempt failed; nil after one that did not.
    var failure: RecordingError?
  }

  private let state = Mutex(State())
  /// Signalled for each change that the thread may wait for.
  private let changed = DispatchSemaphore(value: 0)
  private let ended = DispatchSemaphore(value: 0)
  private let firstPause: Double
  private let log: @Sendable (ChainPoint) throws(RecordingError) -> UInt64

  private static let longestPause = 60.0

  /// - Parameters:
  ///   - firstPause: Seconds after the first failure; each further one of the row doubles it.
  ///   - log: Logs one head and returns its entry's index. Called again with the same head after a failure, of
  ///     which nobody knows how far it came.
  package init(
    firstPause: Double = 1, log: @escaping @Sendable (ChainPoint) throws(RecordingError) -> UInt64
  ) {
    self.firstPause = firstPause
    self.log = log
    // Blocking work: it must not take a thread of the tasks' own pool.
    DispatchQueue(label: "pol.anchors").async { self.work() }
  }

  /// Takes a head to log; returns at once.
  package func submit(_ point: ChainPoint) {
    state.withLock { $0.waiting = point }
    changed.signal()
  }

  /// The newest head that stands in the log, of those that this logged.
  package var newest: Logged? { state.withLock { $0.newest } }
  /// How many it logged.
  package var count: Int { state.withLock { $0.count } }
  /// Why the last attempt failed; nil while all is well.
  package var failure: RecordingError? { state.withLock { $0.failure } }

  package func takeNews() -> News {
    state.withLock { state in
      defer { state.news = News() }
      return state.news
    }
  }

  /// Gives what waits one more attempt and ends the thread, or leaves it behind when that takes longer.
  ///
  /// - Returns: The head that was not logged; nil when none waits.
  package func finish(within seconds: Double) -> ChainPoint? {
    state.withLock { $0.isEnding = true }
    changed.signal()
    if ended.wait(timeout: .now() + seconds) == .success { ended.signal() }
    return state.withLock { $0.waiting }
  }

  private func work() {
    var pause = firstPause
    while true {
      let (point, isEnding) = state.withLock { ($0.waiting, $0.isEnding) }
      guard let point else {
        if isEnding { break }
        changed.wait()
        continue
      }
      if attempt(point) {
        pause = firstPause
        continue
      }
      // The last attempt was this one.
      if isEnding { break }
      rest(pause)
      pause = min(AnchorLogger.longestPause, pause * 2)
    }
    ended.signal()
  }

  private func attempt(_ point: ChainPoint) -> Bool {
    do throws(RecordingError) {
      let logged = Logged(point: point, index: try log(point))
      state.withLock { state in
        if state.waiting == point { state.waiting = nil }
        state.newest = logged
        state.count += 1
        state.failure = nil
        state.news.logged.append(logged)
      }
      return true
    } catch {
      state.withLock { state in
        if state.failure == nil { state.news.failure = error }
        state.failure = error
      }
      return false
    }
  }

  /// Waits, whatever is submitted meanwhile: a ledger that is down is not asked at every checkpoint. The end
  /// of the run is not held up.
  private func rest(_ seconds: Double) {
    let deadline = DispatchTime.now() + seconds
    while changed.wait(timeout: deadline) == .success {
      if state.withLock({ $0.isEnding }) { return }
    }
  }
}
