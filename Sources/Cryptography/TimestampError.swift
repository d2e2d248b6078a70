internal import COpenSSL
internal import ProofPrimitives

/// Why a timestamp is not taken (`spec/time.md` §9).
package struct TimestampError: Error, Sendable, Equatable, CustomStringConvertible {
  package struct Code: Hashable, Sendable {
    package let name: String
    /// Bytes that are no token, or one that says more or less than RFC 3161 allows.
    package static let badToken = Code(name: "badToken")
    /// The authority answered, and the answer is no.
    package static let refused = Code(name: "timeRefused")
    /// No answer could be had, or none that is a reply.
    package static let unanswered = Code(name: "timeUnanswered")
    /// A token for something else, or for another request.
    package static let otherImprint = Code(name: "otherImprint")
    /// Nothing that is trusted vouches for the token.
    package static let untrusted = Code(name: "untrustedTime")
    /// Somebody who vouches for the token was revoked.
    package static let revoked = Code(name: "revokedTime")
    /// OpenSSL could not do its work.
    package static let library = Code(name: "library")
  }

  package let code: Code
  package let message: String
  package let remedy: String

  package init(_ code: Code, _ message: String, remedy: String) {
    self.code = code
    self.message = message
    self.remedy = remedy
  }

  package var description: String { "\(code.name): \(message); \(remedy)" }

  package static func badToken(_ message: String) -> TimestampError {
    TimestampError(
      .badToken, message, remedy: "ask the authority for a new token, or keep the original reply")
  }

  static var library: TimestampError {
    TimestampError(
      .library, "OpenSSL failed\(lastReason().map { ": \($0)" } ?? "")",
      remedy: "free memory, try again")
  }

  /// What OpenSSL says of the last failure; its queue is empty then.
  static func lastReason() -> String? {
    var last: UInt = 0
    while true {
      let next = ERR_get_error()
      if next == 0 { break }
      last = next
    }
    guard last != 0, let reason = ERR_reason_error_string(last) else { return nil }
    return String(cString: reason)
  }
}
