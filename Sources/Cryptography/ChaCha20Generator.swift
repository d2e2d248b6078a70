internal import COpenSSL
package import ProofPrimitives

/// The project's counter-based generator: the ChaCha20 key stream (RFC 8439 §2.4) with nonce zero and
/// the block counter from zero, read as little-endian 32-bit words.
///
/// A pure function of its key, so that a verifier draws what the prover drew.
/// At most 2^32 blocks (256 GiB) come from one key; more is refused by a trap no input reaches,
/// because a tensor that large is refused before.
package struct ChaCha20Generator: ~Copyable {
  private let context: OpaquePointer
  private var buffer = [UInt8](repeating: 0, count: 4096)
  private var position = 4096
  private var refillsLeft = 1 << 26
  private static let zeros = [UInt8](repeating: 0, count: 4096)

  /// - Parameters:
  ///   - seed: 32 bytes; the key is HKDF(seed, salt: tag, info: label).
  package init(seed: Digest, tag: DomainTag, label: [UInt8]) {
    self.init(key: hkdfSHA256(secret: seed.bytes, salt: tag.bytes, info: label).bytes)
  }

  package init(key: [UInt8]) {
    precondition(key.count == 32)
    let nonce = [UInt8](repeating: 0, count: 16)
    guard let context = EVP_CIPHER_CTX_new(),
      EVP_EncryptInit_ex(context, EVP_chacha20(), nil, key, nonce) == 1
    else { fatalError("OpenSSL cannot provide ChaCha20") }
    self.context = context
  }

  deinit { EVP_CIPHER_CTX_free(context) }

  package mutating func nextWord() -> UInt32 {
    if position == buffer.count {
      precondition(refillsLeft > 0, "one key gives 2^32 blocks of key stream")
      refillsLeft -= 1
      var count: Int32 = 0
      guard EVP_EncryptUpdate(context, &buffer, &count, ChaCha20Generator.zeros, 4096) == 1,
        count == 4096
      else { fatalError("OpenSSL cannot provide ChaCha20") }
      position = 0
    }
    defer { position += 4 }
    return buffer.withUnsafeBytes {
      UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: position, as: UInt32.self))
    }
  }

  /// A number below `bound`, without bias: words at or above the largest multiple of `bound` are
  /// drawn again.
  package mutating func next(below bound: UInt32) -> UInt32 {
    precondition(bound > 0)
    let limit = UInt32.max - (UInt32.max % bound &+ 1) % bound
    while true {
      let word = nextWord()
      if word <= limit { return word % bound }
    }
  }
}
