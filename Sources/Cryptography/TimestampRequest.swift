internal import COpenSSL
package import ProofPrimitives

/// What is sent to a time-stamping authority (RFC 3161 §2.4.1): the digest, never what was hashed.
package struct TimestampRequest: Sendable {
  /// The SHA-256 that the token is to be over.
  package let imprint: Digest
  /// Tells an answer to this request from an old one.
  package let nonce: [UInt8]
  /// Under which the authority has to work; nil takes any.
  let policy: TimestampPolicy?

  package init(_ imprint: Digest, policy: TimestampPolicy? = nil) throws(CryptographyError) {
    var nonce = [UInt8](repeating: 0, count: TimestampRequest.nonceByteCount)
    guard RAND_bytes(&nonce, Int32(nonce.count)) == 1 else {
      throw CryptographyError(.library, "OpenSSL gives no random bytes", remedy: "try again")
    }
    // As a positive integer without leading zeros, so that it compares byte for byte.
    nonce[0] = nonce[0] & 0x7f | 0x40
    self.init(imprint, nonce: nonce, policy: policy)
  }

  /// 64 bits: what authorities are known to take.
  private static let nonceByteCount = 8

  /// - Parameter nonce: At least one byte, the first neither 0 nor above 127.
  init(_ imprint: Digest, nonce: [UInt8], policy: TimestampPolicy? = nil) {
    self.imprint = imprint
    self.nonce = nonce
    self.policy = policy
  }

  /// DER, to be posted as `application/timestamp-query`. Asks for the authority's certificates.
  package var encoded: [UInt8] {
    // TimeStampReq ::= SEQUENCE { version 1, MessageImprint, reqPolicy OPTIONAL, nonce INTEGER, certReq TRUE }
    let imprint = TimestampRequest.sha256Prefix + self.imprint.bytes
    let body =
      [2, 1, 1] + imprint + (policy?.der ?? []) + [2, UInt8(nonce.count)] + nonce + [1, 1, 0xff]
    // Below 128 bytes, so one byte says the length: `TimestampPolicy.byteLimit`.
    return [0x30, UInt8(body.count)] + body
  }

  /// SEQUENCE { SEQUENCE { sha256, NULL }, OCTET STRING of 32 bytes }, without these.
  private static let sha256Prefix: [UInt8] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
    0x00, 0x04, 0x20,
  ]

  /// The token in an authority's answer to this request.
  ///
  /// - Parameter reply: DER of a TimeStampResp (RFC 3161 §2.4.2).
  /// - Throws: `timeRefused` with the authority's own words; `badToken`; `otherImprint` when the token is
  ///   over something else, or answers another request. Who signed it is not looked at here.
  package func token(in reply: [UInt8]) throws(TimestampError) -> TimestampToken {
    let token = try TimestampRequest.token(inReply: reply)
    guard token.imprint == imprint else {
      throw TimestampError(
        .otherImprint, "the token is over \(token.imprint.short)…, not over \(imprint.short)…",
        remedy: "ask another authority: this one answers what it was not asked")
    }
    guard token.nonce == nonce else {
      throw TimestampError(
        .otherImprint, "the token answers another request: its nonce is not ours",
        remedy: "ask again: an old answer was replayed")
    }
    guard policy.map({ $0.text == token.policy }) ?? true else {
      throw TimestampError(
        .otherImprint,
        "the token is under policy \(printable(token.policy)), not under the one asked for",
        remedy: "ask another authority: this one does not work under that policy")
    }
    return token
  }

  /// The token in a reply, whatever was asked for: as other programs keep it.
  package static func token(inReply reply: [UInt8]) throws(TimestampError) -> TimestampToken {
    guard reply.count <= TimestampToken.byteLimit else {
      throw .badToken("the answer has \(reply.count) bytes, over \(TimestampToken.byteLimit)")
    }
    let parsed = reply.withUnsafeBufferPointer { bytes in
      var cursor = bytes.baseAddress
      return d2i_TS_RESP(nil, &cursor, bytes.count)
    }
    guard let response = parsed else {
      throw .badToken("the answer is no RFC 3161 reply (\(TimestampError.lastReason() ?? "DER"))")
    }
    defer { TS_RESP_free(response) }
    guard let info = TS_RESP_get_status_info(response) else {
      throw .badToken("the reply has no status")
    }
    let status = ASN1_INTEGER_get(TS_STATUS_INFO_get0_status(info))
    // 0 granted, 1 granted with changes (RFC 3161 §2.4.2).
    guard status == 0 || status == 1 else {
      throw TimestampError(
        .refused, "the authority refused with status \(status)\(TimestampRequest.words(info))",
        remedy: "ask again later, or ask another authority")
    }
    guard let der = TimestampRequest.tokenBytes(inReply: reply) else {
      throw .badToken("the reply is granted and holds no token")
    }
    return try TimestampToken(der: der)
  }

  /// The bytes of the token as they came. Written anew by OpenSSL, a set of certificates that its
  /// authority had not sorted would be another.
  ///
  /// TimeStampResp ::= SEQUENCE { PKIStatusInfo, ContentInfo OPTIONAL }: `reply` was parsed as one. What may
  /// follow it comes along, and is then refused with the token.
  private static func tokenBytes(inReply reply: [UInt8]) -> [UInt8]? {
    reply.withUnsafeBufferPointer { bytes in
      guard let start = bytes.baseAddress else { return nil }
      var cursor: UnsafePointer<UInt8>? = start
      var length = 0
      var tag: Int32 = 0
      var kind: Int32 = 0
      // Bit 7 of the result: an error, or a length beyond what is there.
      guard ASN1_get_object(&cursor, &length, &tag, &kind, bytes.count) & 0x80 == 0,
        let body = cursor
      else { return nil }
      let rest = bytes.count - (body - start)
      guard ASN1_get_object(&cursor, &length, &tag, &kind, rest) & 0x80 == 0, let status = cursor
      else { return nil }
      let offset = status - start + length
      guard offset < bytes.count else { return nil }
      return Array(bytes[offset...])
    }
  }

  /// What the authority says about its refusal, made safe to print.
  private static func words(_ info: OpaquePointer) -> String {
    guard let texts = TS_STATUS_INFO_get0_text(info) else { return "" }
    var words = ""
    for position in 0..<min(OPENSSL_sk_num(texts), 4) {
      guard let text = OPENSSL_sk_value(texts, position) else { continue }
      let string = text.assumingMemoryBound(to: ASN1_UTF8STRING.self)
      guard let bytes = ASN1_STRING_get0_data(string) else { continue }
      let count = Int(min(ASN1_STRING_length(string), 200))
      words +=
        ": \(printable(String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)))"
    }
    return words
  }
}
