import ProofPrimitives

/// What an S3 server says when it refuses: `<Error><Code>…</Code><Message>…</Message>…</Error>`.
struct S3ErrorReply: Sendable {
  let code: String
  let message: String
  /// Where the bucket is, when the request was signed for another region.
  let region: String?

  /// Nil for anything else.
  init?(_ body: [UInt8]) {
    guard let error = XMLElements(body).first("Error"), let code = error.first("Code") else {
      return nil
    }
    self.code = code.text
    message = error.first("Message")?.text ?? ""
    region = error.first("Region")?.text
  }

  /// - Parameter isSigned: Whether the request was.
  func error(_ status: String, at place: String, isSigned: Bool) -> StorageError {
    let text = printable(message, limit: 200)
    let said =
      "\(status): \(printable(code, limit: 60))" + (text.isEmpty ? "" : ", \"\(text)\"")
    let keys = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    switch code {
    case "NoSuchBucket":
      return StorageError(.missing, at: place, said, remedy: "check the bucket and the endpoint")
    case "SignatureDoesNotMatch", "InvalidAccessKeyId", "InvalidToken", "ExpiredToken":
      return StorageError(
        .io, at: place, said,
        remedy: "check \(keys), and that AWS_REGION is the server's region")
    case "AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException":
      let hint = region.map { ": it is \(printable($0, limit: 40))" } ?? ""
      return StorageError(
        .io, at: place, said, remedy: "set AWS_REGION to the region of the bucket\(hint)")
    case "RequestTimeTooSkewed":
      return StorageError(.io, at: place, said, remedy: "set this machine's clock")
    case "AccessDenied" where !isSigned:
      return StorageError(
        .io, at: place, said, remedy: "set \(keys); the request was sent without a signature")
    case "AccessDenied":
      return StorageError(
        .io, at: place, said,
        remedy: "check that this key may do this; where listing is not allowed, S3 also says this "
          + "of an object that is not there")
    default: return StorageError(.io, at: place, said, remedy: "see the server's documentation")
    }
  }
}
