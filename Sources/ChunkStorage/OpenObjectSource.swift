import Cryptography
import ProofPrimitives

/// Told what is odd about a server, in a sentence without an end; from any thread.
package typealias SourceNotice = @Sendable (String) -> Void

/// The source that a user's word stands for: an `http://`, `https://` or `s3://` URL, else a directory.
///
/// - Parameter settings: For `s3://`; the environment's when nil.
package func openObjectSource(
  _ location: String, s3 settings: S3Settings? = nil, notice: @escaping SourceNotice = { _ in }
) throws(StorageError) -> any ObjectSource {
  switch urlScheme(location) {
  case nil: return try DirectoryObjectSource(location)
  case "http", "https": return try HTTPObjectSource(location, notice: notice)
  case "s3":
    let settings = if let settings { settings } else { try S3Settings.environment() }
    return HTTPObjectSource(
      try HTTPClient(S3Location(location, settings), settings), notice: notice)
  default:
    throw StorageError(
      .unsupported, at: printable(location),
      "only directories and http, https or s3 servers are read",
      remedy: "give a path, or a URL that starts with https://")
  }
}

/// `https` for `HTTPS://host`; nil for what is no URL.
func urlScheme(_ location: String) -> String? {
  let scheme = location.prefix { $0.isASCII && ($0.isLetter || $0.isNumber) }
  guard !scheme.isEmpty, location[scheme.endIndex...].hasPrefix("://") else { return nil }
  return scheme.lowercased()
}

extension HTTPClient {
  /// Requests below an S3 location, signed where there are credentials.
  convenience init(
    _ location: S3Location, _ settings: S3Settings, patience: HTTPPatience = HTTPPatience()
  ) throws(StorageError) {
    try self.init(
      location.base,
      signer: settings.credentials.map { S3Signer(region: location.region, credentials: $0) },
      patience: patience)
  }
}

extension ObjectSource {
  /// SHA-256 of an object, read in pieces.
  func digest(of name: String, byteCount: Int) throws(StorageError) -> Digest {
    let hasher = SHA256()
    var offset = 0
    while offset < byteCount {
      let end = min(byteCount, offset + pieceByteCount)
      hasher.update(try read(name, range: offset..<end))
      offset = end
    }
    return hasher.finish()
  }
}

/// What is asked of a source at a time when a whole object is copied: 4 MiB, so that four at once stay
/// far below 64 MiB, and a lost connection costs little.
package let pieceByteCount = 4 << 20
