internal import COpenSSL

/// A certificate revocation list (RFC 5280 §5), read with the rules for time-stamps.
final class RevocationList {
  /// Authorities of time revoke few: lists of their issuers have some kB, the largest public ones some MB.
  static let byteLimit = 16 << 20

  private let list: OpaquePointer
  /// thisUpdate: what the list says, it says of this time.
  let madeAt: Int64

  init(_ der: [UInt8]) throws(TimestampError) {
    guard der.count <= RevocationList.byteLimit else {
      throw .badToken(
        "the revocation list has \(der.count) bytes, over \(RevocationList.byteLimit)")
    }
    let list = der.withUnsafeBufferPointer { bytes -> OpaquePointer? in
      var cursor = bytes.baseAddress
      guard let list = d2i_X509_CRL(nil, &cursor, bytes.count) else { return nil }
      guard let start = bytes.baseAddress, let cursor, cursor - start == bytes.count else {
        X509_CRL_free(list)
        return nil
      }
      return list
    }
    guard let list else {
      throw .badToken("it is no revocation list (\(TimestampError.lastReason() ?? "DER"))")
    }
    guard let madeAt = TimestampToken.seconds(X509_CRL_get0_lastUpdate(list)) else {
      X509_CRL_free(list)
      throw .badToken("the revocation list was made at no time")
    }
    self.list = list
    self.madeAt = madeAt
  }

  deinit { X509_CRL_free(list) }

  /// Whether this issuer signed it, and it covers all that the issuer signs. A list with a critical extension
  /// covers a part, or says something in a way that is not known here: it is left out, which makes the answer
  /// "not known", never "not revoked".
  func isBy(_ issuer: OpaquePointer) -> Bool {
    // Two issuers may have one key, and give the same serial numbers.
    guard X509_NAME_cmp(X509_CRL_get_issuer(list), X509_get_subject_name(issuer)) == 0 else {
      return false
    }
    for position in 0..<X509_CRL_get_ext_count(list) {
      if X509_EXTENSION_get_critical(X509_CRL_get_ext(list, position)) != 0 { return false }
    }
    let isValid = X509_CRL_verify(list, X509_get0_pubkey(issuer)) == 1
    if !isValid { ERR_clear_error() }
    return isValid
  }

  /// Why the certificate was revoked, where that counts against what it signed at `time`; else nil.
  ///
  /// RFC 3161 §4: where the key may be in other hands, or no reason is given, nothing it signed is believed; where
  /// it was only put out of use (reasons 0, 3, 4, 5), what it signed before stays.
  func revocation(of certificate: OpaquePointer, countsAt time: Int64) -> String? {
    var entry: OpaquePointer?
    // 2: removed from the list again.
    guard X509_CRL_get0_by_cert(list, &entry, certificate) == 1, let entry else { return nil }
    var reason = RevocationList.noReason
    if let value = X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, nil, nil) {
      let enumerated = value.assumingMemoryBound(to: ASN1_ENUMERATED.self)
      reason = ASN1_ENUMERATED_get(enumerated)
      ASN1_ENUMERATED_free(enumerated)
    }
    guard let words = RevocationList.outOfUse[reason],
      let date = TimestampToken.seconds(X509_REVOKED_get0_revocationDate(entry))
    else {
      return reason == RevocationList.noReason
        ? "no reason is given" : "reason \(reason), the key may be in other hands"
    }
    return date <= time ? "\(words), before the token was made" : nil
  }

  private static let noReason = -1
  private static let outOfUse = [
    0: "unspecified", 3: "affiliation changed", 4: "superseded", 5: "cessation of operation",
  ]
}
