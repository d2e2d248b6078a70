import CTransport
import Glibc
import ProofPrimitives
import Synchronization

/// Asks one server, signs what has to be signed, asks again after passing faults, and counts.
///
/// Threads may share it: each request has a connection of its own while it lasts.
final class HTTPClient: Sendable {
  let server: HTTPLocation
  private let patience: HTTPPatience
  private let signer: S3Signer?
  private let connections: HTTPConnections
  private let count = Mutex(TransferCount())

  /// Connects to nothing yet.
  init(
    _ server: HTTPLocation, signer: S3Signer? = nil, patience: HTTPPatience = HTTPPatience()
  ) throws(StorageError) {
    self.server = server
    self.signer = signer
    self.patience = patience
    guard let connections = HTTPConnections() else {
      throw StorageError(
        .io, at: printable(server.base), "libcurl could not be started",
        remedy: "check its installation")
    }
    self.connections = connections
  }

  var transfer: TransferCount { count.withLock { $0 } }

  /// One round trip more; whoever asks several things at once calls this once for all of them.
  func countRoundTrip() { count.withLock { $0.roundTrips += 1 } }

  /// An answer that arrived, whatever its status; passing faults have been tried again.
  func ask(_ request: HTTPRequest, retries: [Int] = []) throws(StorageError) -> HTTPAnswer {
    var tries = 0
    while true {
      let answer = try send(request)
      count.withLock {
        $0.requests += 1
        $0.bytes += answer.receivedByteCount
        $0.sentBytes += request.body.byteCount
      }
      tries += 1
      guard let fault = passingFault(answer, request, retries) else {
        try checkArrived(answer, request.url)
        return answer
      }
      guard tries <= patience.pauses.count else {
        throw StorageError(
          .io, at: printable(request.url, limit: 1000),
          tries == 1 ? fault : "\(fault), \(tries) times",
          remedy: "check the server and the network, then try again")
      }
      sleep(answer, patience.pauses[tries - 1])
    }
  }

  private func send(_ request: HTTPRequest) throws(StorageError) -> HTTPAnswer {
    var headers = request.headers
    if let range = request.range {
      headers.append(("Range", "bytes=\(range.lowerBound)-\(range.upperBound - 1)"))
    }
    if let signer { headers = signer.signed(request, headers, server: server) }
    let answer = connections.lend { connection in
      connection.ask(
        request, headers: headers.map { "\($0.name): \($0.value)" },
        bypassesProxy: server.isLoopback, patience: patience)
    }
    guard let answer else {
      throw StorageError(
        .io, at: printable(request.url, limit: 1000), "libcurl has no memory for a connection",
        remedy: "free some memory, then try again")
    }
    return answer
  }

  /// Why the same question may have another answer soon, or nil.
  private func passingFault(
    _ answer: HTTPAnswer, _ request: HTTPRequest, _ retries: [Int]
  ) -> String? {
    switch answer.outcome {
    case ct_broken: return "the connection failed: \(printable(answer.message))"
    case ct_done: break
    default: return nil
    }
    let status = "the server answers \(answer.status) (\(printable(answer.statusLine, limit: 80)))"
    if retries.contains(answer.status) { return status }
    switch answer.status {
    // Not implemented, and HTTP version not supported, will be the same the next time.
    case 501, 505: return nil
    case 429, 500..<600: return status
    case 400:
      // What S3 says when the body was late or changed on its way.
      let code = S3ErrorReply(answer.body)?.code
      guard let code, ["RequestTimeout", "XAmzContentSHA256Mismatch", "BadDigest"].contains(code)
      else { return nil }
      return "\(status): \(code)"
    case 206:
      guard let range = request.range, answer.body.count < range.count,
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
    case ct_untrusted:
      throw StorageError(
        .io, at: place, "the server's certificate is not trusted: \(printable(answer.message))",
        remedy: "name the file of its authority in SSL_CERT_FILE if you trust that one")
    default:
      throw StorageError(
        .io, at: place, "the request failed: \(printable(answer.message))",
        remedy: "check the URL and the network")
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

extension HTTPClient {
  /// What an answer that fits nothing expected says.
  func unexpected(_ answer: HTTPAnswer, _ url: String) -> StorageError {
    let place = printable(url, limit: 1000)
    let status = "the server answers \(answer.status) (\(printable(answer.statusLine, limit: 80)))"
    if let reply = S3ErrorReply(answer.body) {
      return reply.error(status, at: place, isSigned: signer != nil)
    }
    guard !(300..<400).contains(answer.status) else {
      return StorageError(
        .io, at: place,
        "\(status), sending us to \"\(printable(answer.redirect))\"; redirects are not followed",
        remedy: "give the final URL yourself if you trust it")
    }
    return StorageError(.io, at: place, status, remedy: "check the URL and the server")
  }
}
