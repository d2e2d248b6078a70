internal import COpenSSL
internal import ProofPrimitives

/// The payload of an age file: a nonce, then chunks of 64 KiB, each sealed alone, whose nonces count up
/// and mark the last one (C2SP age.md, "Payload"), so that none can be moved, dropped or cut off.
enum AgeStream {
  static let nonceByteCount = 16
  static let chunkByteCount = 65_536
  private static let sealedByteCount = chunkByteCount + AuthenticatedCipher.tagByteCount

  private static func key(_ fileKey: [UInt8], nonce: some Collection<UInt8>) -> [UInt8] {
    hkdfSHA256(secret: fileKey, salt: Array(nonce), info: Array("payload".utf8)).bytes
  }

  /// An 11-byte big-endian counter, then 1 for the last chunk.
  private static func nonce(_ index: Int, isLast: Bool) -> [UInt8] {
    let counter = withUnsafeBytes(of: UInt64(index).bigEndian) { Array($0) }
    return [0, 0, 0] + counter + [isLast ? 1 : 0]
  }

  static func encrypt(_ plaintext: [UInt8], fileKey: [UInt8]) -> [UInt8] {
    var out = randomBytes(nonceByteCount)
    let key = key(fileKey, nonce: out)
    let cipher = AuthenticatedCipher(.chaCha20Poly1305)
    var start = 0
    var index = 0
    // A chunk is empty only when everything is.
    repeat {
      let end = min(start + chunkByteCount, plaintext.count)
      let nonce = nonce(index, isLast: end == plaintext.count)
      out += cipher.seal(plaintext[start..<end], key: key, nonce: nonce, data: [])
      start = end
      index += 1
    } while start < plaintext.count
    return out
  }

  /// The whole plaintext; nothing of it before all was authenticated.
  ///
  /// - Parameter payload: At least a nonce.
  static func decrypt(
    _ payload: ArraySlice<UInt8>, fileKey: [UInt8]
  ) throws(CryptographyError) -> [UInt8] {
    let key = key(fileKey, nonce: payload.prefix(nonceByteCount))
    let cipher = AuthenticatedCipher(.chaCha20Poly1305)
    var rest = payload.dropFirst(nonceByteCount)
    var out: [UInt8] = []
    out.reserveCapacity(rest.count)
    var index = 0
    while true {
      // What ends the file must be the chunk that is marked as the last.
      let sealed = rest.prefix(sealedByteCount)
      rest = rest.dropFirst(sealedByteCount)
      let nonce = nonce(index, isLast: rest.isEmpty)
      guard let chunk = cipher.open(sealed, key: key, nonce: nonce, data: []) else {
        throw refused(
          "chunk \(index) does not open: it was altered, or the file was cut or added to")
      }
      guard !chunk.isEmpty || index == 0 else {
        throw refused("the last chunk is empty after others")
      }
      out += chunk
      index += 1
      if rest.isEmpty { return out }
    }
  }

  private static func refused(_ message: String) -> CryptographyError {
    CryptographyError(.agePayload, message, remedy: "fetch the file again")
  }
}

/// Compares secrets of one length in time that depends on the length alone.
func isEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
  left.count == right.count && CRYPTO_memcmp(left, right, left.count) == 0
}
