internal import COpenSSL

/// Whom a reader believes about time, and what was kept to judge them by (`spec/time.md` §4).
package struct TimestampTrust: Sendable {
  /// DER of root certificates. The reader's own choice: nothing that comes with a token adds to it.
  package var roots: [[UInt8]]
  /// DER of certificates that may stand between; tokens mostly bring their own.
  package var intermediates: [[UInt8]]
  /// DER of revocation lists.
  package var revocationLists: [[UInt8]]

  package init(
    roots: [[UInt8]], intermediates: [[UInt8]] = [], revocationLists: [[UInt8]] = []
  ) {
    self.roots = roots
    self.intermediates = intermediates
    self.revocationLists = revocationLists
  }
}

/// What a token that holds is worth.
package struct TimestampStanding: Hashable, Sendable {
  /// The authority's certificate, in words.
  package let authority: String
  /// The first second at which a certificate on the way to the root has ended. A later token over this one
  /// has to be had before.
  package let validUntil: Int64
  /// Up to when lists say that no certificate on the way was revoked; nil where one has no list.
  package let notRevokedUntil: Int64?
  /// DER of the certificates from the authority's to the root: what a later reader needs.
  package let certificates: [[UInt8]]
}

extension TimestampToken {
  /// Whether somebody who is trusted signed the token, judged at the token's own time (RFC 3161 §2.3, RFC 5816).
  ///
  /// The signature, the certificate named in what is signed, a key for time-stamping and for nothing else, the
  /// chain to a root, each valid at `time`, with keys and hashes of at least 112 bits; and no revocation that counts
  /// (`spec/time.md` §4). Cost: one signature check for each certificate.
  package func check(_ trust: TimestampTrust) throws(TimestampError) -> TimestampStanding {
    let message = try TimestampMessage(der)
    try requireStrongSignature(message)
    let certificates = try CertificateStack(trust.intermediates)
    try verify(message, certificates, trust)
    let chain = try CertificateChain(
      signerOf: message, certificates, try store(trust), time)
    let revocation = try chain.revocation(lists: trust.revocationLists, at: time)
    return TimestampStanding(
      authority: chain.subject, validUntil: try chain.end, notRevokedUntil: revocation,
      certificates: chain.encoded)
  }

  /// Root certificates, judging at the token's time.
  private func store(_ trust: TimestampTrust) throws(TimestampError) -> OpaquePointer {
    guard let store = X509_STORE_new() else { throw .library }
    for der in trust.roots {
      guard let root = Certificate.parse(der) else {
        X509_STORE_free(store)
        throw TimestampError(
          .untrusted, "a root certificate is not one",
          remedy: "give each as DER, or as PEM in a file")
      }
      X509_STORE_add_cert(store, root)
      X509_free(root)
    }
    let parameters = X509_STORE_get0_param(store)
    X509_VERIFY_PARAM_set_time(parameters, Int(time))
    X509_VERIFY_PARAM_set_auth_level(parameters, TimestampToken.securityLevel)
    return store
  }

  /// OpenSSL's level of 112 bits: RSA of 2,048 bits and more, no SHA-1 in certificates.
  private static let securityLevel: Int32 = 2

  private func verify(
    _ message: TimestampMessage, _ certificates: CertificateStack, _ trust: TimestampTrust
  ) throws(TimestampError) {
    guard let context = TS_VERIFY_CTX_new() else { throw .library }
    // Frees what was given to it, too.
    defer { TS_VERIFY_CTX_free(context) }
    TS_VERIFY_CTX_set_flags(context, Int32(TS_VFY_SIGNATURE | TS_VFY_VERSION))
    TS_VERIFY_CTX_set_store(context, try store(trust))
    TS_VERIFY_CTX_set_certs(context, certificates.copy())
    guard TS_RESP_verify_token(context, message.content) == 1 else {
      throw TimestampError(
        .untrusted,
        "no authority that is trusted vouches for the token at its time"
          + (TimestampError.lastReason().map { " (\($0))" } ?? ""),
        remedy: "give the authority's root certificate, if you trust it")
    }
  }

  /// Chains are judged by OpenSSL's security level; the digests inside the message are not.
  private func requireStrongSignature(_ message: TimestampMessage) throws(TimestampError) {
    guard let signers = PKCS7_get_signer_info(message.content), OPENSSL_sk_num(signers) == 1,
      let signer = OPENSSL_sk_value(signers, 0)
    else { throw .badToken("a token has exactly one signature (RFC 3161 §2.4.2)") }
    var digest: UnsafeMutablePointer<X509_ALGOR>?
    PKCS7_SIGNER_INFO_get0_algs(
      signer.assumingMemoryBound(to: PKCS7_SIGNER_INFO.self), nil, &digest, nil)
    var object: OpaquePointer?
    X509_ALGOR_get0(&object, nil, nil, digest)
    guard [NID_sha256, NID_sha384, NID_sha512].contains(OBJ_obj2nid(object)) else {
      throw TimestampError(
        .untrusted, "the token is signed over a hash that is not SHA-256, SHA-384 or SHA-512",
        remedy: "ask an authority that signs with one of these")
    }
  }
}
