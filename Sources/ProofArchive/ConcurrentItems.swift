internal import Dispatch
internal import Synchronization

/// Calls `body` once with each item, below `count`, and with the number of the worker that does it; at most
/// one item at a time has the same worker. Returns when all are done.
func performTogether(_ count: Int, workers: Int, _ body: (Int, Int) -> Void) {
  guard workers > 1, count > 1 else {
    for item in 0..<count { body(item, 0) }
    return
  }
  let next = Atomic(0)
  withoutActuallyEscaping(body) { body in
    let shared = Shared(body: body)
    DispatchQueue.concurrentPerform(iterations: workers) { worker in
      while true {
        let item = next.wrappingAdd(1, ordering: .relaxed).oldValue
        guard item < count else { return }
        shared.body(item, worker)
      }
    }
  }
}

/// `@unchecked Sendable`: `body` touches only what belongs to its item and its worker.
private struct Shared: @unchecked Sendable {
  let body: (Int, Int) -> Void
}
