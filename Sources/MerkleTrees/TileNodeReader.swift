package import ProofPrimitives

/// Where tiles come from.
package protocol TileSource {
  associatedtype Failure: Error
  /// Exactly `coordinate.width` hashes.
  func hashes(ofTile coordinate: TileCoordinate) throws(Failure) -> [Digest]
}

/// Reads nodes of a tree of a known size out of its tiles, each tile at most once.
///
/// A proof needs the tiles on the way from its leaf and along the right edge: a handful, whatever
/// the tree's size. They are kept until the reader goes away, so one reader serves a batch of proofs.
package final class TileNodeReader<Source: TileSource>: NodeReader {
  package let size: TreeSize
  private let source: Source
  private var cache: [TileCoordinate: StoredTree] = [:]
  /// About 16 MiB of hashes; past that the cache starts afresh.
  private static var cachedTileLimit: Int { 1024 }

  package init(size: TreeSize, source: Source) {
    self.size = size
    self.source = source
  }

  package func node(at position: NodePosition) throws(Source.Failure) -> Digest {
    guard let (coordinate, inside) = TileNodeReader.tile(holding: position, in: size) else {
      // The caller asked beyond the size it knows: a broken contract, not bad input.
      preconditionFailure("node \(position) lies outside a tree of \(size)")
    }
    return try tile(coordinate).node(at: inside)
  }

  /// Whether a tile was read and is kept, so that nobody needs to fetch it ahead.
  package func holds(_ coordinate: TileCoordinate) -> Bool { cache[coordinate] != nil }

  private func tile(_ coordinate: TileCoordinate) throws(Source.Failure) -> StoredTree {
    if let known = cache[coordinate] { return known }
    let hashes = try source.hashes(ofTile: coordinate)
    precondition(hashes.count == coordinate.width, "a tile source gave another width")
    let tree = StoredTree(leafHashes: hashes)
    if cache.count >= TileNodeReader.cachedTileLimit { cache.removeAll() }
    cache[coordinate] = tree
    return tree
  }

  /// The tile that a node is computed from, and where in the tile it stands.
  package static func tile(
    holding position: NodePosition, in size: TreeSize
  ) -> (TileCoordinate, NodePosition)? {
    guard (0..<62).contains(position.level), size.isWithinLimit,
      position.index < size.value >> UInt64(position.level)
    else { return nil }
    let tileLevel = position.level / TileCoordinate.height
    let levelInside = position.level % TileCoordinate.height
    let firstHash = position.index << UInt64(levelInside)
    guard
      let coordinate = TileCoordinate(level: tileLevel, index: firstHash >> 8, in: size)
    else { return nil }
    return (
      coordinate,
      NodePosition(level: levelInside, index: (firstHash & 255) >> UInt64(levelInside))
    )
  }
}

extension TileCoordinate {
  /// The tiles that an inclusion proof reads, without reading them: for fetching ahead.
  package static func needed(
    forInclusionOf index: LeafIndex, in size: TreeSize
  ) -> Set<TileCoordinate> {
    let collector = TileCollector(size: size)
    _ = collector.inclusionProof(index: index, size: size)
    return collector.tiles
  }
}

private final class TileCollector: NodeReader {
  let size: TreeSize
  var tiles: Set<TileCoordinate> = []

  init(size: TreeSize) { self.size = size }

  func node(at position: NodePosition) -> Digest {
    if let (tile, _) = TileNodeReader<NoTiles>.tile(holding: position, in: size) {
      tiles.insert(tile)
    }
    return .zero
  }
}

private struct NoTiles: TileSource {
  func hashes(ofTile coordinate: TileCoordinate) -> [Digest] { [] }
}
