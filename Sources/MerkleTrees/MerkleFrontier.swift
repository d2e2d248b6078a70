package import ProofPrimitives

/// The right edge of a growing tree: enough to append and to tell the root, in at most 62 digests.
package struct MerkleFrontier {
  private let hasher = TreeHasher()
  package private(set) var size = TreeSize.zero
  /// Roots of the complete subtrees that make up the tree, left to right, heights falling: one for
  /// each bit set in `size`.
  private var peaks: [Digest] = []

  package init() {}

  /// Takes up a tree of `size` leaves whose nodes can be read.
  package init<Reader: NodeReader>(
    size: TreeSize, reading reader: Reader
  ) throws(Reader.Failure) {
    var cursor: UInt64 = 0
    while cursor < size.value {
      let level = 63 - (size.value - cursor).leadingZeroBitCount
      peaks.append(
        try reader.node(at: NodePosition(level: level, index: cursor >> UInt64(level))))
      cursor += 1 << UInt64(level)
    }
    self.size = size
  }

  /// Takes up the tree that another became.
  package init(_ grown: GrownTree) {
    var cursor: UInt64 = 0
    while cursor < grown.size.value {
      let level = 63 - (grown.size.value - cursor).leadingZeroBitCount
      peaks.append(grown.node(at: NodePosition(level: level, index: cursor >> UInt64(level))))
      cursor += 1 << UInt64(level)
    }
    size = grown.size
  }

  /// The root of the complete subtree of 2^level leaves on the right edge; nil where there is none.
  func peak(_ level: Int) -> Digest? {
    guard size.value >> UInt64(level) & 1 == 1 else { return nil }
    return peaks[(size.value >> UInt64(level + 1)).nonzeroBitCount]
  }

  package mutating func append(leafHash: Digest) {
    precondition(size.value < TreeSize.limit, "a tree holds at most 2^62 leaves")
    var hash = leafHash
    // Adding one to the size carries through its trailing one bits; each carry joins two peaks.
    var carry = size.value
    while carry & 1 == 1, let left = peaks.popLast() {
      hash = hasher.node(left, hash)
      carry >>= 1
    }
    peaks.append(hash)
    size = TreeSize(size.value + 1)
  }

  package var root: Digest {
    guard var result = peaks.last else { return MerkleTree.emptyRoot }
    for left in peaks.dropLast().reversed() { result = hasher.node(left, result) }
    return result
  }
}
