internal import COpenSSL
package import ProofPrimitives

/// An Ed25519 public key (RFC 8032), 32 bytes.
///
/// The rule (`spec/glossary.md`): a key is the canonical encoding of a point that is not of low order;
/// a signature has S below the group order and satisfies the cofactorless equation on the encodings as
/// given, which is OpenSSL's check. Signatures are never used as identifiers.
package struct VerifyingKey: Hashable, Sendable {
  package static let byteCount = 32
  package static let signatureByteCount = 64
  package let rawBytes: [UInt8]
  /// OpenSSL's form of it, made once: making it costs as much as hashing a kilobyte.
  private let handle: Handle

  /// Read only, so any number of threads may use it at once; each has its own context.
  private final class Handle: @unchecked Sendable {
    let key: OpaquePointer

    init(_ key: OpaquePointer) { self.key = key }

    deinit { EVP_PKEY_free(key) }
  }

  package static func == (left: VerifyingKey, right: VerifyingKey) -> Bool {
    left.rawBytes == right.rawBytes
  }

  package func hash(into hasher: inout Hasher) { hasher.combine(rawBytes) }

  /// SubjectPublicKeyInfo of an Ed25519 key is this prefix and the 32 bytes (RFC 8410 §4).
  private static let spkiPrefix: [UInt8] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
  ]

  /// Nil unless there are 32 bytes that OpenSSL takes as a key, and the two checks that it leaves out
  /// hold: under a key of low order, one signature is valid for many messages, and nobody has to know a
  /// private key for that; a second encoding would be a second name of one key.
  package init?(rawBytes: some Collection<UInt8>) {
    let bytes = Array(rawBytes)
    guard bytes.count == VerifyingKey.byteCount, VerifyingKey.isCanonical(bytes),
      !VerifyingKey.isOfLowOrder(bytes),
      let key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, bytes, bytes.count)
    else { return nil }
    handle = Handle(key)
    self.rawBytes = bytes
  }

  /// Whether y, the low 255 bits in little-endian order, is below p = 2^255 - 19 (RFC 8032 §5.1.3).
  private static func isCanonical(_ bytes: [UInt8]) -> Bool {
    bytes[31] & 0x7f != 0x7f || bytes[0] < 0xed || !bytes[1..<31].allSatisfy { $0 == 0xff }
  }

  /// Whether y is that of one of the eight points whose order divides the cofactor: 0 and the two of
  /// order 8 stand for two points each. Either sign: x = 0 has no second one, and such a key is refused
  /// under both names.
  private static func isOfLowOrder(_ bytes: [UInt8]) -> Bool {
    lowOrder.contains(Array(bytes[..<31]) + [bytes[31] & 0x7f])
  }

  private static let lowOrder: Set<[UInt8]> = [
    [UInt8](repeating: 0, count: 32),
    [1] + [UInt8](repeating: 0, count: 31),
    [0xec] + [UInt8](repeating: 0xff, count: 30) + [0x7f],
    [
      0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
      0xf0,
      0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc,
      0x05,
    ],
    [
      0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
      0x0f,
      0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03,
      0x7a,
    ],
  ]

  /// DER of SubjectPublicKeyInfo.
  package var spki: [UInt8] { VerifyingKey.spkiPrefix + rawBytes }
  /// SHA-256 of the SPKI DER: how DSSE envelopes name the key.
  package var keyID: Digest { SHA256.hash(spki) }

  package var pem: String {
    "-----BEGIN PUBLIC KEY-----\n\(Base64.encode(spki))\n-----END PUBLIC KEY-----\n"
  }

  /// Whether `signature` is this key's over `message`. False for any malformed signature.
  package func isValid(_ signature: some Collection<UInt8>, over message: [UInt8]) -> Bool {
    let bytes = Array(signature)
    guard bytes.count == VerifyingKey.signatureByteCount else { return false }
    guard let context = EVP_MD_CTX_new() else { return false }
    defer { EVP_MD_CTX_free(context) }
    guard EVP_DigestVerifyInit(context, nil, nil, nil, handle.key) == 1 else { return false }
    let answer = EVP_DigestVerify(context, bytes, bytes.count, message, message.count)
    if answer != 1 { ERR_clear_error() }
    return answer == 1
  }
}

/// An Ed25519 private key. Signing is deterministic (RFC 8032).
package struct SigningKey: Sendable {
  private let seed: [UInt8]
  package let verifyingKey: VerifyingKey

  /// - Parameter seed: The 32 private bytes.
  package init(seed: [UInt8]) throws(CryptographyError) {
    guard seed.count == 32,
      let key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nil, seed, seed.count)
    else {
      throw CryptographyError(.badKey, "an Ed25519 seed has 32 bytes", remedy: "give 32 bytes")
    }
    defer { EVP_PKEY_free(key) }
    var raw = [UInt8](repeating: 0, count: 32)
    var count = 32
    guard EVP_PKEY_get_raw_public_key(key, &raw, &count) == 1,
      let verifyingKey = VerifyingKey(rawBytes: raw)
    else {
      throw CryptographyError(.library, "OpenSSL did not derive a public key", remedy: "try again")
    }
    self.seed = seed
    self.verifyingKey = verifyingKey
  }

  package static func generate() throws(CryptographyError) -> SigningKey {
    try SigningKey(seed: randomBytes(32))
  }

  package func signature(over message: [UInt8]) throws(CryptographyError) -> [UInt8] {
    let failure = CryptographyError(.library, "OpenSSL did not sign", remedy: "try again")
    guard let key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nil, seed, seed.count) else {
      throw failure
    }
    defer { EVP_PKEY_free(key) }
    guard let context = EVP_MD_CTX_new() else { throw failure }
    defer { EVP_MD_CTX_free(context) }
    var out = [UInt8](repeating: 0, count: 64)
    var count = 64
    guard EVP_DigestSignInit(context, nil, nil, nil, key) == 1,
      EVP_DigestSign(context, &out, &count, message, message.count) == 1, count == 64
    else { throw failure }
    return out
  }

  /// PKCS#8 PEM, unencrypted: what `openssl pkey` reads (RFC 8410 §7).
  package var pem: String {
    let prefix: [UInt8] = [
      0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04,
      0x20,
    ]
    let body = Base64.encode(prefix + seed)
    return "-----BEGIN PRIVATE KEY-----\n\(body)\n-----END PRIVATE KEY-----\n"
  }

  /// Reads any PEM private key that OpenSSL can, and refuses all but Ed25519; encrypted ones too.
  package init(pem: [UInt8]) throws(CryptographyError) {
    // Without a callback of ours OpenSSL would stop and ask the terminal for a pass phrase.
    let handle = SigningKey.readPEM(pem) {
      PEM_read_bio_PrivateKey($0, nil, { _, _, _, _ in -1 }, nil)
    }
    guard let handle else {
      throw CryptographyError(
        .badKeyFile, "no unencrypted private key in PEM form is in the file",
        remedy: "make one with `pol keygen` or `openssl genpkey -algorithm ed25519`")
    }
    defer { EVP_PKEY_free(handle) }
    var raw = [UInt8](repeating: 0, count: 32)
    var count = 32
    guard EVP_PKEY_is_a(handle, "ED25519") == 1,
      EVP_PKEY_get_raw_private_key(handle, &raw, &count) == 1, count == 32
    else {
      throw CryptographyError(
        .badKeyFile, "the private key is not an Ed25519 key",
        remedy: "make one with `pol keygen` or `openssl genpkey -algorithm ed25519`")
    }
    try self.init(seed: raw)
  }

  fileprivate static func readPEM(
    _ pem: [UInt8], _ read: (OpaquePointer) -> OpaquePointer?
  ) -> OpaquePointer? {
    guard pem.count <= 65_536, let memory = BIO_new_mem_buf(pem, Int32(pem.count)) else {
      return nil
    }
    defer { BIO_free(memory) }
    let key = read(memory)
    ERR_clear_error()
    return key
  }
}

extension VerifyingKey {
  /// Reads a PEM public key, refusing all but Ed25519.
  package init(pem: [UInt8]) throws(CryptographyError) {
    let failure = CryptographyError(
      .badKeyFile, "no Ed25519 public key in PEM form is in the file",
      remedy: "write one with `openssl pkey -in key.pem -pubout`")
    guard let handle = SigningKey.readPEM(pem, { PEM_read_bio_PUBKEY($0, nil, nil, nil) }) else {
      throw failure
    }
    defer { EVP_PKEY_free(handle) }
    var raw = [UInt8](repeating: 0, count: 32)
    var count = 32
    guard EVP_PKEY_is_a(handle, "ED25519") == 1,
      EVP_PKEY_get_raw_public_key(handle, &raw, &count) == 1, count == 32,
      let key = VerifyingKey(rawBytes: raw)
    else { throw failure }
    self = key
  }
}

/// What is printed or dumped of a private key is its public half.
extension SigningKey: CustomStringConvertible, CustomReflectable {
  package var description: String { "SigningKey(of \(verifyingKey.keyID))" }
  package var customMirror: Mirror { Mirror(self, children: ["verifyingKey": verifyingKey]) }
}

/// Bytes from the operating system's generator, through OpenSSL.
package func randomBytes(_ count: Int) -> [UInt8] {
  var out = [UInt8](repeating: 0, count: count)
  guard RAND_bytes(&out, Int32(count)) == 1 else {
    // A secret that is not random is worse than no program.
    fatalError("the operating system gives no random bytes")
  }
  return out
}
