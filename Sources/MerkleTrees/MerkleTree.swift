import Cryptography
package import ProofPrimitives

/// Roots and proofs of a tree whose leaf hashes are all in memory (RFC 6962 §2.1).
///
/// For a tree that is on disk or at a URL, use the functions on `NodeReader`, which read only the
/// nodes that a proof needs.
package enum MerkleTree {
  /// The root of the tree without leaves: SHA-256 of nothing.
  package static let emptyRoot = SHA256.hash([UInt8]())

  /// SHA-256(0x00 || data).
  package static func leafHash(of data: some Collection<UInt8>) -> Digest {
    TreeHasher().leaf(data)
  }

  /// - Complexity: O(n) hashes; memory for one frontier.
  package static func root(ofLeafHashes leafHashes: [Digest]) -> Digest {
    var frontier = MerkleFrontier()
    for hash in leafHashes { frontier.append(leafHash: hash) }
    return frontier.root
  }

  /// Nil unless there is a leaf at `index`.
  package static func inclusionProof(leafHashes: [Digest], index: LeafIndex) -> InclusionProof? {
    StoredTree(leafHashes: leafHashes).inclusionProof(
      index: index, size: TreeSize(leafHashes.count))
  }

  /// From the tree over the first `oldSize` leaves to the one over all; nil when `oldSize` is
  /// larger.
  package static func consistencyProof(
    leafHashes: [Digest], from oldSize: TreeSize
  ) -> ConsistencyProof? {
    StoredTree(leafHashes: leafHashes).consistencyProof(
      from: oldSize, to: TreeSize(leafHashes.count))
  }
}
