import Cryptography
import Foundation
import MerkleTrees
import ProofPrimitives
import Testing

private struct KeyCase: Decodable {
  let kind: String
  let digest: String
  let key: String
}

private struct CountCase: Decodable {
  let count: Int
  let root: String
}

private struct ProofCase: Decodable {
  let id: String
  let root: String
  let key: String
  let proof: String
  let expect: String
}

/// Entry i of the vectors.
private func entry(_ number: Int) -> ClaimMap.Entry {
  ClaimMap.Entry(
    key: ClaimMapHasher().key(
      kind: "model", digest: SHA256.hash(Array("claimed \(number)".utf8))),
    value: ClaimMapValue(
      openedIndex: UInt64(3 * number),
      committedIndex: number % 2 == 0 ? UInt64(2 * number) : nil))
}

private func map(_ count: Int) throws -> ClaimMap {
  try #require(ClaimMap((0..<count).map(entry)))
}

private func text(_ answer: ClaimMapProof.Answer?) -> String {
  switch answer {
  case nil: "invalid"
  case .absent: "absent"
  case .present(let value):
    "\(value.openedIndex) \(value.committedIndex.map { "\($0)" } ?? "none")"
  }
}

@Suite("Claim map (claim-map.md)") struct ClaimMapTests {
  @Test("keys are those of §2") func keys() throws {
    for one in try vectors("keys", folder: "claim-map") as [KeyCase] {
      let digest = try #require(Digest(hex: one.digest))
      #expect(ClaimMapHasher().key(kind: one.kind, digest: digest).hex == one.key)
    }
  }

  @Test("roots are those of §3, in whatever order entries come") func roots() throws {
    let cases: [CountCase] = try vectors("roots", folder: "claim-map")
    #expect(cases.count > 10)
    for one in cases {
      #expect(try map(one.count).root.hex == one.root)
      #expect(ClaimMap((0..<one.count).reversed().map(entry))?.root.hex == one.root)
    }
  }

  @Test("proofs say what is listed, or are refused") func proofs() throws {
    let cases: [ProofCase] = try vectors("proofs", folder: "claim-map")
    #expect(cases.count { $0.expect == "invalid" } > 3 * cases.count { $0.expect != "invalid" })
    for one in cases {
      let bytes = try #require(Hex.decode(one.proof))
      let key = try #require(Digest(hex: one.key))
      let root = try #require(Digest(hex: one.root))
      let proof = try? ClaimMapProof(parsing: bytes)
      #expect(text(proof?.answer(for: key, root: root)) == one.expect, "\(one.id)")
      if let proof { #expect(proof.encoded == bytes, "\(one.id)") }
    }
  }

  @Test("every key has a proof, and no other key has its answer", arguments: [1, 2, 3, 64, 500])
  func making(count: Int) throws {
    let map = try map(count)
    let root = map.root
    for one in map.entries {
      let proof = map.proof(for: one.key)
      #expect(proof.answer(for: one.key, root: root) == .present(one.value))
      #expect(try ClaimMapProof(parsing: proof.encoded) == proof)
      #expect(map[one.key] == one.value)
    }
    for number in 0..<200 {
      let stranger = SHA256.hash(Array("stranger \(number)".utf8))
      #expect(map.proof(for: stranger).answer(for: stranger, root: root) == .absent)
      #expect(map[stranger] == nil)
      let own = map.entries[number % count].key
      #expect(map.proof(for: stranger).answer(for: own, root: root) == nil)
    }
  }

  @Test("a key that was taken out of a map cannot be shown absent from the whole one")
  func leftOut() throws {
    let whole = try map(50)
    for one in whole.entries {
      let less = try #require(ClaimMap(whole.entries.filter { $0 != one }))
      #expect(less.proof(for: one.key).answer(for: one.key, root: less.root) == .absent)
      #expect(less.proof(for: one.key).answer(for: one.key, root: whole.root) == nil)
    }
  }

  @Test("a value is part of the root") func values() throws {
    let one = entry(1)
    for value in [
      ClaimMapValue(openedIndex: 4, committedIndex: nil),
      ClaimMapValue(openedIndex: 3, committedIndex: 0),
    ] {
      let other = try #require(ClaimMap([entry(0), ClaimMap.Entry(key: one.key, value: value)]))
      #expect(try other.root != map(2).root)
    }
  }

  @Test("a key stands once") func twice() { #expect(ClaimMap([entry(0), entry(0)]) == nil) }

  @Test("bits of a digest are counted from the highest of the first byte") func bits() throws {
    var bytes = [UInt8](repeating: 0, count: 32)
    for position in [0, 1, 7, 8, 63, 64, 127, 200, 255] {
      bytes[position / 8] = 128 >> UInt8(position % 8)
      let digest = try #require(Digest(bytes))
      #expect((0..<256).filter { digest.bit($0) } == [position])
      bytes[position / 8] = 0
    }
  }
}
