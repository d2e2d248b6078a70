import Glibc
import Synchronization
import Testing

@testable import ProofArchive

/// A room that notices when two threads are in it.
private final class TestRoom: Sendable {
  let users = Atomic(0)
  let piece = Atomic(-1)
}

/// What was taken, in order.
private final class Taken: Sendable {
  let pieces = Mutex<[[Int]]>([])
  /// Threads that take just now.
  let takers = Atomic(0)
}

@Suite("Work made in any order and taken in its own") struct OrderedLineTests {
  /// Runs `count` pieces on so many threads; `take` stops at a piece that fails.
  private func run(
    _ count: Int, threads: Int, rooms: Int, readyCount: Int = 2, failsAt: Int? = nil
  ) -> [[Int]] {
    let taken = Taken()
    let line = OrderedLine(
      count, (0..<rooms).map { _ in TestRoom() }, readyCount: readyCount)
    performTogether(threads, workers: threads) { _, _ in
      line.work(
        make: { number, room in
          #expect(room.users.add(1, ordering: .sequentiallyConsistent).oldValue == 0)
          // Some take longer, so that pieces are ready out of order.
          var sum = 0
          for value in 0..<(number % 3 == 0 ? 20_000 : 10) { sum &+= value }
          room.piece.store(sum >= 0 ? number : -2, ordering: .sequentiallyConsistent)
          #expect(room.users.subtract(1, ordering: .sequentiallyConsistent).newValue == 0)
        },
        take: { ready in
          let pieces = ready.map { room in
            #expect(room.users.load(ordering: .sequentiallyConsistent) == 0)
            return room.piece.load(ordering: .sequentiallyConsistent)
          }
          #expect(taken.takers.add(1, ordering: .sequentiallyConsistent).oldValue == 0)
          usleep(100)
          taken.pieces.withLock { $0.append(pieces) }
          #expect(taken.takers.subtract(1, ordering: .sequentiallyConsistent).newValue == 0)
          return failsAt.map { !pieces.contains($0) } ?? true
        })
    }
    return taken.pieces.withLock { $0 }
  }

  @Test("each piece is taken once, in order", arguments: [1, 2, 4])
  func order(threads: Int) {
    for count in [0, 1, 2, 3, 100] {
      let taken = run(count, threads: threads, rooms: 3 * threads + 1)
      #expect(taken.flatMap { $0 } == Array(0..<count))
      #expect(taken.allSatisfy { !$0.isEmpty })
    }
  }

  @Test("one thread takes as many at once as it was told, and the rest at the end")
  func batches() {
    #expect(run(7, threads: 1, rooms: 4).map(\.count) == [2, 2, 2, 1])
    #expect(run(7, threads: 1, rooms: 4, readyCount: 3).map(\.count) == [3, 3, 1])
    // Fewer rooms than that: what is there is taken, or nothing would go on.
    #expect(run(7, threads: 1, rooms: 2, readyCount: 3).map(\.count) == [2, 2, 2, 1])
  }

  @Test("after a failure nothing more is taken", arguments: [1, 2, 4])
  func failure(threads: Int) {
    let taken = run(100, threads: threads, rooms: 3 * threads + 1, failsAt: 20).flatMap { $0 }
    #expect(taken.last.map { $0 >= 20 && $0 < 40 } ?? false)
    #expect(taken == Array(0..<taken.count))
  }
}
