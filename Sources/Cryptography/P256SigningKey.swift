internal import COpenSSL
internal import ProofPrimitives

/// A private key on the curve P-256, for ECDSA with SHA-256 (FIPS 186-5 §6.4): what tools that know no
/// Ed25519 can verify. Archives and statements are never signed with one.
package final class P256SigningKey: Sendable {
  // Made once and only read after; OpenSSL's keys may be used from several threads.
  nonisolated(unsafe) private let key: OpaquePointer

  private init(owning key: OpaquePointer) { self.key = key }

  deinit { EVP_PKEY_free(key) }

  package static func generate() throws(CryptographyError) -> P256SigningKey {
    guard let context = EVP_PKEY_CTX_new_from_name(nil, "EC", nil) else { throw failed }
    defer { EVP_PKEY_CTX_free(context) }
    var key: OpaquePointer?
    guard EVP_PKEY_keygen_init(context) == 1,
      EVP_PKEY_CTX_set_group_name(context, "P-256") == 1, EVP_PKEY_generate(context, &key) == 1,
      let key
    else { throw failed }
    return P256SigningKey(owning: key)
  }

  /// Reads an unencrypted PEM private key, refusing all but P-256.
  package convenience init(pem: [UInt8]) throws(CryptographyError) {
    let remedy =
      "make one with `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`"
    guard pem.count <= 65_536, let memory = BIO_new_mem_buf(pem, Int32(pem.count)) else {
      throw CryptographyError(.badKeyFile, "the file is too large for a key", remedy: remedy)
    }
    defer { BIO_free(memory) }
    // Without a callback of ours OpenSSL would stop and ask the terminal for a pass phrase.
    let key = PEM_read_bio_PrivateKey(memory, nil, { _, _, _, _ in -1 }, nil)
    ERR_clear_error()
    guard let key else {
      throw CryptographyError(
        .badKeyFile, "no unencrypted private key in PEM form is in the file", remedy: remedy)
    }
    var name = [CChar](repeating: 0, count: 64)
    var count = 0
    guard EVP_PKEY_is_a(key, "EC") == 1,
      EVP_PKEY_get_group_name(key, &name, name.count, &count) == 1,
      String(decoding: name.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        == "prime256v1"
    else {
      EVP_PKEY_free(key)
      ERR_clear_error()
      throw CryptographyError(
        .badKeyFile, "the private key is not on the curve P-256", remedy: remedy)
    }
    self.init(owning: key)
  }

  /// DER of the signature (RFC 3279 §2.2.3); another one each time.
  package func signature(over message: [UInt8]) throws(CryptographyError) -> [UInt8] {
    guard let context = EVP_MD_CTX_new() else { throw P256SigningKey.failed }
    defer { EVP_MD_CTX_free(context) }
    var count = 0
    guard EVP_DigestSignInit_ex(context, nil, "SHA256", nil, nil, key, nil) == 1,
      EVP_DigestSign(context, nil, &count, message, message.count) == 1
    else { throw P256SigningKey.failed }
    var out = [UInt8](repeating: 0, count: count)
    guard EVP_DigestSign(context, &out, &count, message, message.count) == 1 else {
      throw P256SigningKey.failed
    }
    return Array(out.prefix(count))
  }

  /// The public half: PEM of SubjectPublicKeyInfo, as every tool writes it (RFC 7468).
  package func publicPEM() throws(CryptographyError) -> [UInt8] {
    try pem { PEM_write_bio_PUBKEY($0, $1) == 1 }
  }

  /// PKCS#8, unencrypted.
  package func privatePEM() throws(CryptographyError) -> [UInt8] {
    try pem { PEM_write_bio_PrivateKey($0, $1, nil, nil, 0, nil, nil) == 1 }
  }

  private func pem(
    _ write: (OpaquePointer, OpaquePointer) -> Bool
  ) throws(CryptographyError) -> [UInt8] {
    guard let memory = BIO_new(BIO_s_mem()) else { throw P256SigningKey.failed }
    defer { BIO_free(memory) }
    // A key in PEM has some 250 bytes.
    var out = [UInt8](repeating: 0, count: 4096)
    guard write(memory, key), case let count = BIO_read(memory, &out, 4096), count > 0 else {
      throw P256SigningKey.failed
    }
    return Array(out.prefix(Int(count)))
  }

  private static var failed: CryptographyError {
    CryptographyError(.library, "OpenSSL did not do its part with a P-256 key", remedy: "try again")
  }
}
