import NIOCore

/// How long a connection may still go on as it does: the deadlines of `spec/ledger-service.md` §9,
/// apart from any channel.
struct ConnectionClock {
  static let headSeconds: Int64 = 15
  static let bodySeconds: Int64 = 10
  static let bodyBytesPerSecond: Int64 = 1024
  static let stallSeconds: Int64 = 20
  static let ceilingSeconds: Int64 = 600
  static let quiesceSeconds: Int64 = 30
  static let unreadSeconds: Int64 = 5
  static let unreadByteCount = 256 << 10

  private var waitingSince: NIODeadline
  private var bodySince: NIODeadline?
  private var bodyByteCount: Int64 = 0
  /// Requests whose answer has not ended.
  private(set) var openAnswers = 0
  private var exchangeSince: NIODeadline
  private var writes = 0
  private var lastProgress: NIODeadline
  private var unreadSince: NIODeadline?
  private var unreadByteCount = 0
  private var quiescingSince: NIODeadline?
  /// The newest request's answer has begun.
  private(set) var hasBegunAnswer = false

  init(now: NIODeadline) {
    waitingSince = now
    exchangeSince = now
    lastProgress = now
  }

  /// The answer that is being written is to a request whose body has not ended.
  var isBodyUnread: Bool { bodySince != nil && openAnswers <= 1 }
  var isDiscarding: Bool { unreadSince != nil }

  mutating func head(now: NIODeadline) {
    bodySince = now
    bodyByteCount = 0
    hasBegunAnswer = false
    if openAnswers == 0 { exchangeSince = now }
    openAnswers += 1
  }

  mutating func body(_ byteCount: Int) { bodyByteCount += Int64(byteCount) }
  mutating func bodyEnded() { bodySince = nil }
  mutating func answerBegan() { hasBegunAnswer = true }

  mutating func answerEnded(now: NIODeadline) {
    openAnswers = max(0, openAnswers - 1)
    waitingSince = now
    exchangeSince = now
  }

  mutating func writeBegan(now: NIODeadline) {
    if writes == 0 { lastProgress = now }
    writes += 1
  }

  mutating func writeEnded(now: NIODeadline) {
    writes -= 1
    lastProgress = now
    waitingSince = max(waitingSince, now)
  }

  /// From here on what comes is thrown away.
  mutating func discard(now: NIODeadline) { unreadSince = now }

  /// False when more has been thrown away than is reasonable.
  mutating func discarded(_ byteCount: Int) -> Bool {
    unreadByteCount += byteCount
    return unreadByteCount <= ConnectionClock.unreadByteCount
  }

  mutating func quiesce(now: NIODeadline) { quiescingSince = now }

  /// The first limit that is reached if nothing happens.
  var deadline: (at: NIODeadline, limit: ServiceMetrics.Cut)? {
    if let unreadSince { return (unreadSince + .seconds(ConnectionClock.unreadSeconds), .unread) }
    var found: [(at: NIODeadline, limit: ServiceMetrics.Cut)] = []
    if let bodySince {
      let seconds =
        ConnectionClock.bodySeconds + bodyByteCount / ConnectionClock.bodyBytesPerSecond
      found.append((bodySince + .seconds(seconds), .body))
    }
    if writes > 0 {
      found.append((lastProgress + .seconds(ConnectionClock.stallSeconds), .stall))
    }
    if openAnswers > 0 {
      found.append((exchangeSince + .seconds(ConnectionClock.ceilingSeconds), .ceiling))
    } else if bodySince == nil, writes == 0 {
      found.append((waitingSince + .seconds(ConnectionClock.headSeconds), .head))
    }
    if let quiescingSince {
      found.append((quiescingSince + .seconds(ConnectionClock.quiesceSeconds), .ceiling))
    }
    return found.min { $0.at < $1.at }
  }
}
