import Foundation
import MerkleTrees
import ProofPrimitives
import Testing

struct RootCase: Decodable, Sendable {
  let size: String
  let root: String
}

struct InclusionCase: Decodable, Sendable, CustomTestStringConvertible {
  let id: String
  let leafHash: String
  let index: String
  let size: String
  let root: String
  let proof: [String]
  let expect: String
  var testDescription: String { id }
}

struct ConsistencyCase: Decodable, Sendable, CustomTestStringConvertible {
  let id: String
  let oldSize: String
  let oldRoot: String
  let newSize: String
  let newRoot: String
  let proof: [String]
  let expect: String
  var testDescription: String { id }
}

private struct Cases<Case: Decodable>: Decodable { let cases: [Case] }

func vectors<Case: Decodable>(_ name: String, folder: String = "merkle") throws -> [Case] {
  let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
  let data = try Data(contentsOf: root.appending(path: "testvectors/\(folder)/\(name).json"))
  return try JSONDecoder().decode(Cases<Case>.self, from: data).cases
}

func leafHashes(_ count: Int) -> [Digest] {
  (0..<count).map { MerkleTree.leafHash(of: $0 % 7 == 0 ? [] : Array("leaf \($0)".utf8)) }
}

@Suite("Merkle vectors (RFC 9162 §2.1)") struct MerkleVectorTests {
  @Test("roots agree with the recursive definition") func roots() throws {
    let cases: [RootCase] = try vectors("roots")
    #expect(cases.count > 10)
    for one in cases {
      let size = try #require(Int(one.size))
      #expect(MerkleTree.root(ofLeafHashes: leafHashes(size)).hex == one.root, "size \(size)")
      #expect(StoredTree(leafHashes: leafHashes(size)).root.hex == one.root, "size \(size)")
    }
  }

  @Test("inclusion proofs are accepted or refused as listed") func inclusion() throws {
    let cases: [InclusionCase] = try vectors("inclusion")
    #expect(cases.count { $0.expect == "invalid" } > 3 * cases.count { $0.expect == "valid" })
    for one in cases {
      let isValid = verifyInclusion(
        leafHash: try #require(Digest(hex: one.leafHash)),
        index: LeafIndex(try #require(UInt64(one.index))),
        treeSize: TreeSize(try #require(UInt64(one.size))),
        proof: try one.proof.map { try #require(Digest(hex: $0)) },
        root: try #require(Digest(hex: one.root)))
      #expect(isValid == (one.expect == "valid"), "\(one.id)")
    }
  }

  @Test("inclusion proofs that are made are the listed ones") func makingInclusion() throws {
    for one in try vectors("inclusion") as [InclusionCase] where one.expect == "valid" {
      let made = MerkleTree.inclusionProof(
        leafHashes: leafHashes(try #require(Int(one.size))),
        index: LeafIndex(try #require(UInt64(one.index))))
      #expect(made?.hashes.map(\.hex) == one.proof, "\(one.id)")
    }
  }

  @Test("consistency proofs are accepted or refused as listed") func consistency() throws {
    let cases: [ConsistencyCase] = try vectors("consistency")
    #expect(cases.count { $0.expect == "invalid" } > 3 * cases.count { $0.expect == "valid" })
    for one in cases {
      let isValid = verifyConsistency(
        oldSize: TreeSize(try #require(UInt64(one.oldSize))),
        oldRoot: try #require(Digest(hex: one.oldRoot)),
        newSize: TreeSize(try #require(UInt64(one.newSize))),
        newRoot: try #require(Digest(hex: one.newRoot)),
        proof: try one.proof.map { try #require(Digest(hex: $0)) })
      #expect(isValid == (one.expect == "valid"), "\(one.id)")
    }
  }

  @Test("consistency proofs that are made are the listed ones") func makingConsistency() throws {
    for one in try vectors("consistency") as [ConsistencyCase] where one.expect == "valid" {
      let made = MerkleTree.consistencyProof(
        leafHashes: leafHashes(try #require(Int(one.newSize))),
        from: TreeSize(try #require(UInt64(one.oldSize))))
      #expect(made?.hashes.map(\.hex) == one.proof, "\(one.id)")
    }
  }
}
