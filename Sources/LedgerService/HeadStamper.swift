import Cryptography
import MerkleTrees
import NIOPosix
import ProofPrimitives
import Synchronization
import TransparencyLedger

/// Has the published heads of a log stamped while the service runs (`spec/time.md` §7).
///
/// A thread of its own waits for the authority; the log never waits for it. Whatever fails is counted, told, and
/// tried again.
final class HeadStamper: Sendable {
  /// After a failure, however long the interval is.
  static let retrySeconds = 60

  private let directory: String
  private let authority: TimeAuthority
  private let everySeconds: Int
  private let verifierKey: NoteVerifierKey
  private let store: TokenStore
  private let complain: @Sendable (String) -> Void
  private let thread = NIOThreadPool(numberOfThreads: 1)
  private let counts = Mutex(Counts())
  private let task = Mutex<Task<Void, Never>?>(nil)

  private struct Counts {
    var stamped: UInt64 = 0
    var failed: UInt64 = 0
    var size: UInt64 = 0
  }

  init(
    directory: String, verifierKey: NoteVerifierKey, authority: TimeAuthority, everySeconds: Int,
    complain: @escaping @Sendable (String) -> Void
  ) throws(LedgerError) {
    self.directory = directory
    self.verifierKey = verifierKey
    self.authority = authority
    self.everySeconds = max(1, everySeconds)
    self.complain = complain
    store = try TokenStore(directory: directory)
    let size = try store.index().stampedSize
    counts.withLock { $0.size = size?.value ?? 0 }
  }

  /// Begins at once: a service that is restarted often must not go without.
  func start() {
    thread.start()
    task.withLock {
      $0 = Task {
        while !Task.isCancelled {
          let isDone = (try? await self.thread.runIfActive { self.stampNewest() }) ?? false
          let pause = isDone ? self.everySeconds : min(self.everySeconds, HeadStamper.retrySeconds)
          try? await Task.sleep(for: .seconds(pause))
        }
      }
    }
  }

  /// Does not wait for an authority that is asked at the moment: what it answers is lost, and asked for at the next
  /// start.
  func stop() {
    task.withLock { $0?.cancel() }
    thread.shutdownGracefully { _ in }
  }

  /// Stamps the published head unless it, or a larger one, has a token.
  ///
  /// - Returns: Whether there is nothing left to do for now.
  func stampNewest() -> Bool {
    do {
      let view = try LedgerView(
        source: DirectoryLedgerSource(directory: directory), verifierKey: verifierKey)
      let head = view.head
      guard head.size.value > counts.withLock({ $0.size }) else { return true }
      let token = try authority.token(over: head.textDigest)
      try store.add(token, for: .head(head.size))
      counts.withLock {
        $0.stamped += 1
        $0.size = head.size.value
      }
      return true
    } catch {
      counts.withLock { $0.failed += 1 }
      complain("no token for the newest head: \(error)")
      return false
    }
  }

  /// For Prometheus.
  var metricsText: String {
    let counts = counts.withLock { $0 }
    return """
      # HELP pol_ledger_stamped_size Entries under the largest head that has a time-stamp.
      # TYPE pol_ledger_stamped_size gauge
      pol_ledger_stamped_size \(counts.size)
      # HELP pol_ledger_stamps_total Time-stamps that were asked for, by how that ended.
      # TYPE pol_ledger_stamps_total counter
      pol_ledger_stamps_total{result="stored"} \(counts.stamped)
      pol_ledger_stamps_total{result="failed"} \(counts.failed)

      """
  }
}
