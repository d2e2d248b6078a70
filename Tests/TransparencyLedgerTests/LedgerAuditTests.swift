import Foundation
import ProofPrimitives
import Testing

@testable import TransparencyLedger

@Suite("An audit of a ledger (ledger.md §4)") struct LedgerAuditTests {
  @Test("a flipped bit in any published file is noticed, in files for older heads too")
  func everyFile() throws {
    let scratch = try ScratchFolder()
    let ledger = try newLedger(scratch)
    _ = try ledger.append(opaqueEntries(0..<3))
    _ = try ledger.append(opaqueEntries(3..<4))
    // Of no entries: what stands in the log says which key its index roots are by.
    let root = IndexRootStatement(
      logOrigin: testOrigin, mapRoot: .zero, proverKey: try keyDigest(ledger.indexKey), treeSize: 0)
    _ = try ledger.append([LedgerEntry.signed(root.encoded, by: ledger.indexKey)])
    let names = try FileManager.default.subpathsOfDirectory(atPath: scratch.ledger).filter {
      var isFolder: ObjCBool = false
      _ = FileManager.default.fileExists(
        atPath: "\(scratch.ledger)/\($0)", isDirectory: &isFolder)
      return !isFolder.boolValue
    }
    // Heads of 3, 4 and 5 entries: a tile and a bundle for each, the head, the history, the keys.
    #expect(names.count >= 10)
    let key = ledger.verifierKey
    func outcome() -> String {
      code {
        _ = try LedgerView(
          source: DirectoryLedgerSource(directory: scratch.ledger), verifierKey: key
        ).audit()
      }
    }
    #expect(outcome() == "none")
    for name in names {
      let path = "log/\(name)"
      let bytes = try scratch.bytes(path)
      for position in bytes.indices {
        try scratch.flipBit(in: path, at: position)
        #expect(outcome() != "none", "\(name), byte \(position)")
        try scratch.write(bytes, to: path)
      }
    }
  }
}
