package import ProofPrimitives

/// A token, and those by which it was renewed before the certificates under it ended (`spec/time.md` §5; the idea
/// is that of RFC 4998 §5.2). Only whole series can be made: each link was checked.
package struct TimestampSeries: Sendable {
  package struct Link: Sendable {
    package let token: TimestampToken
    package let standing: TimestampStanding
  }

  /// Fifty years with two renewals a year are half of it.
  package static let countLimit = 200

  package let first: Link
  package private(set) var newest: Link
  /// Oldest first.
  package private(set) var links: [Link]

  /// - Throws: `otherImprint`, or as `TimestampToken.check`.
  package init(
    _ token: TimestampToken, over imprint: Digest, _ trust: TimestampTrust
  ) throws(TimestampError) {
    guard token.imprint == imprint else { throw .otherImprint(token, imprint) }
    first = Link(token: token, standing: try token.check(trust))
    newest = first
    links = [first]
  }

  /// When the first token was made: what the whole series is worth.
  package var time: Int64 { first.token.time }

  /// The first second at which the newest token's certificates have ended: until then it can be renewed.
  package var validUntil: Int64 { newest.standing.validUntil }

  /// Takes a token over the newest one's bytes.
  ///
  /// - Throws: `otherImprint`; `untrusted` when the token came after the newest one's certificates had ended, when
  ///   nobody could say any more who had their keys; or as `TimestampToken.check`.
  package mutating func renew(
    by token: TimestampToken, _ trust: TimestampTrust
  ) throws(TimestampError) {
    guard links.count < TimestampSeries.countLimit else {
      throw .badToken("a series of over \(TimestampSeries.countLimit) tokens")
    }
    let imprint = TimestampSeries.renewalImprint(of: newest.token)
    guard token.imprint == imprint else { throw .otherImprint(token, imprint) }
    let standing = try token.check(trust)
    guard token.time < newest.standing.validUntil else {
      throw TimestampError(
        .untrusted, "the renewal came after a certificate of the token before it had ended",
        remedy: "renew tokens earlier; believe what is before it only as far as it stands alone")
    }
    newest = Link(token: token, standing: standing)
    links.append(newest)
  }

  /// What a renewal is over: SHA-256 of the token's bytes.
  package static func renewalImprint(of token: TimestampToken) -> Digest { SHA256.hash(token.der) }
}

extension TimestampError {
  package static func otherImprint(
    _ token: TimestampToken, _ wanted: Digest
  ) -> TimestampError {
    TimestampError(
      .otherImprint, "the token is over \(token.imprint.short)…, not over \(wanted.short)…",
      remedy: "look for the token that belongs to it")
  }
}
