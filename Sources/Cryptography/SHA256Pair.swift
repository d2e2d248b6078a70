internal import CKernels
package import ProofPrimitives

/// Two SHA-256 computations side by side: half the time of one after the other, where the processor has
/// instructions for SHA-256. Elsewhere two of OpenSSL's.
///
/// For long texts that come in twos: chunks, packs. Not for two threads at once.
package final class SHA256Pair {
  private var first = pol_sha256_lane()
  private var second = pol_sha256_lane()
  /// Nil where the lanes are used.
  private let hashers: (SHA256, SHA256)?

  package init() {
    hashers = pol_sha256_has_pair() == 1 ? nil : (SHA256(), SHA256())
    begin()
  }

  private func begin() {
    guard hashers == nil else { return }
    pol_sha256_begin(&self.first)
    pol_sha256_begin(&self.second)
  }

  /// Adds to both; what one has more than the other costs as much as alone.
  package func update(_ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer) {
    if let hashers {
      hashers.0.update(first)
      hashers.1.update(second)
    } else {
      pol_sha256_add_pair(
        &self.first, first.baseAddress, first.count, &self.second, second.baseAddress, second.count)
    }
  }

  /// The digests of all that was added; both start afresh.
  package func finish() -> (Digest, Digest) {
    if let hashers { return (hashers.0.finish(), hashers.1.finish()) }
    defer { begin() }
    return (SHA256Pair.digest(&self.first), SHA256Pair.digest(&self.second))
  }

  private static func digest(_ lane: inout pol_sha256_lane) -> Digest {
    withUnsafeTemporaryAllocation(byteCount: 32, alignment: 8) { out in
      // 32 bytes always have an address; without one nothing may pass for a digest.
      guard let start = out.baseAddress else { fatalError("no memory for a digest") }
      pol_sha256_finish(&lane, start.assumingMemoryBound(to: UInt8.self))
      return Digest(loadingFrom: start)
    }
  }
}
