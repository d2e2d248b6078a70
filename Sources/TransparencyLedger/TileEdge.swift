import MerkleTrees
import ProofPrimitives

/// The right edge of a tree that is made again from leaf hashes, and the tiles that follow from them.
struct TileEdge {
  struct Tile {
    let coordinate: TileCoordinate
    let hashes: [Digest]

    var bytes: [UInt8] {
      var bytes: [UInt8] = []
      bytes.reserveCapacity(hashes.count * Digest.byteCount)
      for hash in hashes { hash.append(to: &bytes) }
      return bytes
    }
  }

  private(set) var frontier: MerkleFrontier
  /// Hashes of the last tile of each level while it is partial.
  private var edge: [[Digest]]

  init() {
    frontier = MerkleFrontier()
    edge = Array(repeating: [], count: TileCoordinate.levelLimit)
  }

  /// Takes up a tree whose tiles are there, and checks them against the view's head.
  init(reading view: LedgerView) throws(LedgerError) {
    self.init()
    let size = view.head.size
    frontier = try MerkleFrontier(size: size, reading: view.nodes())
    guard frontier.root == view.head.root else {
      throw LedgerView.damagedTiles("the first \(size) entries")
    }
    for level in 0..<TileCoordinate.levelLimit {
      let hashCount = size.value >> UInt64(TileCoordinate.height * level)
      guard hashCount & 255 != 0,
        let tile = TileCoordinate(level: level, index: hashCount >> 8, in: size)
      else { continue }
      edge[level] = try LedgerTiles(source: view.source).hashes(ofTile: tile)
    }
  }

  /// Adds one leaf, and gives the tiles that it fills.
  mutating func append(_ leafHash: Digest) -> [Tile] {
    var filled: [Tile] = []
    var index = frontier.size.value
    frontier.append(leafHash: leafHash)
    var hash = leafHash
    for level in edge.indices {
      edge[level].append(hash)
      index >>= UInt64(TileCoordinate.height)
      guard edge[level].count == TileCoordinate.fullWidth,
        let coordinate = TileCoordinate(
          level: level, index: index, width: TileCoordinate.fullWidth)
      else { break }
      filled.append(Tile(coordinate: coordinate, hashes: edge[level]))
      hash = StoredTree(leafHashes: edge[level]).root
      edge[level] = []
    }
    return filled
  }

  /// The partial tiles of the tree as it now is.
  var partialTiles: [Tile] {
    edge.indices.compactMap { level in
      guard !edge[level].isEmpty else { return nil }
      let index = frontier.size.value >> UInt64(TileCoordinate.height * (level + 1))
      return TileCoordinate(level: level, index: index, width: edge[level].count)
        .map { Tile(coordinate: $0, hashes: edge[level]) }
    }
  }
}
