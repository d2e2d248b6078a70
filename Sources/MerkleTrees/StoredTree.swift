package import ProofPrimitives

/// All complete nodes of a tree in memory, about two digests a leaf: for making many proofs.
package struct StoredTree: NodeReader, Sendable {
  /// `levels[0]` holds the leaf hashes, each next level the hashes of whole pairs below.
  package let levels: [[Digest]]

  package init(leafHashes: [Digest]) {
    let hasher = TreeHasher()
    var levels = [leafHashes]
    var below = leafHashes
    while below.count > 1 {
      var level: [Digest] = []
      level.reserveCapacity(below.count / 2)
      for right in stride(from: 1, to: below.count, by: 2) {
        level.append(hasher.node(below[right - 1], below[right]))
      }
      levels.append(level)
      below = level
    }
    self.levels = levels
  }

  package var size: TreeSize { TreeSize(levels[0].count) }
  package var root: Digest { root(size: size) }

  /// Traps beyond the tree; the proof functions never ask there for sizes up to `size`.
  package func node(at position: NodePosition) -> Digest {
    levels[position.level][Int(position.index)]
  }
}
