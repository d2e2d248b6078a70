import MerkleTrees
import ProofPrimitives

/// The right edge of a stored tree: what is needed to add entries and to write the files that change.
struct TreeGrowth {
  /// A file to be written.
  struct File {
    let path: String
    let bytes: [UInt8]
  }

  private(set) var frontier: MerkleFrontier
  /// Entries of the last bundle while it is partial.
  private var tail: [[UInt8]]
  /// Hashes of the last tile of each level while it is partial.
  private var edge: [[Digest]]

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
  ///
  /// - Returns: The files, and the new tree as far as it is new: receipts are made from it.
  mutating func append(_ entries: [PreparedEntry]) -> (files: [File], tree: GrownTree) {
    let tree = GrownTree(frontier, adding: entries.map(\.leafHash))
    var files: [File] = []
    let firstBundle = tree.oldSize.value >> 8
    let bundled = tail + entries.map(\.bytes)
    for (position, entries) in TreeGrowth.groups(bundled).enumerated() {
      if let tile = TileCoordinate(level: 0, index: firstBundle + UInt64(position), in: tree.size) {
        files.append(File(path: tile.bundlePath, bytes: EntryBundle.encode(Array(entries))))
      }
    }
    tail = Array(bundled.suffix(bundled.count & 255))
    for level in 0..<TileCoordinate.levelLimit {
      let added = tree.newNodes(level: level * TileCoordinate.height)
      guard !added.isEmpty else { break }
      let firstTile = tree.oldSize.value >> UInt64(TileCoordinate.height * (level + 1))
      let hashes = edge[level] + added
      for (position, hashes) in TreeGrowth.groups(hashes).enumerated() {
        if let tile = TileCoordinate(
          level: level, index: firstTile + UInt64(position), in: tree.size)
        {
          files.append(TreeGrowth.file(tile, hashes))
        }
      }
      edge[level] = Array(hashes.suffix(hashes.count & 255))
    }
    frontier = MerkleFrontier(tree)
    return (files, tree)
  }

  /// What fills tiles one after the other, the last one maybe not whole.
  private static func groups<Element>(_ all: [Element]) -> [ArraySlice<Element>] {
    stride(from: 0, to: all.count, by: TileCoordinate.fullWidth).map {
      all[$0..<min($0 + TileCoordinate.fullWidth, all.count)]
    }
  }

  private static func file(_ tile: TileCoordinate, _ hashes: ArraySlice<Digest>) -> File {
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
