package import ProofPrimitives

/// Evidence that one tree is the beginning of another (RFC 9162 §2.1.4).
package struct ConsistencyProof: Hashable, Sendable {
  package let hashes: [Digest]

  package init(hashes: [Digest]) { self.hashes = hashes }

  /// Whether the tree of `newSize` and `newRoot` begins with that of `oldSize` and `oldRoot`
  /// (RFC 9162 §2.1.4.2).
  ///
  /// Two cases that the RFC leaves to the caller: between equal sizes the roots must be equal, and
  /// every tree begins with the empty one, whose root must be SHA-256 of nothing. Both proofs are
  /// empty, and one that is not is refused.
  package func isValid(
    oldSize: TreeSize, oldRoot: Digest, newSize: TreeSize, newRoot: Digest
  ) -> Bool {
    guard oldSize <= newSize, newSize.isWithinLimit else { return false }
    if oldSize == newSize {
      return hashes.isEmpty && oldRoot == newRoot
        && (oldSize > .zero || oldRoot == MerkleTree.emptyRoot)
    }
    guard oldSize > .zero else { return hashes.isEmpty && oldRoot == MerkleTree.emptyRoot }

    // A complete old tree is its own first hash, and is left out of the proof.
    let isComplete = oldSize.value & (oldSize.value - 1) == 0
    let path = isComplete ? [oldRoot] + hashes : hashes
    guard let first = path.first, !hashes.isEmpty else { return false }

    let hasher = TreeHasher()
    let shift = UInt64((~(oldSize.value - 1)).trailingZeroBitCount)
    var position = (oldSize.value - 1) >> shift
    var last = (newSize.value - 1) >> shift
    var old = first
    var new = first
    for hash in path.dropFirst() {
      guard last > 0 else { return false }
      if position & 1 == 1 || position == last {
        old = hasher.node(hash, old)
        new = hasher.node(hash, new)
        while position & 1 == 0, position != 0 {
          position >>= 1
          last >>= 1
        }
      } else {
        new = hasher.node(new, hash)
      }
      position >>= 1
      last >>= 1
    }
    return last == 0 && old == oldRoot && new == newRoot
  }
}

/// `ConsistencyProof.isValid` for callers that hold the hashes alone.
package func verifyConsistency(
  oldSize: TreeSize, oldRoot: Digest, newSize: TreeSize, newRoot: Digest, proof: [Digest]
) -> Bool {
  ConsistencyProof(hashes: proof).isValid(
    oldSize: oldSize, oldRoot: oldRoot, newSize: newSize, newRoot: newRoot)
}
