internal import COpenSSL
internal import ProofPrimitives

/// Certificates and revocation lists as people keep them: one as DER, or any number in one PEM file.
package enum CertificateFile {
  /// What of a PEM file is taken; private keys and anything else in it are passed over.
  package enum Kind: Sendable {
    case certificates, revocationLists

    var label: String { self == .certificates ? "CERTIFICATE" : "X509 CRL" }
    var words: String { self == .certificates ? "certificate" : "revocation list" }
  }

  /// A system's whole set of roots has some 200 kB; lists of the largest public authorities some MB.
  package static let byteLimit = RevocationList.byteLimit
  /// As many as a system trusts at all, several times over.
  static let countLimit = 1024

  /// The DER of each, in the file's order; at least one.
  ///
  /// - Throws: `badToken` for a file without any, or with one that is none.
  package static func parse(_ bytes: [UInt8], _ kind: Kind) throws(TimestampError) -> [[UInt8]] {
    guard bytes.count <= byteLimit else {
      throw bad("it has \(bytes.count) bytes, over \(byteLimit)", kind)
    }
    // SEQUENCE: PEM is text.
    let found = bytes.first == 0x30 ? [bytes] : try blocks(bytes, kind)
    guard !found.isEmpty else { throw bad("there is no \(kind.words) in it", kind) }
    for der in found {
      switch kind {
      case .certificates:
        guard let certificate = Certificate.parse(der) else {
          throw bad("a certificate in it is none", kind)
        }
        X509_free(certificate)
      case .revocationLists: _ = try RevocationList(der)
      }
    }
    return found
  }

  private static func blocks(
    _ bytes: [UInt8], _ kind: Kind
  ) throws(TimestampError) -> [[UInt8]] {
    var found: [[UInt8]] = []
    var count = 0
    // Of the bytes: they outlive it.
    let isWhole = bytes.withUnsafeBufferPointer { buffer -> Bool in
      guard let file = BIO_new_mem_buf(buffer.baseAddress, Int32(buffer.count)) else {
        return false
      }
      defer { BIO_free(file) }
      var name: UnsafeMutablePointer<CChar>?
      var header: UnsafeMutablePointer<CChar>?
      var data: UnsafeMutablePointer<UInt8>?
      var length = 0
      while PEM_read_bio(file, &name, &header, &data, &length) == 1 {
        if let name, let data, String(cString: name) == kind.label {
          found.append(Array(UnsafeBufferPointer(start: data, count: length)))
        }
        CRYPTO_free(name, #file, #line)
        CRYPTO_free(header, #file, #line)
        CRYPTO_free(data, #file, #line)
        count += 1
        if count > countLimit { return false }
      }
      // The end of the file is an error to OpenSSL; a block that is cut off is another one.
      let error = ERR_peek_last_error()
      return error == 0 || Int32(error & 0x7f_ffff) == PEM_R_NO_START_LINE
    }
    ERR_clear_error()
    guard isWhole else { throw bad("its PEM is damaged, or holds over \(countLimit) blocks", kind) }
    return found
  }

  private static func bad(_ reason: String, _ kind: Kind) -> TimestampError {
    TimestampError(
      .badToken, reason, remedy: "give a file with \(kind.words)s in PEM, or one in DER")
  }
}
