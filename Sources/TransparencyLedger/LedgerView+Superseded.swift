import MerkleTrees
import ProofPrimitives

/// Checks the partial tiles and bundles of every head that was published before this one.
///
/// No proof against today's head reads them; a client that holds an older head does. A file that a log
/// dropped because its full one exists is not missed.
struct SupersededTiles {
  private let view: LedgerView
  private let tree: StoredTree
  /// The partial tile that was checked last on each level: the next head may have the same.
  private var last = [TileCoordinate?](repeating: nil, count: TileCoordinate.levelLimit)

  init(_ view: LedgerView, _ tree: StoredTree) {
    self.view = view
    self.tree = tree
  }

  /// Sizes come rising. Each has at most one partial tile a level.
  mutating func audit(_ size: TreeSize) throws(LedgerError) {
    guard size < view.head.size else { return }
    for level in last.indices {
      let hashCount = size.value >> UInt64(level * TileCoordinate.height)
      guard hashCount & 255 != 0,
        let tile = TileCoordinate(level: level, index: hashCount >> 8, in: size),
        tile != last[level],
        tile != TileCoordinate(level: level, index: tile.index, in: view.head.size)
      else { continue }
      last[level] = tile
      try view.auditPartial(tile, tree)
    }
  }
}

extension LedgerView {
  func auditPartial(
    _ tile: TileCoordinate, _ tree: StoredTree
  ) throws(LedgerError) {
    let first = tile.index << 8
    var expected: [Digest] = []
    for position in 0..<UInt64(tile.width) {
      expected.append(
        tree.node(
          at: NodePosition(
            level: tile.level * TileCoordinate.height, index: first + position)))
    }
    if let bytes = try source.read(path: tile.path, limit: 256 * Digest.byteCount),
      bytes != expected.flatMap(\.bytes)
    {
      throw LedgerError(
        .damagedTile, "an older tile is not that of the entries",
        remedy: "restore the tile from a good copy", path: tile.path)
    }
    guard tile.level == 0,
      let bytes = try source.read(path: tile.bundlePath, limit: EntryBundle.byteLimit)
    else { return }
    let entries = try EntryBundle.decode(bytes, count: tile.width, path: tile.bundlePath)
    guard entries.map({ MerkleTree.leafHash(of: $0) }) == expected else {
      throw LedgerError(
        .damagedBundle, "an older bundle does not hold the log's entries",
        remedy: "restore the bundle from a good copy", path: tile.bundlePath)
    }
  }

  /// The key that the ledger states for itself is the one it is audited by.
  func auditStatedKey() throws(LedgerError) {
    guard try source.statedVerifierKey() == verifierKey else {
      throw LedgerError(
        .badKey, "the ledger states another key than the one its heads are signed with",
        remedy: "restore the file", path: LedgerPath.verifierKey)
    }
  }
}
