import ProofPrimitives
import TransparencyLedger

/// What a client is told when it does not get what it asked for (`spec/ledger-service.md` §7).
///
/// It crosses to strangers, so it holds no path of this host and no inner error.
struct ServiceProblem: Error, Hashable, Sendable {
  let status: Int
  let code: String
  let detail: String
  let remedy: String
  var retryAfterSeconds: Int?

  init(
    _ status: Int, _ code: String, _ detail: String, remedy: String, retryAfterSeconds: Int? = nil
  ) {
    self.status = status
    self.code = code
    self.detail = detail
    self.remedy = remedy
    self.retryAfterSeconds = retryAfterSeconds
  }

  /// Why bytes are not taken as an entry; the reason comes from the bytes alone.
  init(refusing reason: LedgerError) {
    switch reason.code {
    case .logEnded: self.init(410, reason.code.name, reason.message, remedy: reason.remedy)
    case .notBegun:
      self.init(
        503, reason.code.name, reason.message, remedy: "send it again later",
        retryAfterSeconds: ServiceLimits.retryAfterStopSeconds)
    default: self.init(422, reason.code.name, reason.message, remedy: reason.remedy)
    }
  }

  static let titles: [Int: String] = [
    400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    406: "Not Acceptable", 408: "Request Timeout", 410: "Gone", 412: "Precondition Failed",
    413: "Content Too Large", 415: "Unsupported Media Type", 416: "Range Not Satisfiable",
    422: "Unprocessable Content", 429: "Too Many Requests", 500: "Internal Server Error",
    503: "Service Unavailable",
  ]

  /// The problem document (RFC 9457).
  var document: [UInt8] {
    JSONValue.map([
      ("code", .string(code)), ("detail", .string(detail)), ("remedy", .string(remedy)),
      ("status", .int(status)), ("title", .string(ServiceProblem.titles[status] ?? "Error")),
    ]).encoded
  }

  static let notFound = ServiceProblem(
    404, "notFound", "nothing is served at this path",
    remedy: "read the paths in /openapi.yaml; a tile is there once a tree head covers it")
  static let noIndex = ServiceProblem(
    404, "noIndex", "this service keeps no index of the log",
    remedy: "ask the log's own service, or read the bundles")
  static let internalFailure = ServiceProblem(
    500, "internal", "the service could not read what it serves", remedy: "try again later")
  static let tooLong = ServiceProblem(
    413, "entryTooLong", "an entry has at most \(ServiceLimits.entryByteCount) bytes",
    remedy: "log a digest of it instead")
  static let tooSlow = ServiceProblem(
    408, "tooSlow", "the body did not come in time", remedy: "send it again, faster")
  static let readOnly = ServiceProblem(
    403, "readOnly", "this service takes no entries", remedy: "send it to the log's writer")
  static let encodedBody = ServiceProblem(
    415, "encodedBody", "the body has a content coding", remedy: "send the entry's own bytes")
  static let notAcceptable = ServiceProblem(
    406, "notAcceptable", "none of the forms of an answer is acceptable",
    remedy: "accept application/json, text/x.tlog.proof or text/plain")
  static let preconditionFailed = ServiceProblem(
    412, "preconditionFailed", "the resource is not the one that If-Match names",
    remedy: "fetch it again")
  static let queueFull = ServiceProblem(
    503, "queueFull", "too many entries wait for a place", remedy: "send it again later",
    retryAfterSeconds: ServiceLimits.retryAfterSeconds)
  static let noSpace = ServiceProblem(
    503, "noSpace", "the log has too little room on its disk",
    remedy: "send it again later, or tell the log's operator",
    retryAfterSeconds: ServiceLimits.retryAfterStopSeconds)
  static let writerStopped = ServiceProblem(
    503, "writerStopped", "the log stopped in the middle of a batch",
    remedy: "send it again; an entry that was logged meanwhile is not logged twice",
    retryAfterSeconds: ServiceLimits.retryAfterStopSeconds)
  static let quorumMissing = ServiceProblem(
    503, "quorumMissing", "the witnesses that a tree head of this log needs did not sign in time",
    remedy: "send it again later: an entry keeps its place and gets its first receipt",
    retryAfterSeconds: ServiceLimits.retryAfterStopSeconds)
  static let stopping = ServiceProblem(
    503, "stopping", "the service is about to stop", remedy: "send it again later",
    retryAfterSeconds: ServiceLimits.retryAfterStopSeconds)

  static func quota(_ code: String, _ whose: String, seconds: Int) -> ServiceProblem {
    ServiceProblem(
      429, code, "too many additions from this \(whose)",
      remedy: "wait for the time that Retry-After says, then send it again",
      retryAfterSeconds: seconds)
  }

  static func notSatisfiable(_ byteCount: Int) -> ServiceProblem {
    ServiceProblem(
      416, "rangeNotSatisfiable", "the range begins behind the last of \(byteCount) bytes",
      remedy: "ask for bytes that are there")
  }
}
