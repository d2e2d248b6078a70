import MerkleTrees
import ProofPrimitives

extension LedgerView {
  /// Checks the partial tiles and bundles of every head that was published before this one.
  ///
  /// No proof against today's head reads them; a client that holds an older head does. A file that a log
  /// dropped because its full one exists is not missed.
  func auditSuperseded(
    _ history: [PublishedHead], _ tree: StoredTree
  ) throws(LedgerError) {
    let current = Set(TileCoordinate.all(in: head.size))
    var seen = Set<TileCoordinate>()
    for line in history where line.size < head.size {
      for tile in TileCoordinate.all(in: line.size)
      where !tile.isFull && !current.contains(tile) && seen.insert(tile).inserted {
        try auditPartial(tile, tree)
      }
    }
  }

  private func auditPartial(
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
