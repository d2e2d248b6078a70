package import ProofPrimitives

/// What a tree got when leaves were added: every node over a new leaf, and beside these the peaks of the old
/// tree. Enough for the new root, for new tiles, and for an inclusion proof of each new leaf, without
/// reading any old one.
///
/// A sibling on a new leaf's way to the root either stands over a new leaf itself or is a peak of the old tree:
/// left of a node that holds the first new leaf there is, on each level, at most one whole subtree that is not
/// already part of a larger one.
///
/// Cost: one hash for each new leaf and one for each level.
package struct GrownTree: NodeReader, Sendable {
  package let oldSize: TreeSize
  package let size: TreeSize
  /// `levels[l]` holds the nodes of level l from index `bases[l]` on.
  private var levels: [[Digest]] = []
  private var bases: [UInt64] = []

  /// - Parameter frontier: Of the tree before the leaves.
  package init(_ frontier: MerkleFrontier, adding leafHashes: [Digest]) {
    oldSize = frontier.size
    size = TreeSize(frontier.size.value + UInt64(leafHashes.count))
    precondition(size.isWithinLimit, "a tree holds at most 2^62 leaves")
    let hasher = TreeHasher()
    var nodes: [Digest] = []
    for level in 0..<63 {
      guard size.value >> UInt64(level) > 0 else { break }
      var level0: [Digest] = []
      if level == 0 {
        level0 = leafHashes
      } else {
        level0.reserveCapacity(nodes.count / 2 + 1)
        // The level below begins at an even index: a peak makes it so.
        for right in stride(from: 1, to: nodes.count, by: 2) {
          level0.append(hasher.node(nodes[right - 1], nodes[right]))
        }
      }
      var base = oldSize.value >> UInt64(level)
      if let peak = frontier.peak(level) {
        level0.insert(peak, at: 0)
        base -= 1
      }
      levels.append(level0)
      bases.append(base)
      nodes = level0
    }
  }

  /// Traps for a node that stands over old leaves alone and is no peak of the old tree.
  package func node(at position: NodePosition) -> Digest {
    levels[position.level][Int(position.index - bases[position.level])]
  }

  package var root: Digest { root(size: size) }

  /// The nodes of `level` that the old tree did not have, left to right.
  package func newNodes(level: Int) -> ArraySlice<Digest> {
    guard level < levels.count else { return [] }
    let old = oldSize.value >> UInt64(level) - bases[level]
    return levels[level][Int(old)...]
  }

  /// Of a new leaf, in the new tree; nil for any other index.
  package func inclusionProof(newLeaf index: LeafIndex) -> InclusionProof? {
    guard index.value >= oldSize.value else { return nil }
    return inclusionProof(index: index, size: size)
  }
}
