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
    } else if let due = ServiceHealth.due(status), now - due > staleAfterSeconds {
      // A head was due and none came: not a log that has nothing to do.
      verdict = .stale
    } else {
      verdict = .ok
    }
  }

  /// Since when a head is due; nil when none is.
  private static func due(_ status: Sequencer.Status) -> Double? {
    [status.oldestWaiting.map { max($0, status.lastPublished) }, status.unpublishedSince]
      .compactMap { $0 }.min()
  }

  /// - Parameter status: Of the writer; nil where there is none.
  func document(
    size: UInt64, status: Sequencer.Status?, origin: String, hasEnded: Bool
  ) -> [UInt8] {
    var members: [(String, JSONValue)] = [
      ("ended", .bool(hasEnded)), ("origin", .string(origin)),
      ("queued", .int(status?.queuedEntries ?? 0)),
      ("readOnly", .bool(status == nil)), ("size", .int(size)),
      ("status", .string(verdict.rawValue)),
    ]
    if let holds = status?.quorumHolds {
      members += [
        ("quorum", .bool(holds)), ("unpublished", .int(status?.unpublishedEntries ?? 0)),
      ]
    }
    return JSONValue.map(members.sorted { $0.0 < $1.0 }).encoded
  }
}
