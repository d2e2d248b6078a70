import Cryptography
import ProofPrimitives

/// AWS Signature Version 4 in the `Authorization` header, the form that S3 servers ask for.
///
/// Source: "AWS Signature Version 4 for API requests" (AWS IAM User Guide) and "Authenticating Requests:
/// Using the Authorization Header" (Amazon S3 API Reference). libcurl's own signer is not used: up to
/// 8.x it neither sends `x-amz-content-sha256` nor sorts a query. Vectors: `testvectors/sigv4`.
struct S3Signature {
  /// What is signed. Every header given is signed.
  struct Request {
    let method: String
    /// From the first slash on, percent-encoded once, as it is sent.
    let path: String
    /// Not encoded.
    let query: [(name: String, value: String)]
    /// With `Host`, `X-Amz-Date` and `X-Amz-Content-Sha256`.
    let headers: [(name: String, value: String)]
    let payloadDigest: Digest
  }

  private static let algorithm = "AWS4-HMAC-SHA256"

  let region: String
  /// `s3` but for tests.
  var service = "s3"
  let credentials: S3Credentials
  /// `YYYYMMDDThhmmssZ`, the `X-Amz-Date` header.
  let time: String

  private var day: String { String(time.prefix(8)) }
  private var scope: String { "\(day)/\(region)/\(service)/aws4_request" }

  /// The value of the `Authorization` header.
  func authorization(_ request: Request) -> String {
    let names = S3Signature.canonicalHeaders(request).map(\.name).joined(separator: ";")
    return "\(S3Signature.algorithm) Credential=\(credentials.accessKey)/\(scope), "
      + "SignedHeaders=\(names), Signature=\(signature(request))"
  }

  private func signature(_ request: Request) -> String {
    let canonical = S3Signature.canonical(request)
    let text = [
      S3Signature.algorithm, time, scope, SHA256.hash(Array(canonical.utf8)).hex,
    ].joined(separator: "\n")
    var key = Array("AWS4\(credentials.secretKey)".utf8)
    for part in [day, region, service, "aws4_request", text] {
      key = hmacSHA256(key: key, message: Array(part.utf8)).bytes
    }
    return Hex.encode(key)
  }

  /// Method, path, sorted query, sorted headers, their names, and the body's digest, a line each.
  static func canonical(_ request: Request) -> String {
    let pairs = request.query.map {
      (name: HTTPLocation.encode($0.name), value: HTTPLocation.encode($0.value))
    }.sorted { ($0.name, $0.value) < ($1.name, $1.value) }
    let headers = canonicalHeaders(request)
    return [
      request.method, request.path.isEmpty ? "/" : request.path,
      pairs.map { "\($0.name)=\($0.value)" }.joined(separator: "&"),
      headers.map { "\($0.name):\($0.value)\n" }.joined(),
      headers.map(\.name).joined(separator: ";"), request.payloadDigest.hex,
    ].joined(separator: "\n")
  }

  /// Lower-case names in order, each once; runs of spaces in values become one.
  private static func canonicalHeaders(_ request: Request) -> [(name: String, value: String)] {
    var values: [String: [String]] = [:]
    for header in request.headers {
      let value = header.value.split { $0 == " " || $0 == "\t" }.joined(separator: " ")
      values[header.name.lowercased(), default: []].append(value)
    }
    return values.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
      .map { ($0, values[$0, default: []].joined(separator: ",")) }
  }
}
