import Cryptography
import Foundation
import MerkleTrees
import ProofPrimitives
import Testing

@testable import TransparencyLedger

let testTime: UInt64 = 1_700_000_000

/// Three witnesses of the test log, and a policy that asks for two of them.
final class TestWitnesses {
  let witnesses: [Witness]
  let policy: LedgerPolicy

  init(_ scratch: ScratchFolder, quorum: String = "two") throws {
    let logKey = try NoteVerifierKey(name: testOrigin, key: testKey(1).verifyingKey)
    var text = "log \(logKey)\n"
    var witnesses: [Witness] = []
    for number in 0..<3 {
      let folder = scratch.file("witness\(number)")
      let key = try Witness.create(
        at: folder, name: "witness.example/\(number)", key: testKey(UInt8(50 + number)))
      text += "witness w\(number) \(key)\n"
      witnesses.append(try Witness.open(at: folder, logs: [logKey], clock: { testTime }))
    }
    text += "group two 2 w0 w1 w2\nquorum \(quorum)\n"
    self.witnesses = witnesses
    policy = try LedgerPolicy(parsing: Array(text.utf8))
  }

  /// Asks those at `positions` and gives the note with what they signed.
  func collect(_ view: LedgerView, _ positions: [Int]) throws(LedgerError) -> SignedNote {
    var round = CosigningRound(view, policy: policy)
    for position in positions {
      _ = try round.ask(position, lastSize: .zero) { body throws(LedgerError) in
        witnesses[position].answer(addCheckpoint: body)
      }
    }
    return round.note
  }
}

/// The request that shows a witness the tree of `newSize` leaves after that of `oldSize`.
func witnessRequest(
  _ leaves: [[UInt8]], from oldSize: Int, to newSize: Int, key: SigningKey? = nil
) throws -> [UInt8] {
  let signer = try NoteSigner(name: testOrigin, key: key ?? testKey(1))
  let hashes = leaves.prefix(newSize).map { MerkleTree.leafHash(of: $0) }
  let head = TreeHead(
    origin: testOrigin, size: TreeSize(newSize), root: MerkleTree.root(ofLeafHashes: hashes))
  let proof = try #require(
    StoredTree(leafHashes: hashes).consistencyProof(from: TreeSize(oldSize), to: TreeSize(newSize)))
  return AddCheckpointRequest(
    oldSize: TreeSize(oldSize), proof: proof,
    note: try SignedTreeHead(signing: head, by: signer).note
  ).encoded
}
