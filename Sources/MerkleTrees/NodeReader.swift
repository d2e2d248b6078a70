package import ProofPrimitives

/// Where the hashes of complete subtrees come from: memory, per-level files, or tiles of a log.
///
/// Nothing read here needs to be trusted: what is made of it is checked against a root.
package protocol NodeReader {
  associatedtype Failure: Error
  /// The hash at `position`, which lies below a size that the caller knows the tree to have.
  func node(at position: NodePosition) throws(Failure) -> Digest
}

extension NodeReader {
  /// The hash of leaves `start..<end`, where `start` is a multiple of the largest power of two that
  /// is not above `end - start`, and the range is not empty: every range of RFC 6962 §2.1 is so.
  private func hash(
    from start: UInt64, to end: UInt64, _ hasher: TreeHasher
  ) throws(Failure) -> Digest {
    // The range is complete subtrees of falling height; the tree folds them from the right.
    var parts: [Digest] = []
    var cursor = start
    while cursor < end {
      let level = 63 - (end - cursor).leadingZeroBitCount
      parts.append(try node(at: NodePosition(level: level, index: cursor >> UInt64(level))))
      cursor += 1 << UInt64(level)
    }
    var result = parts.removeLast()
    while let left = parts.popLast() { result = hasher.node(left, result) }
    return result
  }

  /// The root of the first `size` leaves (RFC 9162 §2.1.1). Reads at most 62 nodes.
  package func root(size: TreeSize) throws(Failure) -> Digest {
    guard size > .zero else { return MerkleTree.emptyRoot }
    return try hash(from: 0, to: size.value, TreeHasher())
  }

  /// PATH(m, D[n]) of RFC 9162 §2.1.3.1; nil unless `index < size`.
  package func inclusionProof(
    index: LeafIndex, size: TreeSize
  ) throws(Failure) -> InclusionProof? {
    guard size.contains(index), size.isWithinLimit else { return nil }
    let hasher = TreeHasher()
    var path: [Digest] = []
    var start: UInt64 = 0
    var end = size.value
    while end - start > 1 {
      let middle = start + splitPoint(end - start)
      if index.value < middle {
        path.append(try hash(from: middle, to: end, hasher))
        end = middle
      } else {
        path.append(try hash(from: start, to: middle, hasher))
        start = middle
      }
    }
    // The walk went down from the root; proofs are written from the leaf up.
    return InclusionProof(hashes: path.reversed())
  }

  /// PROOF(m, D[n]) of RFC 9162 §2.1.4.1; nil when `oldSize` is above `size`. From size zero, and
  /// between equal sizes, the proof is empty.
  package func consistencyProof(
    from oldSize: TreeSize, to size: TreeSize
  ) throws(Failure) -> ConsistencyProof? {
    guard oldSize <= size, size.isWithinLimit else { return nil }
    guard oldSize > .zero, oldSize < size else { return ConsistencyProof(hashes: []) }
    let hasher = TreeHasher()
    var path: [Digest] = []
    var start: UInt64 = 0
    var end = size.value
    // Whether the old tree is, so far, everything from the left edge: its root is then known.
    var isWholeOldTree = true
    while end != oldSize.value {
      let middle = start + splitPoint(end - start)
      if oldSize.value <= middle {
        path.append(try hash(from: middle, to: end, hasher))
        end = middle
      } else {
        path.append(try hash(from: start, to: middle, hasher))
        start = middle
        isWholeOldTree = false
      }
    }
    if !isWholeOldTree { path.append(try hash(from: start, to: end, hasher)) }
    return ConsistencyProof(hashes: path.reversed())
  }
}

/// The largest power of two below `count`, which is at least 2.
private func splitPoint(_ count: UInt64) -> UInt64 {
  1 << UInt64(63 - (count - 1).leadingZeroBitCount)
}
