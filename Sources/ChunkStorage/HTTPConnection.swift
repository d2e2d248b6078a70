import CTransport
import ProofPrimitives

/// How long a server may take.
struct HTTPPatience: Sendable {
  var connectTime: Duration = .seconds(10)
  /// Below one byte a second for this long is the end.
  var stallTime: Duration = .seconds(30)
  /// A whole answer has this long, and another second for each `slowestRate` bytes it may hold: a
  /// server that drips its bytes cannot hold a verifier for ever.
  var answerTime: Duration = .seconds(60)
  /// Before the second, third and fourth try.
  var pauses: [Duration] = [.milliseconds(100), .milliseconds(400), .milliseconds(1600)]
  /// The longest `Retry-After` that is waited for.
  var longestPause: Duration = .seconds(5)

  static let slowestRate = 4096

  func deadline(_ byteCount: Int) -> Duration {
    answerTime + .seconds(byteCount / Self.slowestRate)
  }
}

/// What is asked of a server.
enum HTTPQuestion: Sendable, Equatable {
  case head
  case range(Range<Int>)
  case whole(limit: Int)
}

/// What came back, copied out of the C side. All texts are the server's.
struct HTTPAnswer: Sendable {
  var outcome = ct_failed
  var message = ""
  var status = 0
  var statusLine = ""
  /// `Content-Length`, nil when there was none.
  var contentByteCount: Int?
  var isChunked = false
  var contentRange = ""
  var contentEncoding = ""
  var redirect = ""
  var retryAfter = ""
  var body: [UInt8] = []
  var receivedByteCount = 0

  /// The end of the body could be told from a lost connection.
  var isFramed: Bool { isChunked || contentByteCount != nil }
}

/// One libcurl handle and its kept connection; its owner guards it with a lock.
struct HTTPConnection: ~Copyable {
  private let handle: OpaquePointer

  init?() {
    guard let handle = ct_create() else { return nil }
    self.handle = handle
  }

  deinit { ct_destroy(handle) }

  mutating func ask(
    _ question: HTTPQuestion, url: String, location: HTTPLocation, patience: HTTPPatience
  ) -> HTTPAnswer {
    var request = ct_request()
    var range: String?
    var byteCount = 0
    switch question {
    case .head: request.head = true
    case .range(let wanted):
      range = "\(wanted.lowerBound)-\(wanted.upperBound - 1)"
      byteCount = wanted.count
      request.partialLimit = wanted.count
      request.wholeLimit = HTTPObjectSource.ignoredRangeLimit
    case .whole(let limit):
      byteCount = max(0, limit)
      request.wholeLimit = max(0, limit)
    }
    request.bypassProxy = location.isLoopback
    request.connectTimeoutMilliseconds = max(1, Self.milliseconds(patience.connectTime))
    request.stallSeconds = max(1, Self.milliseconds(patience.stallTime) / 1000)
    request.deadlineMilliseconds = max(1, Self.milliseconds(patience.deadline(byteCount)))

    return url.withCString { url in
      request.url = url
      guard let range else { return perform(&request) }
      return range.withCString { range in
        request.range = range
        return perform(&request)
      }
    }
  }

  private func perform(_ request: inout ct_request) -> HTTPAnswer {
    let response = ct_perform(handle, &request)
    defer { ct_release_body(handle) }
    func text(_ pointer: UnsafePointer<CChar>?) -> String {
      pointer.map { String(cString: $0) } ?? ""
    }
    var answer = HTTPAnswer()
    answer.outcome = response.outcome
    answer.message = text(response.message)
    answer.status = response.status
    answer.statusLine = text(response.statusLine)
    answer.contentByteCount =
      response.contentLength >= 0 ? Int(response.contentLength) : nil
    answer.isChunked = response.chunked
    answer.contentRange = text(response.contentRange)
    answer.contentEncoding = text(response.contentEncoding)
    answer.redirect = text(response.location)
    answer.retryAfter = text(response.retryAfter)
    if let body = response.body {
      answer.body = Array(UnsafeBufferPointer(start: body, count: response.bodyByteCount))
    }
    answer.receivedByteCount = response.receivedByteCount
    return answer
  }

  /// Bounded by a day, so that no limit overflows C's `long`.
  private static func milliseconds(_ duration: Duration) -> Int {
    let bounded = min(max(duration, .zero), .seconds(86_400))
    let parts = bounded.components
    return Int(parts.seconds) * 1000 + Int(parts.attoseconds / 1_000_000_000_000_000)
  }
}
