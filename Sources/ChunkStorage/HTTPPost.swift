import CTransport

/// One URL that takes bytes and answers with bytes: a service, not a store.
package final class HTTPPost: Sendable {
  package struct Answer: Sendable {
    package let status: Int
    package let body: [UInt8]
  }

  private let client: HTTPClient
  private let target: HTTPTarget

  /// - Parameters:
  ///   - path: Below `url`; plain ASCII without anything to escape.
  ///   - time: Asks once, and gives up after this long; nil is as patient as a client of a store.
  package init(
    _ url: String, path: String = "", onceWithin time: Duration? = nil
  ) throws(StorageError) {
    let location = try HTTPLocation(url)
    client = try HTTPClient(
      location, patience: time.map { .once(within: $0) } ?? HTTPPatience())
    target = HTTPTarget(origin: location.origin, path: location.path + path)
  }

  /// Sends `body`, and again after a passing fault, a 429 or a 5xx: only for what may arrive twice.
  ///
  /// - Returns: Any other status too; the caller knows what it means.
  /// - Throws: `.io` when no answer can be had, `.limit` for one above `limit` bytes.
  package func send(
    _ body: [UInt8], type: String, accept: String, limit: Int
  ) throws(StorageError) -> Answer {
    let request = HTTPRequest(
      method: .post, target: target, headers: [("Content-Type", type), ("Accept", accept)],
      body: .bytes(body), wholeLimit: limit)
    let answer = try client.ask(request)
    guard answer.outcome == ct_done else {
      throw StorageError(
        .limit, at: target.url, "the answer has more than \(limit) bytes",
        remedy: "check that the URL is the right one")
    }
    return Answer(status: answer.status, body: answer.body)
  }
}
