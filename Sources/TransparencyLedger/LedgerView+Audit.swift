import MerkleTrees
import ProofPrimitives

/// What a full check of a ledger has gone through.
package struct LedgerAudit: Sendable {
  package let entryCount: UInt64
  package let tileCount: Int
  package let publishedHeadCount: Int
  package let indexRootCount: Int
  /// The log's own last word, checked; nil while it goes on.
  package let end: LogEnd?
  /// The log that this one goes on for, by its own word alone.
  package let beginning: LogBeginStatement?
}

extension LedgerView {
  /// Recomputes everything: the tree from the entries, every tile from the tree, every published
  /// head from the tiles, every signature, the files that only older heads need, and every index root from the
  /// entries before it.
  package func audit() throws(LedgerError) -> LedgerAudit {
    let voice = LogVoice(verifierKey)
    var declared: LogEnd?
    var beginning: LogBeginStatement?
    let tree = try scan { entry in
      if entry.index.value == 0 { beginning = voice.beginning(entry.bytes) }
      if declared == nil { declared = voice.end(entry.bytes, at: entry.index) }
    }
    if let declared, declared.index.value + 1 < head.size.value {
      throw LedgerView.grewAfterEnd(declared, head)
    }
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
    let nodes = nodes()
    var superseded = SupersededTiles(self, tree)
    var (headCount, last) = (0, TreeSize?.none)
    try visitHistory { line throws(LedgerError) in
      _ = try check(line, nodes)
      try superseded.audit(line.size)
      (headCount, last) = (headCount + 1, line.size)
      return true
    }
    guard last == head.size else {
      throw PublishedHead.bad("the tree head of \(head.size) entries has no line", line: 0)
    }
    try auditStatedKey()
    let indexRootCount = try auditIndexRoots()
    return LedgerAudit(
      entryCount: head.size.value, tileCount: tiles.count, publishedHeadCount: headCount,
      indexRootCount: indexRootCount, end: try declared == nil ? nil : end(), beginning: beginning)
  }
}
