import MerkleTrees
import ProofPrimitives

/// The right edge of a stored tree: what is needed to add entries and to write the files that change.
struct TreeGrowth {
  /// A file to be written, and the tile it is or belongs to.
  struct File {
    let path: String
    let bytes: [UInt8]
  }

  private(set) var frontier: MerkleFrontier
  /// Entries of the last bundle while it is partial.
  private var tail: [[UInt8]]
  /// Hashes of the last tile of each level while it is partial.
  private var edge: [[Digest]]
  private let hasher = TreeHasher()

  /// Reads the edge of a stored tree and checks it against the view's head.
  init(reading view: LedgerView) throws(LedgerError) {
    let size = view.head.size
    let nodes = view.nodes()
    frontier = try MerkleFrontier(size: size, reading: nodes)
    guard frontier.root == view.head.root else {
      throw LedgerView.damagedTiles("the last \(size) entries")
    }
    edge = []
    for level in 0..<TileCoordinate.levelLimit {
      let hashCount = size.value >> UInt64(TileCoordinate.height * level)
      guard hashCount & 255 != 0 else {
        edge.append([])
        continue
      }
      guard let tile = TileCoordinate(level: level, index: hashCount >> 8, in: size) else {
        throw LedgerView.damagedTiles("the right edge")
      }
      edge.append(try LedgerTiles(source: view.source).hashes(ofTile: tile))
    }
    tail = []
    if size.value & 255 != 0 {
      tail = try view.entries(size.value & ~255..<size.value).map(\.bytes)
    }
  }

  /// Adds entries and gives the files that this makes or changes: full tiles and bundles, and the
  /// partial ones of the new size, bundles first.
  mutating func append(_ entries: [[UInt8]]) -> [File] {
    let oldSize = frontier.size
    var bundles: [File] = []
    var tiles: [File] = []
    for entry in entries {
      let leafHash = hasher.leaf(entry)
      let index = frontier.size.value
      frontier.append(leafHash: leafHash)
      tail.append(entry)
      if tail.count == TileCoordinate.fullWidth {
        if let tile = TileCoordinate(level: 0, index: index >> 8, width: tail.count) {
          bundles.append(File(path: tile.bundlePath, bytes: EntryBundle.encode(tail)))
        }
        tail = []
      }
      push(leafHash, level: 0, index: index, &tiles)
    }
    let size = frontier.size
    if !tail.isEmpty, let tile = TileCoordinate(level: 0, index: size.value >> 8, in: size) {
      bundles.append(File(path: tile.bundlePath, bytes: EntryBundle.encode(tail)))
    }
    for level in 0..<TileCoordinate.levelLimit where !edge[level].isEmpty {
      let shift = UInt64(TileCoordinate.height * level)
      guard size.value >> shift != oldSize.value >> shift,
        let tile = TileCoordinate(level: level, index: size.value >> (shift + 8), in: size)
      else { continue }
      tiles.append(TreeGrowth.file(tile, edge[level]))
    }
    return bundles + tiles
  }

  /// Puts a hash on a level; a tile that it fills is written and hashed into the level above.
  private mutating func push(
    _ hash: Digest, level: Int, index: UInt64, _ tiles: inout [File]
  ) {
    guard level < TileCoordinate.levelLimit else { return }
    edge[level].append(hash)
    guard edge[level].count == TileCoordinate.fullWidth,
      let tile = TileCoordinate(level: level, index: index >> 8, width: edge[level].count)
    else { return }
    tiles.append(TreeGrowth.file(tile, edge[level]))
    let above = StoredTree(leafHashes: edge[level]).root
    edge[level] = []
    push(above, level: level + 1, index: index >> 8, &tiles)
  }

  private static func file(_ tile: TileCoordinate, _ hashes: [Digest]) -> File {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(hashes.count * Digest.byteCount)
    for hash in hashes { hash.append(to: &bytes) }
    return File(path: tile.path, bytes: bytes)
  }
}

extension TreeGrowth {
  /// The root of the tree as it lies on the disk, by another way than `append` went: leaf hashes
  /// from the stored bundles, compared with the stored tiles; every full tile among the new ones
  /// hashed and compared with the level above; then the root from the tiles.
  ///
  /// A bit that flipped in memory or on the way to the disk shows here, before anything is signed.
  static func storedRoot(
    source: any LedgerSource, from oldSize: TreeSize, to size: TreeSize
  ) throws(LedgerError) -> Digest {
    let tiles = LedgerTiles(source: source)
    let hasher = TreeHasher()
    for level in 0..<TileCoordinate.levelLimit {
      let shift = UInt64(TileCoordinate.height * level)
      let firstTile = oldSize.value >> (shift + 8)
      let endTile = ((size.value >> shift) + 255) >> 8
      guard firstTile < endTile else { break }
      for index in firstTile..<endTile {
        guard let tile = TileCoordinate(level: level, index: index, in: size) else { break }
        let hashes = try tiles.hashes(ofTile: tile)
        if level == 0 {
          let path = tile.bundlePath
          let bytes = try source.required(path, limit: EntryBundle.byteLimit)
          let entries = try EntryBundle.decode(bytes, count: tile.width, path: path)
          for (position, entry) in entries.enumerated()
          where hasher.leaf(entry) != hashes[position] {
            throw LedgerView.damagedBundle(path, LeafIndex(index << 8 + UInt64(position)))
          }
        }
        guard tile.isFull else { continue }
        guard let above = TileCoordinate(level: level + 1, index: index >> 8, in: size),
          try tiles.hashes(ofTile: above)[Int(index & 255)] == StoredTree(leafHashes: hashes).root
        else { throw LedgerView.damagedTiles("tile \(tile.path)") }
      }
    }
    return try TileNodeReader(size: size, source: tiles).root(size: size)
  }
}
