internal import COpenSSL
package import ProofPrimitives

/// SHA-256 through OpenSSL (FIPS 180-4).
///
/// The algorithm is fetched once for the process; a fetch for every call would cost four times the
/// hash of a Merkle node.
package final class SHA256 {
  // Written once before any use and only read after; OpenSSL's fetched methods are thread-safe.
  nonisolated(unsafe) private static let method: OpaquePointer? = EVP_MD_fetch(nil, "SHA256", nil)

  private let context: OpaquePointer

  package init() {
    guard let context = EVP_MD_CTX_new(), EVP_DigestInit_ex(context, SHA256.method, nil) == 1 else {
      // Only when memory is exhausted or OpenSSL has no SHA-256: nothing here can go on without it.
      fatalError("OpenSSL cannot provide SHA-256")
    }
    self.context = context
  }

  deinit { EVP_MD_CTX_free(context) }

  package func update(_ bytes: UnsafeRawBufferPointer) {
    guard EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) == 1 else {
      fatalError("OpenSSL cannot provide SHA-256")
    }
  }

  package func update(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { update($0) }
  }

  package func update(_ bytes: ArraySlice<UInt8>) {
    bytes.withUnsafeBytes { update($0) }
  }

  package func update(_ tag: DomainTag) { update(tag.bytes) }

  /// The digest of all that was added; the hasher starts afresh.
  package func finish() -> Digest {
    let digest = withUnsafeTemporaryAllocation(byteCount: 32, alignment: 8) { out in
      // A failure here must never pass for a digest.
      guard let start = out.baseAddress, EVP_DigestFinal_ex(context, start, nil) == 1,
        EVP_DigestInit_ex(context, SHA256.method, nil) == 1
      else { fatalError("OpenSSL cannot provide SHA-256") }
      return Digest(loadingFrom: start)
    }
    return digest
  }

  package static func hash(_ bytes: UnsafeRawBufferPointer) -> Digest {
    let hasher = SHA256()
    hasher.update(bytes)
    return hasher.finish()
  }

  package static func hash(_ bytes: [UInt8]) -> Digest {
    bytes.withUnsafeBytes { hash($0) }
  }

  package static func hash(_ bytes: ArraySlice<UInt8>) -> Digest {
    bytes.withUnsafeBytes { hash($0) }
  }

  /// SHA-256(tag || parts...).
  package static func hash(_ tag: DomainTag, _ parts: [UInt8]...) -> Digest {
    let hasher = SHA256()
    hasher.update(tag)
    for part in parts { hasher.update(part) }
    return hasher.finish()
  }
}
