package import MerkleTrees
package import ProofPrimitives

/// An entry whose place under the head was checked.
package struct LocatedEntry: Sendable {
  package let index: LeafIndex
  package let bytes: [UInt8]
  package let leafHash: Digest
}

extension LedgerView {
  /// The entries of `range`, each checked to stand under the head at its index.
  package func entries(_ range: Range<UInt64>) throws(LedgerError) -> [LocatedEntry] {
    try entries(range, nodes())
  }

  /// The same, with a reader that serves other proofs too.
  func entries(
    _ range: Range<UInt64>, _ nodes: TileNodeReader<LedgerTiles>
  ) throws(LedgerError) -> [LocatedEntry] {
    guard range.upperBound <= head.size.value else {
      throw LedgerError(
        .beyondHead, "entries up to \(range.upperBound) are asked for, the head has \(head.size)",
        remedy: "fetch a newer tree head")
    }
    guard !range.isEmpty else { return [] }
    let hasher = TreeHasher()
    var found: [LocatedEntry] = []
    for bundle in range.lowerBound >> 8...(range.upperBound - 1) >> 8 {
      let (path, stored, places) = try bundlePlaces(bundle)
      let first = bundle << 8
      for (position, place) in places.enumerated()
      where range.contains(first + UInt64(position)) {
        let index = LeafIndex(first + UInt64(position))
        let bytes = Array(stored[place])
        let leafHash = hasher.leaf(bytes)
        let (stored, _) = try inclusionProof(
          index: index, size: head.size, root: head.root, nodes)
        guard stored == leafHash else { throw LedgerView.damagedBundle(path, index) }
        found.append(LocatedEntry(index: index, bytes: bytes, leafHash: leafHash))
      }
    }
    return found
  }

  package func entry(_ index: LeafIndex) throws(LedgerError) -> LocatedEntry {
    try entry(index, nodes())
  }

  func entry(
    _ index: LeafIndex, _ nodes: TileNodeReader<LedgerTiles>
  ) throws(LedgerError) -> LocatedEntry {
    let range = index.value..<(index.value < UInt64.max ? index.value + 1 : index.value)
    guard let entry = try entries(range, nodes).first else {
      throw LedgerError(.beyondHead, "there is no entry \(index)", remedy: "check the number")
    }
    return entry
  }

  /// Reads every entry, in order, and recomputes the tree from the entries alone.
  ///
  /// `visit` is called before the root is known to be right: what it gathers counts only once this
  /// has returned. Neither tiles nor any index can change the outcome.
  package func scan(
    _ visit: (LocatedEntry) throws(LedgerError) -> Void
  ) throws(LedgerError) -> StoredTree {
    let hasher = TreeHasher()
    var leafHashes: [Digest] = []
    for bundle in 0..<(head.size.value + 255) >> 8 {
      for bytes in try self.bundle(bundle).entries {
        let leafHash = hasher.leaf(bytes)
        try visit(
          LocatedEntry(index: LeafIndex(leafHashes.count), bytes: bytes, leafHash: leafHash))
        leafHashes.append(leafHash)
      }
    }
    let tree = StoredTree(leafHashes: leafHashes)
    guard tree.root == head.root else { throw try diagnosis(of: leafHashes) }
    return tree
  }

  /// Every entry, checked against the head. For a ledger that fits in memory.
  package func allEntries() throws(LedgerError) -> [LocatedEntry] {
    var entries: [LocatedEntry] = []
    _ = try scan { entries.append($0) }
    return entries
  }

  /// The entries of one bundle that the head covers; their form is checked and nothing else.
  func bundle(_ index: UInt64) throws(LedgerError) -> (path: String, entries: [[UInt8]]) {
    let (path, bytes, places) = try bundlePlaces(index)
    return (path, places.map { Array(bytes[$0]) })
  }

  /// The same, each entry where it stands in the bundle's bytes.
  private func bundlePlaces(
    _ index: UInt64
  ) throws(LedgerError) -> (path: String, bytes: [UInt8], places: ArraySlice<Range<Int>>) {
    guard let coordinate = TileCoordinate(level: 0, index: index, in: head.size) else {
      throw LedgerError(.beyondHead, "there is no bundle \(index)", remedy: "check the number")
    }
    var found = coordinate
    var bytes = try source.read(path: coordinate.bundlePath, limit: EntryBundle.byteLimit)
    if bytes == nil, !coordinate.isFull {
      found = coordinate.full
      bytes = try source.read(path: found.bundlePath, limit: EntryBundle.byteLimit)
    }
    guard let bytes else {
      throw LedgerError(
        .missing, "the ledger does not serve this bundle of entries",
        remedy: "try again later; if it stays missing, the log withholds it",
        path: coordinate.bundlePath)
    }
    let places = try EntryBundle.places(bytes, count: found.width, path: found.bundlePath)
    return (found.bundlePath, bytes, places.prefix(coordinate.width))
  }

  /// Says which bundle disagrees with the tiles, when the entries do not give the signed root.
  private func diagnosis(of leafHashes: [Digest]) throws(LedgerError) -> LedgerError {
    let nodes = nodes()
    for (position, leafHash) in leafHashes.enumerated() {
      let index = LeafIndex(position)
      let (stored, _) = try inclusionProof(index: index, size: head.size, root: head.root, nodes)
      guard stored == leafHash else {
        let tile = TileCoordinate(level: 0, index: index.value >> 8, in: head.size)
        return LedgerView.damagedBundle(tile?.bundlePath ?? "tile/entries", index)
      }
    }
    return LedgerView.damagedTiles("the tree")
  }

  static func damagedBundle(_ path: String, _ index: LeafIndex) -> LedgerError {
    LedgerError(
      .damagedBundle, "entry \(index) is not the one that the signed tree holds",
      remedy: "fetch the bundle again; the log's owner can restore it", path: path)
  }
}
