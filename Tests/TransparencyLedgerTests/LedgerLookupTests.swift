import Foundation
import GRDB
import MerkleTrees
import ProofPrimitives
import Testing

@testable import TransparencyLedger

@Suite("Ledger look-ups (ledger.md §9)") struct LedgerLookupTests {
  private func ledger(_ scratch: ScratchFolder) throws -> LocalLedger {
    let ledger = try newLedger(scratch)
    let (owner, thief) = (try testKey(2), try testKey(3))
    _ = try ledger.append([
      commitmentEntry(1, key: owner),
      LedgerEntry.signed(proofStatement(model: 1, key: owner).encoded, by: owner),
    ])
    _ = try ledger.append([
      Array("noise".utf8),
      LedgerEntry.signed(proofStatement(model: 2, key: owner).encoded, by: owner),
      LedgerEntry.signed(proofStatement(model: 1, key: thief).encoded, by: thief),
    ])
    return ledger
  }

  @Test("index and scan give the same entries, earliest first, each proved") func agreement() throws
  {
    let scratch = try ScratchFolder()
    let ledger = try ledger(scratch)
    let view = try ledger.view()
    let owner = try keyDigest(testKey(2))
    let questions: [(Set<Claim>, [UInt64])] = [
      ([Claim(.model, testDigest(1))], [1, 4]),
      ([Claim(.model, testDigest(2))], [3]),
      ([Claim(.model, testDigest(9))], []),
      ([Claim(.archiveRoot, testDigest(201))], [1, 4]),
      ([Claim(.archiveID, testDigest(102))], [3]),
      ([Claim(.commitment, testDigest(301))], [1, 4]),
      ([Claim(.datasetRoot, testDigest(1))], [0, 1, 3, 4]),
      ([Claim(.proverKey, owner)], [0, 1, 3]),
      ([Claim(.tensor, testDigest(702))], [3]),
      ([Claim(.sketch, testDigest(600))], [1, 3, 4]),
      ([Claim(.checkpointWeights, testDigest(401))], [1, 4]),
      ([Claim(.runSecret, testDigest(1001))], [0]),
      ([Claim(.entry, MerkleTree.leafHash(of: Array("noise".utf8)))], [2]),
      ([Claim(.model, testDigest(2)), Claim(.tensor, testDigest(700))], [1, 3, 4]),
      // A digest counts only in the place it was asked for.
      ([Claim(.tensor, testDigest(1))], []),
    ]
    let index = try ClaimIndex(directory: scratch.ledger)
    for (claims, expected) in questions {
      let scanned = try view.lookup(claims)
      let indexed = try index.lookup(claims, in: view)
      #expect(scanned.map(\.index.value) == expected, "\(claims)")
      #expect(indexed.map(\.index.value) == expected, "\(claims)")
      for match in scanned + indexed {
        try match.proof.verify(entry: match.entry.bytes, by: view.verifierKey, origin: testOrigin)
        #expect(!match.claims.isEmpty)
        #expect((match.signed == nil) == (match.index.value == 2))
      }
    }
  }

  @Test("an index that points elsewhere is found out; the scan is not affected") func poisoned()
    throws
  {
    let scratch = try ScratchFolder()
    let view = try ledger(scratch).view()
    let path = scratch.secrets + "/index.sqlite"
    let queue = try DatabaseQueue(path: path)
    try queue.write { db in
      try db.execute(
        sql: "UPDATE claims SET entryIndex = 0 WHERE kind = 'model' AND digest = ?",
        arguments: [Data(testDigest(2).bytes)])
      try db.execute(
        sql: "DELETE FROM claims WHERE kind = 'model' AND digest = ? AND entryIndex = 1",
        arguments: [Data(testDigest(1).bytes)])
    }
    let index = try ClaimIndex(directory: scratch.ledger)
    #expect(
      code { _ = try index.lookup([Claim(.model, testDigest(2))], in: view) } == "indexDisagrees")
    #expect(try view.lookup([Claim(.model, testDigest(2))]).map(\.index.value) == [3])
    // An index that leaves something out cannot be told from one that is right: hence the scan.
    #expect(try index.lookup([Claim(.model, testDigest(1))], in: view).map(\.index.value) == [4])
    #expect(try view.lookup([Claim(.model, testDigest(1))]).map(\.index.value) == [1, 4])

    try LocalLedger.open(at: scratch.ledger).rebuildIndex()
    #expect(
      try index.lookup([Claim(.model, testDigest(1))], in: view).map(\.index.value) == [1, 4])
  }

  @Test("the rebuilt index has the rows of the one that grew") func rebuilt() throws {
    let scratch = try ScratchFolder()
    let ledger = try ledger(scratch)
    func rows() throws -> [String] {
      try DatabaseQueue(path: scratch.secrets + "/index.sqlite").read { db in
        try String.fetchAll(
          db,
          sql: """
            SELECT kind || ' ' || lower(hex(digest)) || ' ' || entryIndex FROM claims
            UNION ALL SELECT entryIndex || ' ' || hex(identity) || hex(leafHash) FROM entries
            ORDER BY 1
            """)
      }
    }
    let grown = try rows()
    try ledger.rebuildIndex()
    #expect(try rows() == grown)
    #expect(grown.contains { $0.hasPrefix("model \(testDigest(1).hex) ") })
  }
}

@Suite("Remembered heads (ledger.md §9)") struct HeadMemoryTests {
  /// Two logs with one key and one origin: what a log that lies can show.
  private func view(_ scratch: ScratchFolder, _ batches: [[[UInt8]]]) throws -> LedgerView {
    let ledger = try newLedger(scratch)
    for batch in batches { _ = try ledger.append(batch) }
    return try ledger.view()
  }

  private func evidence(_ scratch: ScratchFolder) throws -> Int {
    try FileManager.default.subpathsOfDirectory(atPath: scratch.file("memory"))
      .count { $0.contains(".evidence/") && ($0.hasSuffix("shown") || $0.hasSuffix("remembered")) }
  }

  @Test("a log that grows is accepted, and remembered") func growth() throws {
    let scratch = try ScratchFolder()
    let memory = HeadMemory(directory: scratch.file("memory"))
    let ledger = try newLedger(scratch)
    #expect(try memory.lastHead(of: ledger.verifierKey) == nil)
    for batch in [0..<0, 0..<3, 3..<3, 3..<300, 300..<301] {
      _ = try ledger.append(opaqueEntries(batch))
      try memory.check(try ledger.view())
      #expect(try memory.lastHead(of: ledger.verifierKey)?.head == ledger.head)
    }
    #expect(try evidence(scratch) == 0)
  }

  @Test("a smaller tree is a rollback, with evidence") func rollback() throws {
    let scratch = try ScratchFolder()
    let memory = HeadMemory(directory: scratch.file("memory"))
    try memory.check(try view(scratch, [opaqueEntries(0..<5)]))
    let other = try ScratchFolder()
    let older = try view(other, [opaqueEntries(0..<3)])
    #expect(code { try memory.check(older) } == "rolledBack")
    #expect(try evidence(scratch) == 2)
    #expect(try memory.lastHead(of: older.verifierKey)?.head.size == TreeSize(5))
  }

  @Test(
    "another tree of the same or a larger size is a fork, with evidence", arguments: [5, 6, 300])
  func fork(size: Int) throws {
    let scratch = try ScratchFolder()
    let memory = HeadMemory(directory: scratch.file("memory"))
    try memory.check(try view(scratch, [opaqueEntries(0..<5)]))
    let other = try ScratchFolder()
    let forked = try view(other, [opaqueEntries(1000..<1000 + size)])
    #expect(code { try memory.check(forked) } == "forked")
    #expect(try evidence(scratch) == 2)
  }

  @Test("tiles that are damaged or withheld are not called a fork") func damage() throws {
    let scratch = try ScratchFolder()
    let memory = HeadMemory(directory: scratch.file("memory"))
    let ledger = try newLedger(scratch)
    _ = try ledger.append(opaqueEntries(0..<5))
    try memory.check(try ledger.view())
    _ = try ledger.append(opaqueEntries(5..<9))
    try scratch.flipBit(in: "log/tile/0/000.p/9", at: 3)
    #expect(code { try memory.check(try ledger.view()) } == "damagedTile")
    try scratch.remove("log/tile/0/000.p/9")
    #expect(code { try memory.check(try ledger.view()) } == "missing")
    #expect(try evidence(scratch) == 0)
  }

  @Test("a damaged memory is an error, not a fresh start") func damagedMemory() throws {
    let scratch = try ScratchFolder()
    let memory = HeadMemory(directory: scratch.file("memory"))
    let view = try view(scratch, [opaqueEntries(0..<5)])
    try memory.check(view)
    let name = try #require(
      try FileManager.default.contentsOfDirectory(atPath: scratch.file("memory"))
        .first { !$0.hasSuffix(".lock") })
    try scratch.flipBit(in: "memory/\(name)", at: 2)
    #expect(code { try memory.check(view) } != "none")
  }
}
