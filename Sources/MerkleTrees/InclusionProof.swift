package import ProofPrimitives

/// The siblings on the way from a leaf to the root, leaf's end first (RFC 9162 §2.1.3).
package struct InclusionProof: Hashable, Sendable {
  /// A tree within `TreeSize.limit` is at most this high.
  package static let hashLimit = 62

  package let hashes: [Digest]

  package init(hashes: [Digest]) { self.hashes = hashes }

  /// Whether `leafHash` stands at `index` of the tree with that size and root (RFC 9162 §2.1.3.2).
  package func isValid(
    leafHash: Digest, index: LeafIndex, size: TreeSize, root: Digest
  ) -> Bool {
    guard size.contains(index), size.isWithinLimit else { return false }
    let hasher = TreeHasher()
    var position = index.value
    // The last node of the level: where it equals `position`, that node has no right sibling.
    var last = size.value - 1
    var result = leafHash
    for sibling in hashes {
      guard last > 0 else { return false }
      if position & 1 == 1 || position == last {
        result = hasher.node(sibling, result)
        while position & 1 == 0, position != 0 {
          position >>= 1
          last >>= 1
        }
      } else {
        result = hasher.node(result, sibling)
      }
      position >>= 1
      last >>= 1
    }
    return last == 0 && result == root
  }
}

/// `InclusionProof.isValid` for callers that hold the hashes alone.
package func verifyInclusion(
  leafHash: Digest, index: LeafIndex, treeSize: TreeSize, proof: [Digest], root: Digest
) -> Bool {
  InclusionProof(hashes: proof).isValid(
    leafHash: leafHash, index: index, size: treeSize, root: root)
}
