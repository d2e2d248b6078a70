import Cryptography
import MerkleTrees
import ProofPrimitives
import Testing

@Suite("A tree that leaves were added to (RFC 9162 §2.1)") struct GrownTreeTests {
  private func leaves(_ count: Int) -> [Digest] {
    (0..<count).map { MerkleTree.leafHash(of: Array("leaf \($0)".utf8)) }
  }

  @Test("root, new nodes and proofs of new leaves are those of the whole tree")
  func agreement() {
    let all = leaves(70)
    for old in 0...69 {
      var frontier = MerkleFrontier()
      for leaf in all[..<old] { frontier.append(leafHash: leaf) }
      for new in old...70 where new - old < 20 || new == 70 {
        let grown = GrownTree(frontier, adding: Array(all[old..<new]))
        let whole = StoredTree(leafHashes: Array(all[..<new]))
        #expect(grown.root == (new == 0 ? MerkleTree.emptyRoot : whole.root), "\(old) \(new)")
        for level in whole.levels.indices where new > 0 {
          #expect(
            Array(grown.newNodes(level: level)) == Array(whole.levels[level][(old >> level)...]))
        }
        for index in old..<new {
          #expect(
            grown.inclusionProof(newLeaf: LeafIndex(index))
              == whole.inclusionProof(index: LeafIndex(index), size: TreeSize(new)),
            "\(old) \(new) \(index)")
        }
        #expect(grown.inclusionProof(newLeaf: LeafIndex(new)) == nil)
        if old > 0 { #expect(grown.inclusionProof(newLeaf: LeafIndex(old - 1)) == nil) }
        #expect(MerkleFrontier(grown).root == grown.root)
      }
    }
  }
}

@Suite("A claim map's upper levels (claim-map.md §3)") struct ClaimMapTreeTests {
  private func key(_ number: Int) -> Digest {
    ClaimMapHasher().key(kind: "model", digest: SHA256.hash(Array("\(number)".utf8)))
  }

  private func entries(_ values: [Int: UInt64]) -> [ClaimMap.Entry] {
    values.map {
      ClaimMap.Entry(
        key: key($0), value: ClaimMapValue(openedIndex: $1, committedIndex: $1 % 3 == 0 ? 0 : nil))
    }
  }

  @Test(
    "after every change root and proofs are those of the map made at once", arguments: [0, 1, 4, 9])
  func agreement(depth: Int) throws {
    var tree = ClaimMapTree(depth: depth)
    var values: [Int: UInt64] = [:]
    #expect(tree.root == ClaimMapHasher.empty)
    for round in 0..<12 {
      let old = try #require(ClaimMap(entries(values)))
      // Some come, some change.
      var touched: [Int] = []
      for number in 0..<(round * round) {
        let name = (number * 7 + round * 13) % 150
        values[name] = UInt64(round * 100 + number)
        touched.append(name)
      }
      let map = try #require(ClaimMap(entries(values)))
      func read(_ map: ClaimMap, _ key: Digest, _ depth: Int) -> [ClaimMap.Entry] {
        map.entries.filter { entry in (0..<depth).allSatisfy { entry.key.bit($0) == key.bit($0) } }
      }
      let buckets = Set(touched.map { ClaimMapTree.bucket(of: key($0), depth: depth) }).sorted()
      let change = tree.change(buckets) { bucket in
        map.entries.filter { ClaimMapTree.bucket(of: $0.key, depth: depth) == bucket }
      }
      #expect(change.root == map.root)
      // Until it is applied the tree is the old one.
      #expect(tree.root == old.root)
      for number in [0, 77, 149, 500] {
        #expect(tree.proof(for: key(number)) { read(old, $0, $1) } == old.proof(for: key(number)))
      }
      tree.apply(change)
      for number in 0..<200 {
        let proof = tree.proof(for: key(number)) { read(map, $0, $1) }
        #expect(proof == map.proof(for: key(number)))
        #expect(proof.answer(for: key(number), root: map.root) != nil)
      }
    }
  }
}
