import MerkleTrees
import ProofPrimitives

/// Reads entries bundle by bundle, each bundle proved under a head before anybody sees it: for whoever
/// follows a log and keeps nothing of it in memory.
///
/// One inclusion proof is enough for a bundle. Its siblings inside of the bundle are computed from the bundle's own
/// entries, and the way to the root covers every one of them.
final class BundleProver {
  private let view: LedgerView
  private let tiles: TileCache
  private let hasher = TreeHasher()

  init(_ view: LedgerView) {
    self.view = view
    tiles = TileCache(LedgerTiles(source: view.source))
  }

  /// The entries of a bundle, all that the head covers.
  ///
  /// - Parameter source: Where the bundle comes from; the proof's tiles come from the view's.
  func entries(
    _ bundle: UInt64, from source: (any LedgerSource)? = nil
  ) throws(LedgerError) -> [LocatedEntry] {
    let holder = LedgerView(
      source: source ?? view.source, verifierKey: view.verifierKey, signedHead: view.signedHead)
    let (path, bytes) = try holder.bundle(bundle)
    let first = bundle << 8
    guard let tile = TileCoordinate(level: 0, index: bundle, in: view.head.size) else { return [] }
    let leafHashes = bytes.map { hasher.leaf($0) }
    let nodes = TileNodeReader(
      size: view.head.size, source: GivenTile(tile: tile, hashes: leafHashes, others: tiles))
    guard let leafHash = leafHashes.first,
      let proof = try nodes.inclusionProof(index: LeafIndex(first), size: view.head.size),
      proof.isValid(
        leafHash: leafHash, index: LeafIndex(first), size: view.head.size, root: view.head.root)
    else { throw try blame(path, LeafIndex(first)) }
    return zip(bytes, leafHashes).enumerated().map { position, entry in
      LocatedEntry(
        index: LeafIndex(first + UInt64(position)), bytes: entry.0, leafHash: entry.1)
    }
  }

  /// The bundle is to blame where the tiles alone give the root.
  private func blame(_ path: String, _ index: LeafIndex) throws(LedgerError) -> LedgerError {
    _ = try view.inclusionProof(
      index: index, size: view.head.size, root: view.head.root, view.nodes())
    return LedgerView.damagedBundle(path, index)
  }
}

/// The few tiles above the bundles, which every proof needs; any bytes do, because each proof is checked
/// whole.
private final class TileCache: TileSource {
  private let tiles: LedgerTiles
  private var known: [TileCoordinate: [Digest]] = [:]
  private static let limit = 64

  init(_ tiles: LedgerTiles) { self.tiles = tiles }

  func hashes(ofTile coordinate: TileCoordinate) throws(LedgerError) -> [Digest] {
    if let found = known[coordinate] { return found }
    let found = try tiles.hashes(ofTile: coordinate)
    if known.count >= TileCache.limit { known.removeAll() }
    known[coordinate] = found
    return found
  }
}

/// One tile from the entries that are to be proved, the others as the log serves them.
private struct GivenTile: TileSource {
  let tile: TileCoordinate
  let hashes: [Digest]
  let others: TileCache

  func hashes(ofTile coordinate: TileCoordinate) throws(LedgerError) -> [Digest] {
    coordinate == tile ? hashes : try others.hashes(ofTile: coordinate)
  }
}

extension LedgerView {
  /// Every entry from `first` on, in order, each proved before it is visited; a bundle is held at a time.
  package func followEntries(
    from first: UInt64 = 0, _ visit: (LocatedEntry) throws(LedgerError) -> Void
  ) throws(LedgerError) {
    let prover = BundleProver(self)
    var bundle = first >> 8
    while bundle << 8 < head.size.value {
      for entry in try prover.entries(bundle) where entry.index.value >= first {
        try visit(entry)
      }
      bundle += 1
    }
  }
}
