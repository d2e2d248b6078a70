import Foundation
import MerkleTrees
import ProofPrimitives
import Testing

@testable import TransparencyLedger

private func inspected(
  _ scratch: ScratchFolder, rebuildsIndex: Bool = false, prunes: Bool = false
) throws -> LedgerInspection {
  var inspection = LedgerInspection(directory: scratch.ledger)
  try inspection.run(rebuildsIndex: rebuildsIndex, prunes: prunes)
  return inspection
}

/// A log of 700 entries under ten heads.
private func made(_ scratch: ScratchFolder) throws {
  let ledger = try newLedger(scratch)
  for batch in 0..<10 { _ = try ledger.append(opaqueEntries(batch * 70..<batch * 70 + 70)) }
}

@Suite("Checking a folder (ledger.md §16)") struct LedgerInspectionTests {
  @Test("a sound log has no findings") func sound() throws {
    let scratch = try ScratchFolder()
    try made(scratch)
    let inspection = try inspected(scratch)
    #expect(inspection.findings == [] && inspection.entryCount == 700)
    #expect(inspection.tileCount == 4 && inspection.partialCount > 8)
  }

  @Test(
    "each damage is found, with its place",
    arguments: [
      ("tile/entries/000", "damagedBundle"), ("tile/entries/002.p/188", "damagedBundle"),
      ("tile/0/001", "damagedTile"), ("tile/entries/000.p/140", "damagedBundle"),
      ("tile/0/000.p/70", "damagedTile"),
    ])
  func damage(_ path: String, _ expected: String) throws {
    let scratch = try ScratchFolder()
    try made(scratch)
    try scratch.flipBit(in: "log/\(path)", at: 40)
    let inspection = try inspected(scratch)
    #expect(!inspection.isWhole)
    #expect(
      inspection.findings.contains {
        $0.code == expected && $0.path.hasSuffix(path) && !$0.remedy.isEmpty
      }, "\(inspection.findings)")
  }

  @Test("two damaged places are two findings") func several() throws {
    let scratch = try ScratchFolder()
    try made(scratch)
    try scratch.flipBit(in: "log/tile/entries/000", at: 40)
    try scratch.flipBit(in: "log/tile/entries/001", at: 40)
    #expect(try inspected(scratch).findings.filter { $0.code == "damagedBundle" }.count == 2)
  }

  @Test("a restored public folder, a lost record and a forged line are told") func heads() throws {
    let scratch = try ScratchFolder()
    try made(scratch)
    try scratch.copy("log", to: "whole")
    try scratch.write(Array(try scratch.bytes("log/history").dropLast(200)), to: "log/history")
    #expect(try inspected(scratch).findings.contains { $0.code == "badHistory" })
    try scratch.copy("whole", to: "log")
    try scratch.remove("log/checkpoint")
    #expect(try inspected(scratch).findings.contains { $0.code == "treeBehindHead" })
    try scratch.copy("whole", to: "log")
    try scratch.remove("log.private/head.sqlite")
    #expect(try inspected(scratch).findings.contains { $0.code == "notALedger" })
  }

  @Test("an index that says something else is made again") func index() throws {
    let scratch = try ScratchFolder()
    try made(scratch)
    // The index of another log with as many entries.
    _ = try forge(scratch, entries: opaqueEntries(5000..<5700))
    for suffix in ["", "-wal", "-shm"] {
      try? scratch.remove("log.private/claims.sqlite\(suffix)")
      try? scratch.copy(
        "forged.private/claims.sqlite\(suffix)", to: "log.private/claims.sqlite\(suffix)")
    }
    let before = try inspected(scratch)
    #expect(before.isWhole && before.findings.map(\.code) == ["indexDisagrees"])
    #expect(try inspected(scratch, rebuildsIndex: true).isWhole)
    #expect(try inspected(scratch).findings == [])
  }

  @Test("what does not belong there is named") func strays() throws {
    let scratch = try ScratchFolder()
    try made(scratch)
    try scratch.write([1], to: "log/tile/0/000.tmp")
    try scratch.write([1], to: "log/notes.txt")
    try FileManager.default.createSymbolicLink(
      atPath: scratch.file("log/tile/0/009"), withDestinationPath: "/etc/passwd")
    try FileManager.default.setAttributes(
      [.posixPermissions: 0o644], ofItemAtPath: scratch.file("log.private/log.pem"))
    let codes = Set(try inspected(scratch).findings.map(\.code))
    #expect(codes == ["leftover", "unknownFile", "notRegularFile", "openToOthers"])
  }

  @Test("pruning leaves what audit and readers of today's head need, and nothing else goes")
  func prunes() throws {
    let scratch = try ScratchFolder()
    try made(scratch)
    let old = try LedgerView(
      source: DirectoryLedgerSource(directory: scratch.ledger),
      verifierKey: DirectoryLedgerSource(directory: scratch.ledger).statedVerifierKey())
    let inspection = try inspected(scratch, prunes: true)
    #expect(inspection.prunedCount > 5 && inspection.prunedByteCount > 0)
    try audit(scratch)
    for line in try old.history() { _ = try old.root(at: line.size) }
    #expect(try inspected(scratch, prunes: true).prunedCount == 0)
    // The partial files of the last tile stay: no full one has their bytes.
    #expect(FileManager.default.fileExists(atPath: scratch.file("log/tile/0/002.p/188")))
    #expect(FileManager.default.fileExists(atPath: scratch.file("log/tile/0/002.p/48")))
    #expect(!FileManager.default.fileExists(atPath: scratch.file("log/tile/0/000.p/70")))
    _ = try LocalLedger.open(at: scratch.ledger).append(opaqueEntries(1000..<1300))
    try audit(scratch)
  }

  @Test("nothing is deleted where something is damaged") func noPruning() throws {
    let scratch = try ScratchFolder()
    try made(scratch)
    try scratch.flipBit(in: "log/tile/entries/000", at: 40)
    let inspection = try inspected(scratch, prunes: true)
    #expect(inspection.prunedCount == 0)
    #expect(inspection.findings.contains { $0.code == "notPruned" })
  }

  @Test(
    "names have one spelling",
    arguments: [
      ("tile/0/000", true), ("tile/entries/x001/234", true), ("tile/1/000.p/7", true),
      ("tile/0/0", false), ("tile/00/000", false), ("tile/0/000.p/256", false),
      ("tile/8/000", false),
      ("tile/0/x000/001", false), ("tile/0/000.p/07", false), ("tile/0", false),
      ("checkpoint", false),
      ("tile/0/000/", false), ("tile/+1/000", false),
    ]) func names(_ name: String, _ isPath: Bool)
  { #expect((TilePath(name) != nil) == isPath) }
}
