import ChunkStorage
package import Cryptography
package import ProofPrimitives

/// A time-stamping authority behind HTTP (RFC 3161 §3.4).
package struct TimeAuthority: Sendable {
  /// Authorities answer within a second; the slowest public ones within some.
  package static let usualPatience = 20

  package let url: String
  private let post: HTTPPost
  private let policy: TimestampPolicy?

  /// - Parameters:
  ///   - policy: Under which it has to work; nil takes any.
  ///   - silentSeconds: How long it may be silent.
  /// - Throws: `.unanswered` for what is no http or https URL.
  package init(
    _ url: String, policy: TimestampPolicy? = nil, silentSeconds: Int = usualPatience
  ) throws(TimestampError) {
    self.url = url
    self.policy = policy
    do throws(StorageError) {
      post = try HTTPPost(url, onceWithin: .seconds(silentSeconds))
    } catch {
      throw TimeAuthority.failure(error)
    }
  }

  /// Asks for a token. One that came is over `imprint` and answers this request; who signed it is not looked at.
  ///
  /// Waits for the authority; asks again after a lost connection, a 429 or a 5xx, which only makes another token.
  package func token(over imprint: Digest) throws(TimestampError) -> TimestampToken {
    let request: TimestampRequest
    do throws(CryptographyError) {
      request = try TimestampRequest(imprint, policy: policy)
    } catch {
      throw TimestampError(.library, error.message, remedy: error.remedy)
    }
    let answer: HTTPPost.Answer
    do throws(StorageError) {
      answer = try post.send(
        request.encoded, type: "application/timestamp-query",
        accept: "application/timestamp-reply", limit: TimestampToken.byteLimit)
    } catch {
      throw TimeAuthority.failure(error)
    }
    guard answer.status == 200 else {
      let isRedirect = (300..<400).contains(answer.status)
      throw TimestampError(
        .unanswered,
        "the authority answers with HTTP status \(answer.status)"
          + (isRedirect ? "; redirects are not followed" : ""),
        remedy: isRedirect
          ? "give the final URL yourself if you trust it"
          : "check the URL; ask again later, or ask another authority")
    }
    return try request.token(in: answer.body)
  }

  private static func failure(_ error: StorageError) -> TimestampError {
    TimestampError(.unanswered, "\(error.place): \(error.message)", remedy: error.remedy)
  }
}
