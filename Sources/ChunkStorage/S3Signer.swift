import Glibc
import ProofPrimitives

/// Who asks an S3 server.
package struct S3Credentials: Sendable {
  package let accessKey: String
  package let secretKey: String
  /// Of temporary credentials; nil for lasting ones.
  package let sessionToken: String?

  package init(accessKey: String, secretKey: String, sessionToken: String? = nil) {
    self.accessKey = accessKey
    self.secretKey = secretKey
    self.sessionToken = sessionToken
  }
}

/// Adds to a request what an S3 server wants to see.
struct S3Signer: Sendable {
  let region: String
  let credentials: S3Credentials
  /// Seconds since 1970. A server refuses a signature that is more than 15 minutes old, so each try
  /// has one of its own.
  var clock: @Sendable () -> Int = { time(nil) }

  /// The headers to send, all of them signed.
  func signed(
    _ request: HTTPRequest, _ headers: [(name: String, value: String)], server: HTTPLocation
  ) -> [(name: String, value: String)] {
    let digest = request.body.digest
    let time = S3Signer.timeText(clock())
    var headers = headers
    // Sent in so many words, so that what is signed is what libcurl sends.
    headers.append(("Host", server.authority))
    headers.append(("X-Amz-Content-Sha256", digest.hex))
    headers.append(("X-Amz-Date", time))
    if let token = credentials.sessionToken { headers.append(("X-Amz-Security-Token", token)) }
    let signature = S3Signature(region: region, credentials: credentials, time: time)
    let authorization = signature.authorization(
      S3Signature.Request(
        method: request.method.rawValue, path: request.target.path, query: request.target.query,
        headers: headers, payloadDigest: digest))
    return headers + [("Authorization", authorization)]
  }

  /// `YYYYMMDDThhmmssZ`.
  static func timeText(_ seconds: Int) -> String {
    var seconds = seconds
    var parts = tm()
    gmtime_r(&seconds, &parts)
    func digits(_ value: Int32, _ count: Int) -> String {
      let text = String(value)
      return String(repeating: "0", count: max(0, count - text.count)) + text
    }
    return digits(parts.tm_year + 1900, 4) + digits(parts.tm_mon + 1, 2) + digits(parts.tm_mday, 2)
      + "T" + digits(parts.tm_hour, 2) + digits(parts.tm_min, 2) + digits(parts.tm_sec, 2) + "Z"
  }
}
