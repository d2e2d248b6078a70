import Glibc
import Synchronization

/// Work on numbered items by several threads that mostly wait, for a server or a disk.
///
/// Threads of their own, because those of a task pool are as many as processors and must not wait.
package enum ConcurrentWork {
  /// Calls `body` with 0..<count, at most `width` at a time, and returns when all calls have returned.
  ///
  /// The calling thread takes part, so that the work is done even where no thread can be started.
  /// - Parameter body: Gets the item's number, and what says that another item has failed: long work
  ///   then has no use any more. After a failure no further item is begun.
  /// - Throws: The failure that came first.
  package static func run<Failure: Error>(
    _ count: Int, width: Int,
    _ body: @escaping @Sendable (Int, @Sendable () -> Bool) throws(Failure) -> Void
  ) throws(Failure) {
    let state = Mutex(State<Failure>())
    let shared = Shared(state)
    let work: @Sendable () -> Void = {
      while let item = shared.next(below: count) {
        do throws(Failure) {
          try body(item) { shared.hasFailed }
        } catch {
          shared.fail(error)
        }
      }
    }
    let threads = (1..<max(1, min(width, count))).compactMap { _ in WorkThread(work) }
    work()
    for thread in threads { thread.join() }
    if let failure = shared.failure { throw failure }
  }

  private struct State<Failure: Error> {
    var next = 0
    var failure: Failure?
  }

  private final class Shared<Failure: Error>: Sendable {
    private let state: Mutex<State<Failure>>
    init(_ state: consuming Mutex<State<Failure>>) { self.state = state }

    func next(below count: Int) -> Int? {
      state.withLock { state in
        guard state.failure == nil, state.next < count else { return nil }
        defer { state.next += 1 }
        return state.next
      }
    }

    func fail(_ failure: Failure) {
      state.withLock { if $0.failure == nil { $0.failure = failure } }
    }

    var failure: Failure? { state.withLock { $0.failure } }
    var hasFailed: Bool { failure != nil }
  }
}

/// A started thread; nil when the system gives none.
private struct WorkThread {
  private final class Body: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  private let thread: pthread_t

  init?(_ run: @escaping @Sendable () -> Void) {
    var thread = pthread_t()
    let body = Unmanaged.passRetained(Body(run))
    let status = pthread_create(
      &thread, nil,
      { context in
        if let context { Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run() }
        return nil
      }, body.toOpaque())
    guard status == 0 else {
      body.release()
      return nil
    }
    self.thread = thread
  }

  func join() { pthread_join(thread, nil) }
}
