import Cryptography
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
    let (first, second) = (
      ClaimKey.of(Claim(.model, testDigest(1))), ClaimKey.of(Claim(.model, testDigest(2)))
    )
    try changeRows(scratch) { row in
      if row.key == second { return ClaimRow(key: row.key, index: 0) }
      return row.key == first && row.index == 1 ? nil : row
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
    func rows() throws -> [ClaimRun.Kind: [ClaimRow]] {
      let tables = try ClaimTables(path: scratch.secrets + "/claims.sqlite")
      #expect(try tables.size() == 5)
      return try tables.read { reader in
        let all = Digest(words: (.max, .max, .max, .max))
        return try Dictionary(
          uniqueKeysWithValues: ClaimRun.Kind.allCases.map {
            ($0, try reader.rows($0, from: .zero, through: all))
          })
      }
    }
    let grown = try rows()
    try ledger.rebuildIndex()
    #expect(try rows() == grown)
    let key = ClaimKey.of(Claim(.model, testDigest(1)))
    #expect(grown[.claim]?.contains(ClaimRow(key: key, index: 1)) == true)
    #expect(grown[.identity]?.count == 5)
  }
}

/// Changes rows of the claims behind everybody's back.
private func changeRows(_ scratch: ScratchFolder, _ change: (ClaimRow) -> ClaimRow?) throws {
  try DatabaseQueue(path: scratch.secrets + "/claims.sqlite").write { db in
    let runs = try ClaimTables.runs(db, withFilters: false, "")
    for run in runs where run.kind == .claim {
      let reader = try ClaimRunReader(runs, db, path: "")
      for place in run.fences.indices {
        let page = try reader.page(place, of: run)
        var bytes: [UInt8] = []
        for position in 0..<page.count / ClaimRow.byteCount {
          change(ClaimRunReader.row(position, on: page))?.append(to: &bytes)
        }
        try db.execute(
          sql: "UPDATE pages SET rows = ? WHERE number = ?",
          arguments: [Data(bytes), run.firstPage + Int64(place)])
      }
    }
  }
}

@Suite("The index behind the head (ledger.md §6)") struct ClaimStoreTests {
  @Test("entries that no table holds yet are found, by the writer and by another process")
  func tail() throws {
    let scratch = try ScratchFolder()
    let log = try newLedger(scratch)
    log.indexesElsewhere = true
    let owner = try testKey(2)
    let entries = try (1...3).map {
      try LedgerEntry.signed(proofStatement(model: $0, key: owner).encoded, by: owner)
    }
    _ = try log.append(entries)
    #expect(log.claims.tailCount == 3 && log.claims.tableSize == 0)
    let view = try log.view()
    let claim = Claim(.model, testDigest(2))
    #expect(try ClaimIndex(log.claims).lookup([claim], in: view).map(\.index.value) == [1])
    let other = try ClaimIndex(directory: scratch.ledger)
    #expect(try other.lookup([claim], in: view).map(\.index.value) == [1])
    // The same entry twice keeps its place, also one after the other in one batch.
    #expect(try log.append([entries[1], entries[1]]).map(\.index.value) == [1, 1])
    let moved = try log.claims.index(atMost: 2, origin: testOrigin) {
      index throws(LedgerError) in try view.entry(index)
    }
    #expect(moved == 2 && log.claims.tailCount == 1 && log.claims.tableSize == 2)
    for index in 0..<3 {
      let claim = Claim(.model, testDigest(index + 1))
      #expect(
        try ClaimIndex(log.claims).lookup([claim], in: view).map(\.index.value)
          == [UInt64(index)])
      #expect(try other.lookup([claim], in: view).map(\.index.value) == [UInt64(index)])
      #expect(try log.append([entries[index]]).first?.index.value == UInt64(index))
    }
  }

  @Test("a key that is withdrawn by an entry that no table holds yet is withdrawn")
  func withdrawnInTail() throws {
    let scratch = try ScratchFolder()
    let log = try newLedger(scratch)
    log.indexesElsewhere = true
    let key = try testKey(2)
    let withdrawal = WithdrawalStatement(
      keyID: key.verifyingKey.keyID, logOrigin: testOrigin, proverKey: try keyDigest(key),
      reason: .retired)
    _ = try log.append([LedgerEntry.signed(withdrawal.encoded, by: key)])
    #expect(code { _ = try log.append([commitmentEntry(1, key: key)]) } == "withdrawnKey")
  }

  @Test("tables that are behind, ahead or lost are brought up when the log is opened")
  func behind() throws {
    let scratch = try ScratchFolder()
    var log: LocalLedger? = try newLedger(scratch)
    _ = try log?.append(opaqueEntries(0..<3))
    log?.indexesElsewhere = true
    _ = try log?.append(opaqueEntries(3..<700))
    log = nil
    func mark(_ change: String? = nil) throws -> Int? {
      let queue = try DatabaseQueue(path: scratch.secrets + "/claims.sqlite")
      if let change { try queue.write { try $0.execute(sql: change) } }
      return try queue.read { try Int.fetchOne($0, sql: "SELECT size FROM mark") }
    }
    #expect(try mark() == 3)
    log = try LocalLedger.open(at: scratch.ledger)
    #expect(try mark() == 700)
    log = nil
    _ = try mark("UPDATE mark SET size = 900")
    log = try LocalLedger.open(at: scratch.ledger)
    #expect(try mark() == 700)
    log = nil
    for suffix in ["", "-wal", "-shm"] {
      try? FileManager.default.removeItem(atPath: scratch.secrets + "/claims.sqlite" + suffix)
    }
    log = try LocalLedger.open(at: scratch.ledger)
    let reopened = try #require(log)
    #expect(try mark() == 700)
    #expect(try reopened.append(opaqueEntries(650..<651))[0].index.value == 650)
  }

  @Test("entries in waiting survive the change of the index's form") func olderForm() throws {
    let scratch = try ScratchFolder()
    var log: LocalLedger? = try newLedger(scratch)
    _ = try log?.append(opaqueEntries(0..<2))
    log?.failpoint = { if $0 == .sequenced { throw LedgerCrashTests.Crash() } }
    #expect(code { _ = try log?.append(opaqueEntries(2..<4)) } == "inputOutput")
    log = nil
    try DatabaseQueue(path: scratch.secrets + "/index.sqlite").write { db in
      try db.execute(
        sql: """
          PRAGMA user_version = 2; CREATE TABLE entries (entryIndex INTEGER PRIMARY KEY);
          CREATE TABLE claims (kind TEXT)
          """)
    }
    #expect(try LocalLedger.open(at: scratch.ledger).head.size == TreeSize(4))
    try audit(scratch)
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
