internal import COpenSSL

/// A private key for X25519 key agreement (RFC 7748 §5). It signs nothing: `SigningKey` does.
package struct KeyAgreementKey: Sendable {
  package static let byteCount = 32
  package let rawBytes: [UInt8]
  /// X25519(private, base point), 32 bytes.
  package let publicKey: [UInt8]

  /// - Parameter rawBytes: 32 bytes; RFC 7748's clamping is applied in use, not to what is kept.
  package init(rawBytes: [UInt8]) throws(CryptographyError) {
    guard rawBytes.count == KeyAgreementKey.byteCount,
      let key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nil, rawBytes, rawBytes.count)
    else {
      throw CryptographyError(
        .badKey, "an X25519 private key has 32 bytes", remedy: "give 32 bytes")
    }
    defer { EVP_PKEY_free(key) }
    var raw = [UInt8](repeating: 0, count: 32)
    var count = 32
    guard EVP_PKEY_get_raw_public_key(key, &raw, &count) == 1, count == 32 else {
      throw CryptographyError(.library, "OpenSSL did not derive a public key", remedy: "try again")
    }
    self.rawBytes = rawBytes
    publicKey = raw
  }

  package static func generate() throws(CryptographyError) -> KeyAgreementKey {
    try KeyAgreementKey(rawBytes: randomBytes(byteCount))
  }

  /// X25519(private, `publicKey`), 32 bytes, or nil when that is all zero (RFC 7748 §6.1): the other
  /// side then gave a point of low order, and everybody knows the "secret".
  ///
  /// OpenSSL makes that comparison; `KeyAgreementTests` holds it to it. Encodings of a coordinate that
  /// are not reduced are taken as RFC 7748 says.
  package func sharedSecret(with publicKey: [UInt8]) -> [UInt8]? {
    guard publicKey.count == KeyAgreementKey.byteCount,
      let own = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nil, rawBytes, rawBytes.count)
    else { return nil }
    defer { EVP_PKEY_free(own) }
    guard
      let other = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nil, publicKey, publicKey.count)
    else { return nil }
    defer { EVP_PKEY_free(other) }
    guard let context = EVP_PKEY_CTX_new(own, nil) else { return nil }
    defer { EVP_PKEY_CTX_free(context) }
    var out = [UInt8](repeating: 0, count: 32)
    var count = 32
    guard EVP_PKEY_derive_init(context) == 1, EVP_PKEY_derive_set_peer(context, other) == 1,
      EVP_PKEY_derive(context, &out, &count) == 1, count == 32
    else {
      ERR_clear_error()
      return nil
    }
    return out
  }
}

/// What is printed or dumped of a private key is its public half.
extension KeyAgreementKey: CustomStringConvertible, CustomReflectable {
  package var description: String { "KeyAgreementKey(of \(AgeRecipient(publicKey: publicKey)))" }
  package var customMirror: Mirror { Mirror(self, children: ["publicKey": publicKey]) }
}
