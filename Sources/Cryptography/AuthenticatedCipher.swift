internal import COpenSSL

/// Authenticated encryption with associated data: AES-256-GCM (NIST SP 800-38D) or ChaCha20-Poly1305
/// (RFC 8439), with a 32-byte key, a 12-byte nonce and a 16-byte tag.
///
/// Both lose all protection when one key meets one nonce twice with two contents; the caller's
/// construction rules that out. Neither commits to its key: one ciphertext can open under two keys to
/// two plaintexts, so what is opened is compared with a digest as well (`spec/encryption.md` §8).
///
/// The context and the algorithm are kept, so that a call allocates its result and nothing else. Not
/// for two threads at once.
package final class AuthenticatedCipher {
  package enum Algorithm: Sendable {
    case aes256GCM
    case chaCha20Poly1305
  }

  package static let keyByteCount = 32
  package static let nonceByteCount = 12
  package static let tagByteCount = 16
  /// The most that is sealed or opened at once. OpenSSL counts in 32-bit numbers.
  package static let plaintextLimit = 1 << 30

  // Written once before any use and only read after; OpenSSL's fetched methods are thread-safe.
  nonisolated(unsafe) private static let gcm: OpaquePointer? =
    EVP_CIPHER_fetch(nil, "AES-256-GCM", nil)
  nonisolated(unsafe) private static let poly: OpaquePointer? =
    EVP_CIPHER_fetch(nil, "ChaCha20-Poly1305", nil)

  private let context: OpaquePointer
  private let method: OpaquePointer

  package init(_ algorithm: Algorithm) {
    let method =
      switch algorithm {
      case .aes256GCM: AuthenticatedCipher.gcm
      case .chaCha20Poly1305: AuthenticatedCipher.poly
      }
    // As below, only when memory is out or OpenSSL has no such cipher: lengths are checked before, and
    // bytes that are not authentic are an answer and no failure.
    guard let method, let context = EVP_CIPHER_CTX_new() else {
      fatalError("OpenSSL cannot provide authenticated encryption")
    }
    self.method = method
    self.context = context
  }

  // Frees the key schedule too, which OpenSSL overwrites first.
  deinit { EVP_CIPHER_CTX_free(context) }

  /// Ciphertext || tag.
  ///
  /// - Parameters:
  ///   - plaintext: At most `plaintextLimit` bytes; may be empty.
  ///   - key: 32 bytes.
  ///   - nonce: 12 bytes, never used before with this key for another plaintext or `data`.
  ///   - data: Authenticated, not encrypted.
  package func seal(
    _ plaintext: ArraySlice<UInt8>, key: [UInt8], nonce: [UInt8], data: [UInt8]
  ) -> [UInt8] {
    precondition(plaintext.count <= AuthenticatedCipher.plaintextLimit)
    start(key, nonce, encrypts: true)
    let byteCount = plaintext.count
    return [UInt8](unsafeUninitializedCapacity: byteCount + AuthenticatedCipher.tagByteCount) {
      out, initialized in
      guard update(nil, data[...]), update(out.baseAddress, plaintext),
        let tag = out.baseAddress.map({ $0 + byteCount }), finish(tag),
        EVP_CIPHER_CTX_ctrl(
          context, EVP_CTRL_AEAD_GET_TAG, Int32(AuthenticatedCipher.tagByteCount), tag) == 1
      else { fatalError("OpenSSL does not encrypt") }
      initialized = byteCount + AuthenticatedCipher.tagByteCount
    }
  }

  /// As `seal`, where the plaintext stands: ciphertext || tag fill `buffer`.
  ///
  /// - Parameter buffer: The plaintext and 16 bytes of room.
  package func seal(
    inPlace buffer: UnsafeMutableRawBufferPointer, key: [UInt8], nonce: [UInt8], data: [UInt8]
  ) {
    let byteCount = buffer.count - AuthenticatedCipher.tagByteCount
    precondition((0...AuthenticatedCipher.plaintextLimit).contains(byteCount))
    start(key, nonce, encrypts: true)
    var count: Int32 = 0
    guard update(nil, data[...]),
      let bytes = buffer.bindMemory(to: UInt8.self).baseAddress,
      byteCount == 0
        || EVP_CipherUpdate(context, bytes, &count, bytes, Int32(byteCount)) == 1
          && Int(count) == byteCount,
      finish(bytes + byteCount),
      EVP_CIPHER_CTX_ctrl(
        context, EVP_CTRL_AEAD_GET_TAG, Int32(AuthenticatedCipher.tagByteCount), bytes + byteCount)
        == 1
    else { fatalError("OpenSSL does not encrypt") }
  }

  /// The plaintext, or nil when the tag does not fit the ciphertext, the key, the nonce and `data`:
  /// nothing of it is given out then.
  ///
  /// - Parameter sealed: Ciphertext || tag; nil too when it is shorter than a tag or over the limit.
  package func open(
    _ sealed: ArraySlice<UInt8>, key: [UInt8], nonce: [UInt8], data: [UInt8]
  ) -> [UInt8]? {
    let byteCount = sealed.count - AuthenticatedCipher.tagByteCount
    guard byteCount >= 0, byteCount <= AuthenticatedCipher.plaintextLimit else { return nil }
    var tag = Array(sealed.suffix(AuthenticatedCipher.tagByteCount))
    start(key, nonce, encrypts: false)
    var isAuthentic = false
    let plaintext = [UInt8](unsafeUninitializedCapacity: max(1, byteCount)) { out, initialized in
      guard update(nil, data[...]), update(out.baseAddress, sealed.prefix(byteCount)),
        EVP_CIPHER_CTX_ctrl(
          context, EVP_CTRL_AEAD_SET_TAG, Int32(AuthenticatedCipher.tagByteCount), &tag) == 1
      else { fatalError("OpenSSL does not decrypt") }
      var unused: UInt8 = 0
      isAuthentic = finish(&unused)
      // Never initialised unless authentic, so that no path can hand it out.
      initialized = isAuthentic ? byteCount : 0
    }
    if !isAuthentic { ERR_clear_error() }
    return isAuthentic ? plaintext : nil
  }

  private func start(_ key: [UInt8], _ nonce: [UInt8], encrypts: Bool) {
    precondition(key.count == AuthenticatedCipher.keyByteCount)
    precondition(nonce.count == AuthenticatedCipher.nonceByteCount)
    // 12 bytes is the nonce length of both unless told otherwise.
    guard EVP_CipherInit_ex2(context, method, key, nonce, encrypts ? 1 : 0, nil) == 1 else {
      fatalError("OpenSSL cannot provide authenticated encryption")
    }
  }

  /// One call for all of `input`; a nil `out` says that it is associated data.
  private func update(_ out: UnsafeMutablePointer<UInt8>?, _ input: ArraySlice<UInt8>) -> Bool {
    // Without input there is nothing to say, and a nil pointer would mean something else to OpenSSL.
    guard !input.isEmpty else { return true }
    return input.withUnsafeBufferPointer {
      var count: Int32 = 0
      return EVP_CipherUpdate(context, out, &count, $0.baseAddress, Int32($0.count)) == 1
        && Int(count) == $0.count
    }
  }

  private func finish(_ out: UnsafeMutablePointer<UInt8>) -> Bool {
    var count: Int32 = 0
    return EVP_CipherFinal_ex(context, out, &count) == 1 && count == 0
  }
}
