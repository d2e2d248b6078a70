import CTransport
import ProofPrimitives
import Synchronization

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

  /// Bytes a second; the largest number gives no time beyond `answerTime`.
  var slowestRate = 4096

  func deadline(_ byteCount: Int) -> Duration {
    answerTime + .seconds(byteCount / slowestRate)
  }

  /// Asks once, and waits this long for all of it.
  static func once(within time: Duration) -> HTTPPatience {
    HTTPPatience(
      connectTime: time, stallTime: time, answerTime: time, pauses: [], slowestRate: .max)
  }
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
  var etag = ""
  /// `x-amz-meta-pol-sha256`.
  var digest = ""
  var body: [UInt8] = []
  var receivedByteCount = 0

  /// The end of the body could be told from a lost connection.
  var isFramed: Bool { isChunked || contentByteCount != nil }
}

/// One libcurl handle and its kept connection.
final class HTTPConnection: @unchecked Sendable {
  // Unchecked: `HTTPConnections` lends a connection to one thread at a time.
  private let handle: OpaquePointer

  init?() {
    guard let handle = ct_create() else { return nil }
    self.handle = handle
  }

  deinit { ct_destroy(handle) }

  /// - Parameter headers: Lines `Name: value` beyond those that every request has.
  func ask(
    _ request: HTTPRequest, headers: [String], bypassesProxy: Bool, patience: HTTPPatience
  ) -> HTTPAnswer {
    var raw = ct_request()
    switch request.method {
    case .get: raw.method = ct_get
    case .head: raw.method = ct_head
    case .put: raw.method = ct_put
    case .post: raw.method = ct_post
    case .delete: raw.method = ct_delete
    }
    raw.partialLimit = request.range?.count ?? 0
    raw.wholeLimit = request.wholeLimit
    raw.bypassProxy = bypassesProxy
    raw.connectTimeoutMilliseconds = max(1, Self.milliseconds(patience.connectTime))
    raw.stallSeconds = max(1, Self.milliseconds(patience.stallTime) / 1000)
    raw.deadlineMilliseconds = max(
      1, Self.milliseconds(patience.deadline(request.expectedByteCount)))
    raw.uploadFile = -1
    raw.uploadByteCount = request.body.byteCount

    return withCStrings([request.url] + headers) { texts in
      raw.url = texts[0]
      return texts[1...].withUnsafeBufferPointer { lines in
        raw.headers = lines.baseAddress
        raw.headerCount = lines.count
        return withBody(request.body, &raw) { perform(&$0) }
      }
    }
  }

  private func withBody(
    _ body: HTTPRequest.Body, _ raw: inout ct_request, _ perform: (inout ct_request) -> HTTPAnswer
  ) -> HTTPAnswer {
    switch body {
    case .none: return perform(&raw)
    case .bytes(let bytes):
      return bytes.withUnsafeBufferPointer { buffer in
        raw.upload = buffer.baseAddress
        return perform(&raw)
      }
    case .file(let file, let range, _):
      return file.withDescriptor { descriptor in
        raw.uploadFile = descriptor
        raw.uploadOffset = Int64(range.lowerBound)
        return perform(&raw)
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
    answer.etag = text(response.etag)
    answer.digest = text(response.digest)
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

/// Connections that are open and asked nothing at the moment. The one used last is lent first, so
/// that a reader that asks for one thing after another keeps to one connection.
final class HTTPConnections: Sendable {
  /// Browsers keep six to a server; eight files at once saturate what one disk serves.
  static let keptLimit = 8

  private let idle: Mutex<[HTTPConnection]>

  /// Nil when libcurl cannot be started.
  init?() {
    guard let first = HTTPConnection() else { return nil }
    idle = Mutex([first])
  }

  /// Lends a connection to `body`, a new one when none is idle; nil when memory is out.
  func lend(_ body: (HTTPConnection) -> HTTPAnswer) -> HTTPAnswer? {
    guard let connection = idle.withLock({ $0.popLast() }) ?? HTTPConnection() else { return nil }
    defer {
      idle.withLock { if $0.count < Self.keptLimit { $0.append(connection) } }
    }
    return body(connection)
  }
}

/// C strings for the time of a call.
private func withCStrings<Result>(
  _ texts: [String], _ body: ([UnsafePointer<CChar>?]) -> Result
) -> Result {
  let buffers = texts.map { $0.utf8CString }
  func next(_ position: Int, _ pointers: [UnsafePointer<CChar>?]) -> Result {
    guard position < buffers.count else { return body(pointers) }
    return buffers[position].withUnsafeBufferPointer {
      next(position + 1, pointers + [$0.baseAddress])
    }
  }
  return next(0, [])
}
