import CTransport
import Glibc
import ProofPrimitives
import Synchronization

/// The objects below a URL, read from any static file server that knows ranges.
///
/// The server is a stranger: it can refuse, stall and lie about bytes, which digests then show, but it
/// cannot make a reader keep more than was asked for, wait for ever, follow it elsewhere, or print to
/// the terminal. Requests go out one at a time over one kept connection; threads wait for each other.
package final class HTTPObjectSource: ObjectSource {
  /// A server that does not know ranges answers with the whole object, which is accepted up to here
  /// and counted as transferred. Beyond, each read would cost the whole of a large file again.
  static let ignoredRangeLimit = 64 << 20

  package let location: String
  private let server: HTTPLocation
  private let patience: HTTPPatience
  private let connection: Mutex<HTTPConnection>
  private let count = Mutex(TransferCount())

  /// Connects to nothing yet. A slash at the end of the URL makes no difference.
  /// - Throws: `.malformed` for a URL with credentials, a query or a fragment, or one that is none.
  package convenience init(_ url: String) throws(StorageError) {
    try self.init(url, patience: HTTPPatience())
  }

  init(_ url: String, patience: HTTPPatience) throws(StorageError) {
    server = try HTTPLocation(url)
    location = server.base
    self.patience = patience
    guard let connection = HTTPConnection() else {
      throw StorageError(
        .io, at: printable(url), "libcurl could not be started", remedy: "check its installation")
    }
    self.connection = Mutex(connection)
  }

  package var transfer: TransferCount { count.withLock { $0 } }

  /// Asks with HEAD, or for the first byte where HEAD is refused or tells no size.
  package func byteCount(of name: String) throws(StorageError) -> Int? {
    let url = try self.url(of: name)
    let answer = try ask(.head, url)
    switch answer.status {
    case 404, 410: return nil
    case 200:
      if let byteCount = answer.contentByteCount { return byteCount }
    case 400, 403, 405, 501: break
    default: throw unexpected(answer, url)
    }

    let probe = try ask(.range(0..<1), url)
    switch probe.status {
    case 404, 410: return nil
    case 200:
      try checkWhole(probe, url)
      return probe.body.count
    case 206, 416:
      guard let total = HTTPContentRange(probe.contentRange)?.total else {
        throw badRange(probe, url)
      }
      return total
    default: throw unexpected(probe, url)
    }
  }

  package func read(_ name: String, range: Range<Int>) throws(StorageError) -> [UInt8] {
    let url = try self.url(of: name)
    guard range.lowerBound >= 0 else { throw rangeMissing(range, of: 0, at: printable(url)) }
    guard !range.isEmpty else {
      // No Range header asks for nothing; the contract still wants the object to reach there.
      guard let byteCount = try byteCount(of: name) else { throw missing(url) }
      guard range.upperBound <= byteCount else {
        throw rangeMissing(range, of: byteCount, at: printable(url))
      }
      return []
    }
    let answer = try ask(.range(range), url)
    switch answer.status {
    case 404, 410: throw missing(url)
    case 416:
      let total = HTTPContentRange(answer.contentRange)?.total
      throw StorageError(
        .missing, at: printable(url, limit: 1000),
        "bytes \(range.lowerBound)..<\(range.upperBound) are asked for and there are "
          + (total.map { "\($0)" } ?? "fewer"), remedy: "fetch from a server that has it whole")
    case 200:
      // The server ignored the range.
      try checkWhole(answer, url)
      guard range.upperBound <= answer.body.count else {
        throw rangeMissing(range, of: answer.body.count, at: printable(url))
      }
      return Array(answer.body[range])
    case 206: return try partialBody(answer, range, url)
    default: throw unexpected(answer, url)
    }
  }

  package func readWhole(_ name: String, limit: Int) throws(StorageError) -> [UInt8]? {
    let url = try self.url(of: name)
    let answer = try ask(.whole(limit: limit), url)
    switch answer.status {
    case 404, 410: return nil
    case 200:
      try checkWhole(answer, url)
      return answer.body
    default: throw unexpected(answer, url)
    }
  }

  private func url(of name: String) throws(StorageError) -> String {
    server.url(of: try ObjectName(name, in: location))
  }
}

// MARK: - What answers are believed

extension HTTPObjectSource {
  private func checkWhole(_ answer: HTTPAnswer, _ url: String) throws(StorageError) {
    guard answer.outcome != ct_overflow else {
      throw StorageError(
        .limit, at: printable(url, limit: 1000),
        "the body is larger than what is accepted here"
          + (answer.contentByteCount.map { " (it has \($0) bytes)" } ?? ""),
        remedy: "use a server that answers ranges, and check that the URL is the right one")
    }
    guard answer.isFramed else {
      throw StorageError(
        .malformed, at: printable(url, limit: 1000),
        "the answer does not state its length, so its end cannot be told from a lost connection",
        remedy: "use a server that sends Content-Length")
    }
  }

  private func partialBody(
    _ answer: HTTPAnswer, _ range: Range<Int>, _ url: String
  ) throws(StorageError) -> [UInt8] {
    guard let content = HTTPContentRange(answer.contentRange), let sent = content.range else {
      throw badRange(answer, url)
    }
    if let total = content.total, total < range.upperBound, sent.lowerBound == range.lowerBound {
      throw rangeMissing(range, of: total, at: printable(url, limit: 1000))
    }
    guard sent == range, answer.outcome == ct_done, answer.body.count == range.count else {
      throw badRange(answer, url)
    }
    return answer.body
  }

  private func badRange(_ answer: HTTPAnswer, _ url: String) -> StorageError {
    StorageError(
      .malformed, at: printable(url, limit: 1000),
      "the server answers another range than the one asked for (Content-Range: "
        + "\"\(printable(answer.contentRange, limit: 80))\", \(answer.receivedByteCount) bytes)",
      remedy: "use a server that answers single byte ranges")
  }

  private func missing(_ url: String) -> StorageError {
    StorageError(
      .missing, at: printable(url, limit: 1000), "the server has no such object",
      remedy: "check the URL")
  }

  private func unexpected(_ answer: HTTPAnswer, _ url: String) -> StorageError {
    let status = "the server answers \(answer.status) (\(printable(answer.statusLine, limit: 80)))"
    guard !(300..<400).contains(answer.status) else {
      return StorageError(
        .io, at: printable(url, limit: 1000),
        "\(status), sending us to \"\(printable(answer.redirect))\"; redirects are not followed",
        remedy: "give the final URL yourself if you trust it")
    }
    return StorageError(
      .io, at: printable(url, limit: 1000), status, remedy: "check the URL and the server")
  }
}

// MARK: - Asking, and asking again

extension HTTPObjectSource {
  /// An answer that arrived, whatever its status; passing faults have been tried again.
  private func ask(_ question: HTTPQuestion, _ url: String) throws(StorageError) -> HTTPAnswer {
    var tries = 0
    while true {
      let answer = connection.withLock { connection in
        connection.ask(question, url: url, location: server, patience: patience)
      }
      count.withLock {
        $0.requests += 1
        $0.bytes += answer.receivedByteCount
      }
      tries += 1
      guard let fault = passingFault(answer, question) else {
        try checkArrived(answer, url)
        return answer
      }
      guard tries <= patience.pauses.count else {
        throw StorageError(
          .io, at: printable(url, limit: 1000), "\(fault), \(tries) times",
          remedy: "check the server and the network, then try again")
      }
      sleep(answer, patience.pauses[tries - 1])
    }
  }

  /// Why the same question may have another answer soon, or nil.
  private func passingFault(_ answer: HTTPAnswer, _ question: HTTPQuestion) -> String? {
    switch answer.outcome {
    case ct_broken: return "the connection failed: \(printable(answer.message))"
    case ct_done: break
    default: return nil
    }
    switch answer.status {
    // Not implemented, and HTTP version not supported, will be the same the next time.
    case 501, 505: return nil
    case 429, 500..<600:
      return "the server answers \(answer.status) (\(printable(answer.statusLine, limit: 80)))"
    case 206:
      guard case .range(let range) = question, answer.body.count < range.count,
        HTTPContentRange(answer.contentRange)?.range == range
      else { return nil }
      return "the body ends after \(answer.body.count) of \(range.count) bytes"
    default: return nil
    }
  }

  private func checkArrived(_ answer: HTTPAnswer, _ url: String) throws(StorageError) {
    let place = printable(url, limit: 1000)
    switch answer.outcome {
    case ct_done, ct_overflow: break
    case ct_timeout:
      throw StorageError(
        .io, at: place, "the server is too slow: \(printable(answer.message))",
        remedy: "check the server and the network, then try again")
    case ct_header_overflow:
      throw StorageError(
        .malformed, at: place, "the headers of the answer never end",
        remedy: "check that this is a file server")
    default:
      throw StorageError(
        .io, at: place, "the request failed: \(printable(answer.message))",
        remedy: "check the URL, the network and the server's certificate")
    }
    guard answer.contentEncoding.isEmpty || answer.contentEncoding.lowercased() == "identity" else {
      throw StorageError(
        .malformed, at: place,
        "the server encodes the content (\(printable(answer.contentEncoding, limit: 40))), "
          + "which was not asked for", remedy: "turn compression off for these files")
    }
  }

  private func sleep(_ answer: HTTPAnswer, _ pause: Duration) {
    var pause = pause
    if let seconds = HTTPContentRange.number(answer.retryAfter) {
      pause = max(pause, min(.seconds(seconds), patience.longestPause))
    }
    let parts = pause.components
    var left = timespec(
      tv_sec: Int(parts.seconds), tv_nsec: Int(parts.attoseconds / 1_000_000_000))
    var rest = timespec()
    while nanosleep(&left, &rest) != 0 && errno == EINTR { left = rest }
  }
}
