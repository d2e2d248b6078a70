import Foundation
import GRDB
import MerkleTrees
import ProofPrimitives
import ProofTestSupport
import Testing

@testable import TransparencyLedger

@Suite("Runs of claims (ledger.md §6a)") struct ClaimTablesTests {
  private func tables(_ scratch: ScratchFolder) throws -> ClaimTables {
    try ClaimTables(path: scratch.file("claims.sqlite"))
  }

  private static let last = Digest(words: (.max, .max, .max, .max))

  private func all(_ tables: ClaimTables, _ kind: ClaimRun.Kind = .claim) throws -> [ClaimRow] {
    try tables.read { try $0.rows(kind, from: .zero, through: ClaimTablesTests.last) }
  }

  private func counts(_ scratch: ScratchFolder) throws -> (runs: Int, pages: Int) {
    try DatabaseQueue(path: scratch.file("claims.sqlite")).read { db in
      (
        try Int.fetchOne(db, sql: "SELECT count(*) FROM runs") ?? 0,
        try Int.fetchOne(db, sql: "SELECT count(*) FROM pages") ?? 0
      )
    }
  }

  private func row(_ number: Int, index: UInt64? = nil) -> ClaimRow {
    ClaimRow(
      key: testDigest(number), index: index ?? UInt64(number),
      committed: number % 3 == 0 ? UInt64(number / 2) : nil)
  }

  @Test("a row is its 48 bytes, and back") func bytes() {
    for row in [row(1), row(3), ClaimRow(key: ClaimTablesTests.last, index: TreeSize.limit - 1)] {
      var bytes: [UInt8] = []
      row.append(to: &bytes)
      #expect(bytes.count == ClaimRow.byteCount)
      #expect(ClaimRunReader.row(0, on: bytes) == row)
    }
  }

  @Test("whatever is added, merged and opened again, each row is found once and in order")
  func model() throws {
    let scratch = try ScratchFolder()
    var tables = try tables(scratch)
    var expected: [ClaimRow] = []
    // From one row to some pages at a time, with keys that many entries have.
    let sizes = [1, 1, 1, 1, 1, 84, 85, 7, 300, 1, 900, 168, 2, 400, 1000, 83, 1, 1, 700, 5]
    var next = 0
    for (step, size) in sizes.enumerated() {
      var rows: [ClaimRow] = []
      for number in next..<next + size {
        rows.append(row(number))
        if number % 5 == 0 {
          rows.append(ClaimRow(key: testDigest(9_999_999), index: UInt64(number)))
        }
      }
      next += size
      expected += rows
      try tables.add(
        [
          .claim: rows.sorted(),
          .identity: rows.map { ClaimRow(key: $0.key, index: $0.index) }.sorted(),
        ],
        upTo: UInt64(next))
      if step % 2 == 0 { try tables.merge() }
      if step % 7 == 6 { tables = try self.tables(scratch) }
      #expect(try all(tables) == expected.sorted())
      #expect(try all(tables, .identity).count == expected.count)
      #expect(try tables.size() == UInt64(next))
    }
    try tables.merge()
    let (runs, pages) = try counts(scratch)
    // Three of each of seven classes for each kind, and no page that none of them has.
    #expect(runs <= 2 * 3 * 7)
    let held = try tables.read { $0.runs.reduce(0) { $0 + $1.fences.count } }
    #expect(pages == held)
    for number in stride(from: 0, to: next, by: 13) {
      let key = testDigest(number)
      #expect(try tables.read { try $0.rows(.claim, from: key, through: key) } == [row(number)])
      #expect(tables.mayContain(.identity, key))
    }
    for number in next..<next + 50 {
      let key = testDigest(number)
      #expect(try tables.read { try $0.rows(.claim, from: key, through: key) } == [])
    }
    let filtered = (next..<next + 1000).filter { tables.mayContain(.identity, testDigest($0)) }
    #expect(filtered.count < 100, "one in a hundred a run: \(filtered.count)")
  }

  @Test("of a key that fills many pages, a part is found from any index on") func long() throws {
    let scratch = try ScratchFolder()
    let tables = try tables(scratch)
    let key = testDigest(1)
    let others = (2..<400).map { row($0) }
    let rows = (0..<5000).map { ClaimRow(key: key, index: UInt64($0 * 2)) }
    try tables.add([.claim: (others + rows).sorted()], upTo: 10_000)
    for first in [0, 1, 167, 168, 169, 5001, 9_997, 9_998, 9_999] as [UInt64] {
      let found = try tables.read {
        try $0.rows(.claim, from: key, index: first, through: key, limit: 3)
      }
      #expect(found == Array(rows.filter { $0.index >= first }.prefix(3)), "\(first)")
    }
    #expect(try tables.read { try $0.rows(.claim, from: key, through: key) } == rows)
    #expect(try all(tables).count == 5398)
  }

  @Test("keys at both ends of the range are found") func ends() throws {
    let scratch = try ScratchFolder()
    let tables = try tables(scratch)
    let rows = [
      ClaimRow(key: .zero, index: 1), ClaimRow(key: Digest(words: (.max, 0, 0, 0)), index: 2),
      ClaimRow(key: ClaimTablesTests.last, index: 3),
    ]
    try tables.add([.claim: rows], upTo: 4)
    #expect(try all(tables) == rows)
    for row in rows {
      #expect(try tables.read { try $0.rows(.claim, from: row.key, through: row.key) } == [row])
    }
  }

  @Test("pages that a cut-off merge left go at the next opening") func leftovers() throws {
    let scratch = try ScratchFolder()
    try tables(scratch).add([.claim: (0..<500).map { row($0) }.sorted()], upTo: 500)
    let before = try counts(scratch)
    try DatabaseQueue(path: scratch.file("claims.sqlite")).write { db in
      try db.execute(
        sql: "INSERT INTO pages VALUES (0, x'00'), (900, x'00'), (901, x'01')")
    }
    #expect(try counts(scratch).pages == before.pages + 3)
    let opened = try tables(scratch)
    #expect(try counts(scratch) == before)
    #expect(try all(opened).count == 500)
  }

  @Test("tables of another version are made empty") func version() throws {
    let scratch = try ScratchFolder()
    try DatabaseQueue(path: scratch.file("claims.sqlite")).write { db in
      try db.execute(
        sql: """
          CREATE TABLE identities (identity BLOB PRIMARY KEY, entryIndex INTEGER) WITHOUT ROWID;
          CREATE TABLE mark (id INTEGER PRIMARY KEY, size INTEGER); INSERT INTO mark VALUES (1, 77);
          PRAGMA user_version = 1;
          """)
    }
    #expect(try tables(scratch).size() == 0)
  }

  @Test(
    "what nobody wrote is refused, and nothing traps",
    arguments: [
      "UPDATE pages SET rows = x''", "UPDATE pages SET rows = x'0102'", "DELETE FROM pages",
      "UPDATE pages SET rows = zeroblob(48 * 85)", "UPDATE runs SET fences = x''",
      "UPDATE runs SET rowCount = -1", "UPDATE runs SET rowCount = 9223372036854775807",
      "UPDATE runs SET kind = 7", "UPDATE runs SET firstPage = -5",
      "UPDATE runs SET firstPage = 9223372036854775807",
      "UPDATE pages SET rows = cast(substr(rows, 1, 32) || x'ffffffffffffffff' || substr(rows, 41) as blob)",
    ])
  func refused(_ change: String) throws {
    let scratch = try ScratchFolder()
    try tables(scratch).add([.claim: [row(1), row(2)].sorted()], upTo: 3)
    try DatabaseQueue(path: scratch.file("claims.sqlite")).write { try $0.execute(sql: change) }
    #expect(
      code {
        let opened = try tables(scratch)
        _ = try all(opened)
      } == "indexDisagrees")
  }
}
