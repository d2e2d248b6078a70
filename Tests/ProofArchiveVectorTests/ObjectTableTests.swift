internal import Cryptography
internal import MerkleTrees
internal import ProofPrimitives
internal import ProofTestSupport
internal import Testing

@testable internal import ProofArchive

@Suite("The object table (archive.md §6)") struct ObjectTableTests {
  @Test("a signed length beyond any file stays in the bytes that a copy writes")
  func clampedLength() throws {
    let bytes = try TestVectors.bytes("fuzz-corpus/objects/found-length-over-2-63")
    var reader = ByteReader(bytes)
    _ = try reader.take(8, "magic")
    var leaves: [Digest] = []
    for _ in 0..<(try reader.u32("count")) {
      let start = reader.offset
      _ = try reader.take(Int(try reader.u16("length")) + 40, "row")
      leaves.append(
        MerkleTree.leafHash(of: DomainTag.object.bytes + bytes[start..<reader.offset]))
    }
    let digest = SHA256.hash(bytes)
    let seal = try Seal(
      archiveID: digest, archiveRoot: digest, recordCount: 2, stepCount: 0, modelDigest: digest,
      objectRoot: MerkleTree.root(ofLeafHashes: leaves), objectCount: leaves.count,
      normsDigest: digest, finalRecord: digest,
      signedBy: try SigningKey(seed: [UInt8](repeating: 3, count: 32)))
    let table = try ObjectTable.parse(bytes, seal)
    #expect(table.rows.last?.byteCount == Int.max)
    #expect(table.encoded == bytes)
  }
}
