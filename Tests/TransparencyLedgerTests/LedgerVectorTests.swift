import Cryptography
import Foundation
import MerkleTrees
import ProofPrimitives
import Testing

@testable import TransparencyLedger

private struct VectorFile: Decodable {
  struct Case: Decodable {
    let id: String
    let bytes: String
    let expect: String
    let vkey: String?
    let origin: String?
    let entry: String?
    let kind: String?
    let key: String?
    let count: String?
  }

  let vkey: String?
  let origin: String?
  let log: [String]?
  let cases: [Case]

  init(named name: String) throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let data = try Data(contentsOf: root.appending(path: "testvectors/ledger/\(name).json"))
    self = try JSONDecoder().decode(VectorFile.self, from: data)
  }

  private enum CodingKeys: CodingKey { case vkey, origin, log, cases }

  /// Runs each case and compares the name of its error; "valid" is none.
  func check(_ read: (Case, [UInt8]) throws -> Void) throws {
    #expect(cases.count { $0.expect != "valid" } > cases.count { $0.expect == "valid" })
    for one in cases {
      let bytes = try #require(Hex.decode(one.bytes))
      let found = code { try read(one, bytes) }
      #expect(found == (one.expect == "valid" ? "none" : one.expect), "\(one.id)")
    }
  }

  func key(_ one: Case) throws -> NoteVerifierKey {
    try NoteVerifierKey(text: try #require(one.vkey ?? vkey))
  }
}

@Suite("Ledger vectors (ledger.md)") struct LedgerVectorTests {
  @Test("verifier keys") func verifierKeys() throws {
    try VectorFile(named: "verifier-keys").check { _, bytes in
      let text = String(decoding: bytes, as: UTF8.self)
      let key = try NoteVerifierKey(text: text)
      #expect(key.description == text)
    }
  }

  @Test("signed notes") func notes() throws {
    let file = try VectorFile(named: "notes")
    try file.check { one, bytes in
      let note = try SignedNote(parsing: bytes)
      #expect(note.encoded == bytes, "\(one.id)")
      try note.verify(by: [try file.key(one)])
    }
  }

  @Test("tree heads") func treeHeads() throws {
    try VectorFile(named: "tree-heads").check { one, bytes in
      let head = try TreeHead(parsing: bytes)
      #expect(head.text == bytes, "\(one.id)")
    }
  }

  @Test("receipts") func proofs() throws {
    let file = try VectorFile(named: "proofs")
    try file.check { one, bytes in
      let proof = try LogProof(parsing: bytes)
      #expect(proof.encoded == bytes, "\(one.id)")
      try proof.verify(
        entry: try #require(one.entry.flatMap { Hex.decode($0) }), by: try file.key(one),
        origin: try #require(one.origin ?? file.origin))
    }
  }

  @Test("statements", arguments: ["statements", "kinds"]) func statements(name: String) throws {
    try VectorFile(named: name).check { one, bytes in
      let statement = try LedgerStatement.parse(bytes).statement
      if case .other = statement {
        #expect(one.kind == "other", "\(one.id)")
      } else {
        #expect(one.kind == statement.kind, "\(one.id)")
      }
      if let encoded = statement.encoded { #expect(encoded == bytes, "\(one.id)") }
    }
  }

  @Test("what a log takes (statements.md §12), as the rule and as a log on disk") func admission()
    throws
  {
    let file = try VectorFile(named: "admission")
    let entries = try (file.log ?? []).map { try #require(Hex.decode($0)) }
    let view = EntriesView(entries, origin: try #require(file.origin))
    try file.check { _, bytes in
      try Admission.check(LedgerEntry.parse(bytes), by: .statements, in: view)
    }
    let scratch = try ScratchFolder()
    let ledger = try LocalLedger.create(
      at: scratch.ledger, origin: try #require(file.origin), key: testKey(1))
    ledger.admission = .everything
    _ = try ledger.append(entries)
    let size = ledger.head.size
    ledger.admission = .statements
    try file.check { one, bytes in
      guard one.expect != "valid" else { return }
      // With something before it that is good: a batch is taken whole or not at all.
      _ = try ledger.append([try commitmentEntry(7, key: testKey(9)), bytes])
    }
    #expect(ledger.head.size == size)
    // The key's withdrawal comes last.
    let valid = file.cases.filter { $0.expect == "valid" }
    for one in valid.filter({ $0.id != "withdrawal" }) + valid.filter({ $0.id == "withdrawal" }) {
      #expect(code { _ = try ledger.append([Hex.decode(one.bytes) ?? []]) } == "none", "\(one.id)")
    }
    // What is in the log already is answered for, whatever became of its key since.
    #expect(try ledger.append(entries).allSatisfy(\.wasKnown))
  }

  @Test("envelopes") func envelopes() throws {
    try VectorFile(named: "envelopes").check { one, bytes in
      switch LedgerEntry.parse(bytes) {
      case .signed(let signed):
        #expect(signed.envelope.encoded == bytes, "\(one.id)")
        #expect(Hex.encode(signed.key.rawBytes) == one.key, "\(one.id)")
      case .opaque(let reason): throw reason
      }
    }
  }

  @Test("entry bundles") func bundles() throws {
    try VectorFile(named: "bundles").check { one, bytes in
      let count = try #require(one.count.flatMap { Int($0) })
      let entries = try EntryBundle.decode(bytes, count: count, path: "")
      #expect(EntryBundle.encode(entries) == bytes)
    }
  }

  @Test("histories") func histories() throws {
    let file = try VectorFile(named: "histories")
    try file.check { one, bytes in
      let key = try file.key(one)
      let heads = try PublishedHead.parse(bytes, key: key)
      #expect(heads.flatMap(\.line) == bytes, "\(one.id)")
      for head in heads { _ = try head.signedHead(by: key) }
    }
  }

  @Test("notes and envelopes over their limits are refused before they are read") func limits()
    throws
  {
    let long = [UInt8](repeating: 120, count: SignedNote.byteLimit + 1)
    #expect(code { _ = try SignedNote(parsing: long) } == "badNote")
    let payload = [UInt8](repeating: 32, count: DSSEEnvelope.byteLimit)
    #expect(code { _ = try DSSEEnvelope(signing: payload, by: testKey(1)) } == "entryTooLong")
    #expect(code { _ = try DSSEEnvelope(parsing: payload + [32]) } == "entryTooLong")
  }

  @Test("no byte of a valid document can be cut, and none flipped in what is signed")
  func mutations() throws {
    let file = try VectorFile(named: "envelopes")
    let entry = try #require(Hex.decode(file.cases[0].bytes))
    for position in stride(from: 0, to: entry.count, by: 5) {
      #expect(LedgerEntry.parse(Array(entry[..<position])).signed == nil, "cut at \(position)")
      var flipped = entry
      flipped[position] ^= 1
      #expect(LedgerEntry.parse(flipped).signed == nil, "flipped at \(position)")
    }
  }
}

/// A log in memory.
struct EntriesView: AdmissionView {
  let origin: String
  var indexKey: VerifyingKey?
  let size: UInt64
  private var statements: [Digest: LocatedStatement] = [:]
  private var withdrawn: Set<VerifyingKey> = []

  init(_ entries: [[UInt8]], origin: String) {
    self.origin = origin
    size = UInt64(entries.count)
    for (position, bytes) in entries.enumerated() {
      guard let signed = LedgerEntry.parse(bytes).signed else { continue }
      let leafHash = MerkleTree.leafHash(of: bytes)
      statements[leafHash] = LocatedStatement(
        index: LeafIndex(position), leafHash: leafHash, signed: signed)
      if case .withdrawal = signed.statement { withdrawn.insert(signed.key) }
    }
  }

  func statement(leafHash: Digest) -> LocatedStatement? { statements[leafHash] }
  func isWithdrawn(_ key: VerifyingKey) -> Bool { withdrawn.contains(key) }
}
