import Dispatch
import Synchronization

/// Runs asynchronous work from a command, which is a plain function, and waits for its end.
///
/// Only for the main thread, which no task runs on: a thread of the tasks' own pool that waited here
/// could be the one that the work needs.
func waitFor<Value: Sendable>(
  _ work: @escaping @Sendable () async throws -> Value
) throws -> Value {
  let box = ResultBox<Value>()
  let done = DispatchSemaphore(value: 0)
  Task.detached {
    let outcome: Result<Value, any Error>
    do { outcome = .success(try await work()) } catch { outcome = .failure(error) }
    box.result.withLock { $0 = outcome }
    done.signal()
  }
  done.wait()
  return try box.result.withLock { $0 }.get()
}

private final class ResultBox<Value: Sendable>: Sendable {
  let result = Mutex<Result<Value, any Error>>(.failure(CancellationError()))
}
