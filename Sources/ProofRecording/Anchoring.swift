internal import ProofArchive
package import ProofPrimitives

/// The newest record of a chain that is durable: what an anchor names (`spec/statements.md` §5).
package struct ChainPoint: Hashable, Sendable {
  /// Records up to it, record 0 included.
  package let recordCount: Int
  /// Hash of the newest one, which chains to all before it.
  package let chainHead: Digest
  /// Training steps up to it.
  package let step: Int

  package init(recordCount: Int, chainHead: Digest, step: Int) {
    self.recordCount = recordCount
    self.chainHead = chainHead
    self.step = step
  }
}

/// How far apart anchors are.
package enum AnchorInterval: Hashable, Sendable {
  case checkpoints(Int)
  case time(Duration)

  private static let checkpointLimit = 1 << 30
  /// 1,000 days, in seconds.
  private static let secondLimit = 86_400_000

  /// `20` for checkpoints; `30s`, `10m`, `2h` for time. Nil for anything else.
  package init?(_ text: String) {
    let units: [Character: Int] = ["s": 1, "m": 60, "h": 3600]
    guard let last = text.last, let number = Int(units[last] == nil ? text[...] : text.dropLast()),
      number > 0, text.utf8.first != 43
    else { return nil }
    guard let unit = units[last] else {
      guard number <= AnchorInterval.checkpointLimit else { return nil }
      self = .checkpoints(number)
      return
    }
    let (seconds, isTooLong) = number.multipliedReportingOverflow(by: unit)
    guard !isTooLong, seconds <= AnchorInterval.secondLimit else { return nil }
    self = .time(.seconds(seconds))
  }
}

/// When a recorder has its chain anchored, and by whom (`spec/recorder.md` §3.7).
package struct Anchoring: Sendable {
  package let interval: AnchorInterval
  package let logger: AnchorLogger

  package init(every interval: AnchorInterval, by logger: AnchorLogger) {
    self.interval = interval
    self.logger = logger
  }

  /// Whether the next durable checkpoint is to be anchored.
  ///
  /// - Parameters:
  ///   - count: Checkpoints since the last anchor of this process; nil before its first, which is always
  ///     due: a run that is killed often is anchored all the same.
  ///   - elapsed: Time since that anchor.
  func isDue(after count: Int?, _ elapsed: Duration) -> Bool {
    guard let count else { return true }
    guard count > 0 else { return false }
    return switch interval {
    case .checkpoints(let wanted): count >= wanted
    case .time(let wanted): elapsed >= wanted
    }
  }
}

extension RecordedRun {
  /// Keeps in the journal that a head stands in the log. Whoever needs to know for sure asks the ledger: nothing
  /// hashes the journal, so that a line that cannot be written is worth no trouble.
  package func note(_ logged: AnchorLogger.Logged) {
    try? writer.note([
      ("event", .string(AnchorLogger.Logged.event)), ("index", .int(logged.index)),
      ("records", .int(logged.point.recordCount)), ("step", .int(logged.point.step)),
    ])
  }
}

extension AnchorLogger.Logged {
  static let event = "anchor"
}
