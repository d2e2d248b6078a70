import Synchronization

/// What is done about a server that answers a range with the whole object (`spec/store.md` §2).
///
/// It is noticed at its first such answer, and said once. From then on ranges are asked for one after
/// another, so that one whole object at a time is on its way, and what came is kept: further ranges of it
/// cost nothing. Memory: `byteLimit` for what is kept, and as much for what is on its way.
final class WholeAnswers: Sendable {
  /// A pack of 64 MiB with the frame that reached that. Beyond, each read would cost the whole of a large
  /// file again.
  static let byteLimit = 66 << 20

  private enum Server {
    case unknown
    case givesRanges
    case ignoresRanges
  }

  private struct State {
    var server = Server.unknown
    var isTold = false
    /// What came last stands last.
    var kept: [(name: String, bytes: [UInt8])] = []
  }

  private let state = Mutex(State())
  private let turn = Mutex(())

  var isIgnoring: Bool { state.withLock { $0.server == .ignoresRanges } }

  /// Runs `body`, which asks for a range: one at a time until the server is known to give ranges.
  func inTurn<Value: Sendable>(
    _ body: () throws(StorageError) -> Value
  ) throws(StorageError) -> Value {
    if state.withLock({ $0.server == .givesRanges }) { return try body() }
    return try turn.withLock { _ throws(StorageError) in try body() }
  }

  /// An object that came whole before.
  func bytes(of name: String) -> [UInt8]? {
    state.withLock { state in state.kept.first { $0.name == name }?.bytes }
  }

  /// A range came as it was asked for.
  func gaveRange() {
    state.withLock { state in
      state.server = .givesRanges
      state.kept = []
    }
  }

  /// An object came whole where a part of it was asked for; nil when it was too large to take.
  ///
  /// - Returns: Whether this is the first time.
  func gaveWhole(_ name: String, _ bytes: [UInt8]?) -> Bool {
    state.withLock { state in
      state.server = .ignoresRanges
      if let bytes {
        state.kept.removeAll { $0.name == name }
        state.kept.append((name, bytes))
        var sum = state.kept.reduce(0) { $0 + $1.bytes.count }
        while sum > WholeAnswers.byteLimit, state.kept.count > 1 {
          sum -= state.kept.removeFirst().bytes.count
        }
      }
      defer { state.isTold = true }
      return !state.isTold
    }
  }
}
