internal import COpenSSL
internal import ProofPrimitives

enum Certificate {
  /// Nil unless the bytes are one certificate and no more. To be freed.
  static func parse(_ der: [UInt8]) -> OpaquePointer? {
    der.withUnsafeBufferPointer { bytes in
      var cursor = bytes.baseAddress
      guard let certificate = d2i_X509(nil, &cursor, bytes.count) else {
        ERR_clear_error()
        return nil
      }
      guard let start = bytes.baseAddress, let cursor, cursor - start == bytes.count else {
        X509_free(certificate)
        return nil
      }
      return certificate
    }
  }
}

/// Certificates as OpenSSL's functions want them.
final class CertificateStack {
  let raw: OpaquePointer

  init(_ certificates: [[UInt8]]) throws(TimestampError) {
    guard let raw = OPENSSL_sk_new_null() else { throw .library }
    self.raw = raw
    for der in certificates {
      guard let certificate = Certificate.parse(der) else {
        throw TimestampError(
          .untrusted, "a certificate that was kept with the token is not one",
          remedy: "leave it out, or give it as DER")
      }
      OPENSSL_sk_push(raw, UnsafeRawPointer(certificate))
    }
  }

  /// For an owner of its own.
  func copy() -> OpaquePointer? { X509_chain_up_ref(raw) }

  deinit {
    while let certificate = OPENSSL_sk_pop(raw) { X509_free(OpaquePointer(certificate)) }
    OPENSSL_sk_free(raw)
  }
}

/// The certificates from a token's signer to a root.
final class CertificateChain {
  private let context: OpaquePointer
  private let store: OpaquePointer
  private let signers: OpaquePointer
  private let untrusted: OpaquePointer
  /// The signer's first, the root's last. Set last: what throws after the others are set frees them.
  private var certificates: [OpaquePointer] = []

  /// - Parameter store: Becomes the chain's.
  init(
    signerOf message: TimestampMessage, _ more: CertificateStack, _ store: OpaquePointer,
    _ time: Int64
  ) throws(TimestampError) {
    guard let signers = PKCS7_get0_signers(message.content, more.raw, 0),
      let signer = OPENSSL_sk_value(signers, 0), let context = X509_STORE_CTX_new(),
      let untrusted = more.copy()
    else { throw .library }
    self.context = context
    self.store = store
    self.signers = signers
    self.untrusted = untrusted
    if let own = CertificateChain.certificates(in: message) {
      for position in 0..<OPENSSL_sk_num(own) {
        guard let certificate = OPENSSL_sk_value(own, position) else { continue }
        X509_up_ref(OpaquePointer(certificate))
        OPENSSL_sk_push(untrusted, certificate)
      }
    }
    guard X509_STORE_CTX_init(context, store, OpaquePointer(signer), untrusted) == 1,
      X509_STORE_CTX_set_purpose(context, X509_PURPOSE_TIMESTAMP_SIGN) == 1,
      X509_verify_cert(context) == 1, let chain = X509_STORE_CTX_get0_chain(context)
    else {
      let reason = X509_verify_cert_error_string(Int(X509_STORE_CTX_get_error(context)))
      throw TimestampError(
        .untrusted, "no way to a root: \(reason.map { String(cString: $0) } ?? "unknown")",
        remedy: "give the certificates between the authority's and its root")
    }
    certificates = (0..<OPENSSL_sk_num(chain)).compactMap {
      OPENSSL_sk_value(chain, $0).map { OpaquePointer($0) }
    }
  }

  deinit {
    X509_STORE_CTX_free(context)
    X509_STORE_free(store)
    OPENSSL_sk_free(signers)
    while let certificate = OPENSSL_sk_pop(untrusted) { X509_free(OpaquePointer(certificate)) }
    OPENSSL_sk_free(untrusted)
  }

  private static func certificates(in message: TimestampMessage) -> OpaquePointer? {
    guard OBJ_obj2nid(message.content.pointee.type) == NID_pkcs7_signed,
      let signed = message.content.pointee.d.sign
    else { return nil }
    return signed.pointee.cert
  }

  /// Of the signer.
  var subject: String {
    guard let first = certificates.first, let name = X509_get_subject_name(first),
      let text = X509_NAME_oneline(name, nil, 0)
    else { return "" }
    defer { CRYPTO_free(text, #file, #line) }
    return printable(String(cString: text), limit: 200)
  }

  /// DER of each, the signer's first.
  var encoded: [[UInt8]] {
    certificates.map { certificate in
      var der = [UInt8](repeating: 0, count: max(0, Int(i2d_X509(certificate, nil))))
      der.withUnsafeMutableBufferPointer { bytes in
        var cursor = bytes.baseAddress
        if cursor != nil { _ = i2d_X509(certificate, &cursor) }
      }
      return der
    }
  }

  /// The first second at which one of the certificates is not valid any more.
  var end: Int64 {
    get throws(TimestampError) {
      var first = Int64.max
      for certificate in certificates {
        guard let last = TimestampToken.seconds(X509_get0_notAfter(certificate)) else {
          throw .badToken("a certificate ends at no time")
        }
        first = min(first, last + 1)
      }
      return first
    }
  }

  /// Up to when none of the certificates below the root was revoked, as far as lists by their issuers say;
  /// nil where one has no list that covers it.
  ///
  /// - Throws: `revokedTime` for a revocation that counts against a token of that time (RFC 3161 §4).
  func revocation(lists: [[UInt8]], at time: Int64) throws(TimestampError) -> Int64? {
    let lists = try lists.map { der throws(TimestampError) in try RevocationList(der) }
    var until = Int64.max
    var isComplete = true
    for (certificate, issuer) in zip(certificates, certificates.dropFirst()) {
      var covered: Int64?
      for list in lists where list.isBy(issuer) {
        if let reason = list.revocation(of: certificate, countsAt: time) {
          throw TimestampError(
            .revoked, "a certificate on the way to the root was revoked: \(reason)",
            remedy: "believe no time of this token; another clock has to say when")
        }
        covered = max(covered ?? .min, list.madeAt)
      }
      if let covered { until = min(until, covered) } else { isComplete = false }
    }
    return isComplete && certificates.count > 1 ? until : nil
  }
}
