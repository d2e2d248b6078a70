internal import COpenSSL
package import ProofPrimitives

/// HMAC-SHA256 (RFC 2104).
package func hmacSHA256(key: [UInt8], message: [UInt8]) -> Digest {
  var out = [UInt8](repeating: 0, count: 32)
  var count = 0
  let answer = EVP_Q_mac(
    nil, "HMAC", nil, "SHA256", nil, key, key.count, message, message.count, &out, 32, &count)
  guard answer != nil, count == 32, let digest = Digest(out) else {
    fatalError("OpenSSL cannot provide HMAC-SHA256")
  }
  return digest
}

/// HKDF-SHA256 (RFC 5869), 32 bytes of output.
///
/// One block of output needs one expand step, T(1) = HMAC(PRK, info || 0x01).
package func hkdfSHA256(secret: [UInt8], salt: [UInt8], info: [UInt8]) -> Digest {
  let pseudorandomKey = hmacSHA256(
    key: salt.isEmpty ? [UInt8](repeating: 0, count: 32) : salt, message: secret)
  return hmacSHA256(key: pseudorandomKey.bytes, message: info + [1])
}
