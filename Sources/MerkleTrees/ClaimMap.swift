package import ProofPrimitives

/// A map from keys to values as a binary Merkle prefix tree (`spec/claim-map.md` §3): one root commits to what
/// is in it and to all that is not.
///
/// Holds keys and values, 56 bytes each, in the order of keys; hashes are made when asked for: for a root or a
/// proof about two for each key. What auditors compare with, and the one that a larger store must agree with.
package struct ClaimMap: Sendable {
  package struct Entry: Hashable, Sendable {
    package let key: Digest
    package let value: ClaimMapValue

    package init(key: Digest, value: ClaimMapValue) {
      self.key = key
      self.value = value
    }
  }

  /// Sorted by key, each once.
  package let entries: [Entry]

  /// Nil when a key comes twice.
  package init?(_ entries: [Entry]) {
    let sorted = entries.sorted { $0.key < $1.key }
    guard zip(sorted, sorted.dropFirst()).allSatisfy({ $0.key != $1.key }) else { return nil }
    self.entries = sorted
  }

  package var root: Digest { ClaimMap.hash(entries[...], depth: 0, ClaimMapHasher()) }

  /// The value of a key.
  package subscript(key: Digest) -> ClaimMapValue? {
    let place = entries.partitioningIndex { $0.key >= key }
    guard place < entries.count, entries[place].key == key else { return nil }
    return entries[place].value
  }

  /// Shows what the map says of `key`.
  package func proof(for key: Digest) -> ClaimMapProof {
    ClaimMap.proof(for: key, among: entries[...], siblings: [])
  }

  /// The end of a proof: from a subtree down whose sorted entries are `rest`, below `siblings`.
  static func proof(
    for key: Digest, among rest: ArraySlice<Entry>, siblings: [Digest]
  ) -> ClaimMapProof {
    let hasher = ClaimMapHasher()
    var (rest, siblings) = (rest, siblings)
    while rest.count > 1 {
      let depth = siblings.count
      let (left, right) = ClaimMap.halves(rest, depth)
      let isRight = key.bit(depth)
      siblings.append(ClaimMap.hash(isRight ? left : right, depth: depth + 1, hasher))
      rest = isRight ? right : left
    }
    guard let last = rest.first else { return ClaimMapProof(siblings: siblings, end: .nothing) }
    return ClaimMapProof(
      siblings: siblings,
      end: last.key == key ? .found(last.value) : .other(key: last.key, value: last.value))
  }

  /// The hash of sorted entries whose keys agree in their first `depth` bits.
  ///
  /// Recursion: at most 256 deep, because two keys differ in one of their bits.
  package static func hash(
    _ entries: ArraySlice<Entry>, depth: Int, _ hasher: ClaimMapHasher
  ) -> Digest {
    guard let first = entries.first else { return ClaimMapHasher.empty }
    guard entries.count > 1 else { return hasher.leaf(first.key, first.value) }
    let (left, right) = halves(entries, depth)
    return hasher.node(
      hash(left, depth: depth + 1, hasher), hash(right, depth: depth + 1, hasher))
  }

  private static func halves(
    _ entries: ArraySlice<Entry>, _ depth: Int
  ) -> (left: ArraySlice<Entry>, right: ArraySlice<Entry>) {
    let middle = entries.partitioningIndex { $0.key.bit(depth) }
    return (entries[..<middle], entries[middle...])
  }
}

extension RandomAccessCollection {
  /// Where the elements begin for which `isAfter` holds; it holds for none before and all after.
  fileprivate func partitioningIndex(_ isAfter: (Element) -> Bool) -> Index {
    var low = startIndex
    var count = self.count
    while count > 0 {
      let half = count / 2
      let middle = index(low, offsetBy: half)
      if isAfter(self[middle]) {
        count = half
      } else {
        low = index(after: middle)
        count -= half + 1
      }
    }
    return low
  }
}
