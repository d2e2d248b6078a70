@testable import Cryptography
@testable import MerkleTrees
@testable import ProofPrimitives
@testable import TransparencyLedger

// As with the archive's: signatures are put right first, so that inputs get past them.

nonisolated(unsafe) private let prover = try? SigningKey(seed: [UInt8](repeating: 3, count: 32))
nonisolated(unsafe) private let log = prover.flatMap {
  try? NoteSigner(name: "example.org/log", key: $0)
}
nonisolated(unsafe) private let witness = try? SigningKey(seed: [UInt8](repeating: 4, count: 32))
nonisolated(unsafe) private let cosigner = witness.flatMap {
  try? Cosigner(name: "example.org/witness", key: $0)
}
private let policy = log.flatMap { log in
  cosigner.flatMap { cosigner in
    try? LedgerPolicy(
      parsing: Array(
        "log \(log.verifierKey)\nwitness w \(cosigner.verifierKey)\nquorum w\n".utf8))
  }
}

/// A log in which every name leads to one statement: whatever an entry names is there, if of the wrong
/// kind.
private struct OneStatement: AdmissionView {
  let origin = "example.org/log"
  let signed: SignedStatement

  func statement(leafHash: Digest) throws(LedgerError) -> LocatedStatement? {
    LocatedStatement(index: LeafIndex(0), leafHash: leafHash, signed: signed)
  }

  func isWithdrawn(_ key: VerifyingKey) throws(LedgerError) -> Bool { false }
}

/// The payload with the key of these targets where it names one, so that its signature can be right.
private func ours(_ payload: [UInt8], _ key: SigningKey) -> [UInt8] {
  let name = Array("\"proverKey\":\"".utf8)
  var payload = payload
  for start in payload.indices where payload[start...].starts(with: name) {
    let digits = start + name.count..<start + name.count + 64
    guard digits.upperBound <= payload.count else { break }
    payload.replaceSubrange(digits, with: Hex.encode(key.verifyingKey.rawBytes).utf8)
  }
  return payload
}

/// The text signed by the log, and by the witness too.
private func cosigned(_ text: [UInt8]) throws -> SignedNote? {
  guard let log, let cosigner, text.last == 10 else { return nil }
  let own = try log.sign(text)
  return SignedNote(text: text, signatures: [own, try cosigner.cosign(text, time: 1_700_000_000)])
}

let ledgerTargets: [String: FuzzTarget] = [
  "note": { bytes in
    let note = try SignedNote(parsing: bytes)
    same(note.encoded, bytes)
    if let log { _ = try? note.verify(by: [log.verifierKey]) }
    _ = try policy?.evaluate(note)
  },
  "tree-head": { bytes in
    same(try TreeHead(parsing: bytes).text, bytes)
    guard let log, let note = try cosigned(bytes) else { return }
    let head = try SignedTreeHead(parsing: note.encoded, by: log.verifierKey, policy: policy)
    same(head.note.encoded, note.encoded)
  },
  "history": { bytes in
    guard let log else { return }
    let heads = try PublishedHead.parse(bytes, key: log.verifierKey)
    same(heads.flatMap(\.line), bytes)
    for head in heads { _ = try? head.signedHead(by: log.verifierKey) }
  },
  "time-index": { bytes in
    let whole = bytes.lastIndex(of: 10).map { bytes[...$0] } ?? []
    same(try TimeIndex(parsing: bytes).lines.flatMap { Array($0.text.utf8) }, Array(whole))
  },
  // The first byte says how many entries there are to be.
  "entry-bundle": { bytes in
    guard let count = bytes.first else { return }
    let bundle = Array(bytes.dropFirst())
    same(EntryBundle.encode(try EntryBundle.decode(bundle, count: Int(count), path: "")), bundle)
  },
  "log-proof": { bytes in
    let proof = try LogProof(parsing: bytes)
    same(proof.encoded, bytes)
  },
  "dsse": { bytes in
    same(try DSSEEnvelope(parsing: bytes).encoded, bytes)
    _ = try PreparedEntry(bytes)
  },
  // Every kind; then as an entry with a valid signature, in a log that holds all that it names.
  "statement": { bytes in
    if let encoded = try? LedgerStatement.parse(bytes).statement.encoded { same(encoded, bytes) }
    guard let prover else { return }
    let entry = try PreparedEntry(LedgerEntry.signed(ours(bytes, prover), by: prover))
    guard let signed = entry.parsed.signed else { return }
    try Admission.check(entry.parsed, by: .statements, in: OneStatement(signed: signed))
  },
  "add-checkpoint": { bytes in
    let request = try AddCheckpointRequest(parsing: bytes)
    same(try AddCheckpointRequest(parsing: request.encoded).encoded, request.encoded)
    let head = try TreeHead(form: request.note.text)
    _ = request.proof.isValid(
      oldSize: request.oldSize, oldRoot: head.root, newSize: head.size, newRoot: head.root)
  },
  "ledger-policy": { bytes in
    let policy = try LedgerPolicy(parsing: bytes)
    guard let log else { return }
    let head = TreeHead(origin: log.verifierKey.name, size: .zero, root: MerkleTree.emptyRoot)
    if let note = try cosigned(head.text) { _ = try policy.evaluate(note) }
  },
  "verifier-key": { bytes in
    let text = String(decoding: bytes, as: UTF8.self)
    for role in [NoteVerifierKey.Role.log, .cosigner] {
      if let key = try? NoteVerifierKey(text: text, role: role) {
        same(key.description.utf8, bytes)
      }
    }
  },
  // By the file's own key: what it says of itself is all that a stranger can make fit.
  "evidence": { bytes in
    let evidence = try EvidenceFile(parsing: bytes)
    same(evidence.encoded, bytes)
    _ = try evidence.check(by: evidence.statedKey, policy: evidence.statedPolicy, trust: TimestampTrust(roots: []))
  },
  // The proof, then the 32 bytes of a key and a root.
  "claim-map-proof": { bytes in
    let digests = bytes.suffix(64)
    let proof = try ClaimMapProof(parsing: Array(bytes.dropLast(64)))
    same(proof.encoded, Array(bytes.dropLast(64)))
    guard let key = Digest(digests.prefix(32)), let root = Digest(digests.suffix(32)) else {
      return
    }
    _ = proof.answer(for: key, root: root)
  },
]
