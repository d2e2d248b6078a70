import CTransport
import Cryptography
import ProofPrimitives

/// What an object's URL is made of, kept apart because a signature covers the parts.
struct HTTPTarget: Sendable {
  /// `http://host:port`.
  let origin: String
  /// From the first slash on, percent-encoded; empty only without an object.
  let path: String
  /// Not encoded; in the order in which they are sent.
  var query: [(name: String, value: String)] = []

  var url: String {
    guard !query.isEmpty else { return origin + path }
    return origin + path + "?"
      + query.map { HTTPLocation.encode($0.name) + "=" + HTTPLocation.encode($0.value) }
      .joined(separator: "&")
  }
}

/// One request, as often as it is sent.
struct HTTPRequest: Sendable {
  enum Body: Sendable {
    case none
    case bytes([UInt8])
    /// SHA-256 of the bytes of the range, which were read for it before.
    case file(OutgoingFile, Range<Int>, digest: Digest)

    var byteCount: Int {
      switch self {
      case .none: 0
      case .bytes(let bytes): bytes.count
      case .file(_, let range, _): range.count
      }
    }

    var digest: Digest {
      switch self {
      case .none: SHA256.hash([UInt8]())
      case .bytes(let bytes): SHA256.hash(bytes)
      case .file(_, _, let digest): digest
      }
    }
  }

  enum Method: String, Sendable {
    case get = "GET"
    case head = "HEAD"
    case put = "PUT"
    case post = "POST"
    case delete = "DELETE"
  }

  var method = Method.get
  var target: HTTPTarget
  var headers: [(name: String, value: String)] = []
  var range: Range<Int>?
  var body = Body.none
  /// Most body bytes that are kept of a 200 answer.
  var wholeLimit = 0
  /// Whether a range is likely to be answered with the whole object, which takes longer.
  var expectsWhole = false

  var url: String { target.url }

  static func head(_ target: HTTPTarget) -> HTTPRequest {
    HTTPRequest(method: .head, target: target)
  }

  /// - Parameter range: Not empty.
  static func range(
    _ target: HTTPTarget, _ range: Range<Int>, expectsWhole: Bool = false
  ) -> HTTPRequest {
    HTTPRequest(
      target: target, range: range, wholeLimit: WholeAnswers.byteLimit,
      expectsWhole: expectsWhole)
  }

  static func whole(_ target: HTTPTarget, limit: Int) -> HTTPRequest {
    HTTPRequest(target: target, wholeLimit: max(0, limit))
  }

  /// Bytes that travel if all goes as it should.
  var expectedByteCount: Int {
    body.byteCount + (expectsWhole ? wholeLimit : range?.count ?? wholeLimit)
  }
}
