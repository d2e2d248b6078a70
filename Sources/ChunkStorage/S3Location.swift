import Glibc
import ProofPrimitives

/// Which S3 server is meant by `s3://`, and who asks it (`spec/store.md` §3).
package struct S3Settings: Sendable {
  /// `http[s]://host[:port]`; nil for Amazon's server of the region.
  package var endpoint: String?
  package var region: String?
  /// Nil asks without a signature, which public buckets allow.
  package var credentials: S3Credentials?

  package init(endpoint: String? = nil, region: String? = nil, credentials: S3Credentials? = nil) {
    self.endpoint = endpoint
    self.region = region
    self.credentials = credentials
  }

  /// What the environment says: `POL_S3_ENDPOINT`, else `AWS_ENDPOINT_URL_S3`, else
  /// `AWS_ENDPOINT_URL`; `AWS_REGION`, else `AWS_DEFAULT_REGION`; `AWS_ACCESS_KEY_ID`,
  /// `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`. An empty variable counts as none.
  ///
  /// - Throws: `.malformed` for half a pair of keys, or one that no header can carry.
  package static func environment(
    _ value: (String) -> String? = { getenv($0).map { String(cString: $0) } }
  ) throws(StorageError) -> S3Settings {
    func first(_ names: String...) -> String? {
      for name in names {
        if let text = value(name), !text.isEmpty { return text }
      }
      return nil
    }
    var settings = S3Settings(
      endpoint: first("POL_S3_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
      region: first("AWS_REGION", "AWS_DEFAULT_REGION"))
    let accessKey = first("AWS_ACCESS_KEY_ID")
    let secretKey = first("AWS_SECRET_ACCESS_KEY")
    let token = first("AWS_SESSION_TOKEN")
    for (name, text) in [("AWS_ACCESS_KEY_ID", accessKey), ("AWS_SESSION_TOKEN", token)] {
      guard let text, !text.utf8.allSatisfy({ $0 > 32 && $0 < 127 }) else { continue }
      throw StorageError(
        .malformed, at: name, "it holds a space, a line end or another character that no key has",
        remedy: "set it again, without the space around it")
    }
    switch (accessKey, secretKey) {
    case (let accessKey?, let secretKey?):
      settings.credentials = S3Credentials(
        accessKey: accessKey, secretKey: secretKey, sessionToken: token)
    case (nil, nil): break
    default:
      throw StorageError(
        .malformed, at: "the environment",
        "only one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set", remedy: "set both")
    }
    return settings
  }
}

/// `s3://bucket/prefix` on the server of some settings.
struct S3Location: Sendable {
  let bucket: String
  /// Without slashes at its ends; empty for the whole bucket.
  let prefix: String
  let region: String
  /// The server itself.
  let server: HTTPLocation
  /// Path style: the bucket is the first component of the path, so that any endpoint will do.
  let base: HTTPLocation

  /// S3 allows 1,024 bytes for a key; what we add to a prefix has less than 64.
  private static let prefixLimit = 960

  /// - Throws: `.malformed` for what is no such URL, or an endpoint that is more than a server.
  init(_ url: String, _ settings: S3Settings) throws(StorageError) {
    func refusal(_ message: String, _ remedy: String) -> StorageError {
      StorageError(.malformed, at: printable(url), message, remedy: remedy)
    }
    guard url.lowercased().hasPrefix("s3://") else {
      throw refusal("it is no s3 URL", "write it as s3://bucket/prefix")
    }
    var parts = url.dropFirst(5).split(separator: "/", omittingEmptySubsequences: false)
    while parts.count > 1, parts.last == "" { parts.removeLast() }
    bucket = parts.isEmpty ? "" : String(parts.removeFirst())
    guard (3...63).contains(bucket.utf8.count),
      bucket.utf8.allSatisfy({
        (97...122).contains($0) || (48...57).contains($0) || $0 == 45 || $0 == 46
      }), bucket != "..."
    else {
      throw refusal(
        "\"\(printable(bucket))\" is no name of a bucket",
        "a bucket has 3 to 63 small letters, digits, dots and hyphens: s3://bucket/prefix")
    }
    prefix = parts.joined(separator: "/")
    // Unlike a file's name, a key may hold anything; what a proxy would read as a path is left out.
    guard prefix.utf8.count <= S3Location.prefixLimit,
      parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." }),
      prefix.utf8.allSatisfy({ $0 >= 32 && $0 != 127 })
    else {
      throw refusal(
        "the prefix has an empty part, a dot part, a control character, or more than "
          + "\(S3Location.prefixLimit) bytes", "choose another prefix")
    }

    let region = settings.region ?? "us-east-1"
    guard !region.isEmpty, region.utf8.count <= 64,
      region.utf8.allSatisfy({
        (97...122).contains($0) || (65...90).contains($0) || (48...57).contains($0) || $0 == 45
          || $0 == 95
      })
    else {
      throw StorageError(
        .malformed, at: "\"\(printable(region))\"", "this is no name of a region",
        remedy: "set AWS_REGION, or give --region")
    }
    self.region = region
    server = try HTTPLocation(settings.endpoint ?? "https://s3.\(region).amazonaws.com")
    base = server.appending([bucket] + parts.map(String.init))
  }

  /// The bucket itself, which is asked to list.
  var bucketTarget: HTTPTarget {
    HTTPTarget(origin: server.origin, path: server.path + "/" + bucket)
  }
}
