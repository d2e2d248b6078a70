import ProofPrimitives

/// Whether the service keeps its promise now (`spec/ledger-service.md` §8).
struct ServiceHealth: Equatable {
  enum Verdict: String { case ok, stale, stopped }

  let verdict: Verdict

  /// - Parameter now: Seconds of the clock that the status uses.
  init(_ status: Sequencer.Status?, staleAfterSeconds: Double, now: Double) {
    guard let status else {
      verdict = .ok
      return
    }
    if status.isStopped {
      verdict = .stopped
    } else if let oldest = status.oldestWaiting,
      now - max(oldest, status.lastPublished) > staleAfterSeconds
    {
      // A head was due and none came: not a log that has nothing to do.
      verdict = .stale
    } else {
      verdict = .ok
    }
  }

  func document(size: UInt64, queued: Int, origin: String, isReadOnly: Bool) -> [UInt8] {
    JSONValue.map([
      ("origin", .string(origin)), ("queued", .int(queued)), ("readOnly", .bool(isReadOnly)),
      ("size", .int(size)), ("status", .string(verdict.rawValue)),
    ]).encoded
  }
}
