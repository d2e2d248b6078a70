import Cryptography
package import ProofPrimitives

/// The two hashes of a Merkle tree (RFC 6962 §2.1, RFC 9162 §2.1.1), with one SHA-256 object reused
/// for a batch: setting up a new one would cost as much as the hash of a node.
package final class TreeHasher {
  private let hasher = SHA256()
  private var node = [UInt8](repeating: 0, count: 0)
  private static let leafPrefix: [UInt8] = [0]

  package init() { node.reserveCapacity(1 + 2 * Digest.byteCount) }

  /// SHA-256(0x00 || data).
  package func leaf(_ data: some Collection<UInt8>) -> Digest {
    hasher.update(TreeHasher.leafPrefix)
    let hashed: Void? = data.withContiguousStorageIfAvailable {
      hasher.update(UnsafeRawBufferPointer($0))
    }
    if hashed == nil { hasher.update(Array(data)) }
    return hasher.finish()
  }

  /// SHA-256(0x01 || left || right). The prefix keeps a node from being passed off as a leaf.
  package func node(_ left: Digest, _ right: Digest) -> Digest {
    node.removeAll(keepingCapacity: true)
    node.append(1)
    left.append(to: &node)
    right.append(to: &node)
    hasher.update(node)
    return hasher.finish()
  }
}
