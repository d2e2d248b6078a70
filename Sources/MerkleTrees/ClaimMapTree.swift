package import ProofPrimitives

/// The upper levels of a claim map in memory (`spec/claim-map.md` §3): all nodes down to a depth, below which the
/// entries of one **bucket** agree in their first `depth` bits and are read when they are needed.
///
/// At 20 levels 66 MiB, whatever the map holds; a bucket of a map of 20 million keys has 20 of them. A change is
/// computed beside the tree and applied later, so that proofs of the old map can be made until then.
package struct ClaimMapTree: Sendable {
  /// Entries whose keys begin with the first `depth` bits of a key, sorted.
  package typealias Reader<Failure: Error> = (_ key: Digest, _ depth: Int) throws(Failure) ->
    [ClaimMap.Entry]

  fileprivate struct Node: Sendable {
    var hash = ClaimMapHasher.empty
    /// Keys below; 2 stands for two or more.
    var count: UInt8 = 0
  }

  /// Nodes that differ from a tree's.
  package struct Change: Sendable {
    fileprivate var nodes: [Int: Node] = [:]
    package let root: Digest
  }

  package let depth: Int
  /// Heap order: the node of prefix p with d bits stands at 2^d + p.
  private var hashes: [Digest]
  private var counts: [UInt8]

  /// An empty map.
  package init(depth: Int) {
    precondition((0...24).contains(depth), "2^24 buckets take a gigabyte")
    self.depth = depth
    hashes = Array(repeating: ClaimMapHasher.empty, count: 2 << depth)
    counts = Array(repeating: 0, count: 2 << depth)
  }

  package var root: Digest { hashes[1] }

  /// Which bucket a key is in.
  package static func bucket(of key: Digest, depth: Int) -> Int {
    var bucket = 0
    for position in 0..<depth { bucket = bucket << 1 | (key.bit(position) ? 1 : 0) }
    return bucket
  }

  /// What the tree becomes when these buckets hold what `read` gives.
  ///
  /// - Parameter buckets: Rising, each once.
  /// - Complexity: For k of them and n keys in all, about k (log2(2^depth / k) + 2) + n hashes.
  package func change<Failure: Error>(
    _ buckets: [Int], _ read: (_ bucket: Int) throws(Failure) -> [ClaimMap.Entry]
  ) throws(Failure) -> Change {
    let hasher = ClaimMapHasher()
    var nodes: [Int: Node] = [:]
    var level: [Int] = []
    for bucket in buckets {
      let entries = try read(bucket)
      nodes[1 << depth + bucket] = Node(
        hash: ClaimMap.hash(entries[...], depth: depth, hasher),
        count: UInt8(min(2, entries.count)))
      level.append(1 << depth + bucket)
    }
    func node(_ place: Int) -> Node {
      nodes[place] ?? Node(hash: hashes[place], count: counts[place])
    }
    while let first = level.first, first > 1 {
      var above: [Int] = []
      for place in level where above.last != place >> 1 {
        let (left, right) = (node(place & ~1), node(place | 1))
        above.append(place >> 1)
        nodes[place >> 1] =
          switch (left.count, right.count) {
          case (0, 0): Node()
          // A leaf stands as high as it can.
          case (1, 0): left
          case (0, 1): right
          default: Node(hash: hasher.node(left.hash, right.hash), count: 2)
          }
      }
      level = above
    }
    return Change(nodes: nodes, root: node(1).hash)
  }

  package mutating func apply(_ change: Change) {
    for (place, node) in change.nodes {
      hashes[place] = node.hash
      counts[place] = node.count
    }
  }

  /// Shows what the map says of `key`.
  package func proof<Failure: Error>(
    for key: Digest, _ read: Reader<Failure>
  ) throws(Failure) -> ClaimMapProof {
    var siblings: [Digest] = []
    var place = 1
    while siblings.count < depth, counts[place] > 1 {
      let next = place << 1 | (key.bit(siblings.count) ? 1 : 0)
      siblings.append(hashes[next ^ 1])
      place = next
    }
    guard counts[place] > 0 else { return ClaimMapProof(siblings: siblings, end: .nothing) }
    let rest = try read(key, siblings.count)
    return ClaimMap.proof(for: key, among: rest[...], siblings: siblings)
  }
}
