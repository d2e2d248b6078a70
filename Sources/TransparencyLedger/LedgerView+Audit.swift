import MerkleTrees
import ProofPrimitives

/// What a full check of a ledger has gone through.
package struct LedgerAudit: Sendable {
  package let entryCount: UInt64
  package let tileCount: Int
  package let publishedHeadCount: Int
}

extension LedgerView {
  /// Recomputes everything: the tree from the entries, every tile from the tree, every published
  /// head from the tiles, every signature, and the files that only older heads need.
  package func audit() throws(LedgerError) -> LedgerAudit {
    let tree = try scan { _ in }
    let tiles = TileCoordinate.all(in: head.size)
    for tile in tiles {
      let stored = try LedgerTiles(source: source).hashes(ofTile: tile)
      for (position, hash) in stored.enumerated() {
        let place = NodePosition(
          level: tile.level * TileCoordinate.height, index: tile.index << 8 + UInt64(position))
        guard tree.node(at: place) == hash else {
          throw LedgerError(
            .damagedTile, "hash \(position) is not that of the entries",
            remedy: "restore the tile from a good copy", path: tile.path)
        }
      }
    }
    let history = try history()
    let nodes = nodes()
    for line in history { _ = try check(line, nodes) }
    guard history.last?.size == head.size else {
      throw PublishedHead.bad("the tree head of \(head.size) entries has no line", line: 0)
    }
    try auditSuperseded(history, tree)
    try auditStatedKey()
    return LedgerAudit(
      entryCount: head.size.value, tileCount: tiles.count, publishedHeadCount: history.count)
  }
}
