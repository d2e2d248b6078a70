import MerkleTrees
import ProofPrimitives
import Testing

/// Tiles cut out of a tree in memory by the definition in tlog-tiles.
private final class MemoryTiles: TileSource {
  let leafHashes: [Digest]
  private(set) var readCount = 0

  init(_ leafHashes: [Digest]) { self.leafHashes = leafHashes }

  func hashes(ofTile tile: TileCoordinate) -> [Digest] {
    readCount += 1
    let span = 1 << (8 * tile.level)
    return (0..<tile.width).map {
      let start = (Int(tile.index) * 256 + $0) * span
      return MerkleTree.root(ofLeafHashes: Array(leafHashes[start..<start + span]))
    }
  }
}

@Suite("Tiles (C2SP tlog-tiles)") struct TileTests {
  @Test("paths are grouped by three digits") func paths() throws {
    #expect(TileCoordinate.indexPath(5) == "005")
    #expect(TileCoordinate.indexPath(999) == "999")
    #expect(TileCoordinate.indexPath(1000) == "x001/000")
    #expect(TileCoordinate.indexPath(1_234_067) == "x001/x234/067")
    let tile = try #require(TileCoordinate(level: 0, index: 1_234_067, width: 8))
    #expect(tile.path == "tile/0/x001/x234/067.p/8")
    #expect(tile.bundlePath == "tile/entries/x001/x234/067.p/8")
    #expect(tile.full.path == "tile/0/x001/x234/067")
  }

  @Test("widths follow the specification's example of 70,000 entries") func widths() {
    let tiles = TileCoordinate.all(in: TreeSize(70_000))
    #expect(tiles.count { $0.level == 0 && $0.isFull } == 273)
    #expect(
      tiles.filter { !$0.isFull }.map(\.path) == [
        "tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1",
      ])
    #expect(TileCoordinate.all(in: TreeSize(256)).map(\.path) == ["tile/0/000", "tile/1/000.p/1"])
    #expect(TileCoordinate.all(in: .zero).isEmpty)
  }

  @Test("coordinates that no tree has are refused") func refusals() {
    #expect(TileCoordinate(level: 0, index: 0, width: 0) == nil)
    #expect(TileCoordinate(level: 0, index: 0, width: 257) == nil)
    #expect(TileCoordinate(level: -1, index: 0, width: 1) == nil)
    #expect(TileCoordinate(level: 8, index: 0, width: 1) == nil)
    #expect(TileCoordinate(level: 0, index: .max, width: 1) == nil)
    #expect(TileCoordinate(level: 0, index: 1, in: TreeSize(256)) == nil)
    #expect(TileCoordinate(level: 1, index: 0, in: TreeSize(255)) == nil)
  }

  @Test("roots and proofs from tiles equal those from memory", arguments: [1, 255, 256, 257, 700])
  func proofsFromTiles(count: Int) throws {
    let hashes = leafHashes(count)
    let size = TreeSize(count)
    let root = MerkleTree.root(ofLeafHashes: hashes)
    let reader = TileNodeReader(size: size, source: MemoryTiles(hashes))
    #expect(reader.root(size: size) == root)
    for index in stride(from: 0, to: count, by: 37) {
      let proof = try #require(reader.inclusionProof(index: LeafIndex(index), size: size))
      #expect(
        proof.isValid(leafHash: hashes[index], index: LeafIndex(index), size: size, root: root))
      let old = TreeSize(index + 1)
      let consistency = try #require(reader.consistencyProof(from: old, to: size))
      #expect(
        consistency.isValid(
          oldSize: old, oldRoot: MerkleTree.root(ofLeafHashes: Array(hashes[...index])),
          newSize: size, newRoot: root))
    }
    #expect(reader.inclusionProof(index: LeafIndex(count), size: size) == nil)
    #expect(reader.consistencyProof(from: TreeSize(count + 1), to: size) == nil)
  }

  @Test("a proof reads only the tiles it is said to need") func laziness() throws {
    let hashes = leafHashes(2000)
    let tiles = MemoryTiles(hashes)
    let reader = TileNodeReader(size: TreeSize(2000), source: tiles)
    _ = reader.inclusionProof(index: LeafIndex(3), size: TreeSize(2000))
    let needed = TileCoordinate.needed(forInclusionOf: LeafIndex(3), in: TreeSize(2000))
    #expect(tiles.readCount == needed.count)
    #expect(needed.count <= 3)
  }

  @Test("a frontier grows as the whole tree does, and resumes from any size") func frontier() {
    let hashes = leafHashes(300)
    let tree = StoredTree(leafHashes: hashes)
    var growing = MerkleFrontier()
    for count in 0...300 {
      #expect(growing.root == tree.root(size: TreeSize(count)))
      #expect(growing.size == TreeSize(count))
      if count % 50 == 0 {
        let resumed = MerkleFrontier(size: TreeSize(count), reading: tree)
        #expect(resumed.root == growing.root)
      }
      if count < 300 { growing.append(leafHash: hashes[count]) }
    }
  }
}
