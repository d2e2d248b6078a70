import Cryptography
import Foundation
import Glibc
import MerkleTrees
import ProofPrimitives
import Testing

@testable import TransparencyLedger

@Suite("Local ledger (ledger.md §6, §8)") struct LocalLedgerTests {
  @Test("a new ledger publishes the empty tree") func empty() throws {
    let scratch = try ScratchFolder()
    let ledger = try newLedger(scratch)
    #expect(ledger.head.size == .zero)
    #expect(try audit(scratch).root == MerkleTree.emptyRoot)
    #expect(try ledger.append([]).isEmpty)
  }

  @Test("receipts verify offline at every size", arguments: [1, 3, 255, 256, 257, 600])
  func receipts(count: Int) throws {
    let scratch = try ScratchFolder()
    let ledger = try newLedger(scratch)
    let entries = opaqueEntries(0..<count)
    let receipts = try ledger.append(entries)
    for (entry, receipt) in zip(entries, receipts) {
      let again = try LogProof(parsing: receipt.proof.encoded)
      #expect(again == receipt.proof)
      try again.verify(entry: entry, by: ledger.verifierKey, origin: testOrigin)
      #expect(
        code { try again.verify(entry: entry + [0], by: ledger.verifierKey, origin: testOrigin) }
          == "proofMismatch")
      #expect(
        code { try again.verify(entry: entry, by: ledger.verifierKey, origin: "elsewhere") }
          == "wrongOrigin")
    }
    #expect(receipts.map(\.index.value) == (0..<count).map { UInt64($0) })
    try audit(scratch)
  }

  @Test("batches, a reopening between them, give the tree of one batch") func batches() throws {
    let scratch = try ScratchFolder()
    var ledger: LocalLedger? = try newLedger(scratch)
    var count = 0
    for size in [1, 2, 250, 3, 1, 255, 256, 40] {
      _ = try ledger?.append(opaqueEntries(count..<count + size))
      count += size
      ledger = nil
      ledger = try LocalLedger.open(at: scratch.ledger)
    }
    let head = try audit(scratch)
    let leafHashes = opaqueEntries(0..<count).map { MerkleTree.leafHash(of: $0) }
    #expect(head.size.value == UInt64(count))
    #expect(head.root == MerkleTree.root(ofLeafHashes: leafHashes))
  }

  @Test("the same entry twice is one entry") func deduplication() throws {
    let scratch = try ScratchFolder()
    let ledger = try newLedger(scratch)
    let first = try ledger.append(opaqueEntries(0..<3) + opaqueEntries(1..<2))
    #expect(first.map(\.index.value) == [0, 1, 2, 1])
    #expect(first.map(\.wasKnown) == [false, false, false, true])
    let second = try ledger.append(opaqueEntries(2..<4))
    #expect(second.map(\.index.value) == [2, 3])
    #expect(ledger.head.size == TreeSize(4))
    try second[0].proof.verify(
      entry: opaqueEntries(2..<3)[0], by: ledger.verifierKey, origin: testOrigin)
    // One payload under two keys is two entries; a broken signature does not take the place.
    let entry = try commitmentEntry(1, key: testKey(2))
    let envelope = try DSSEEnvelope(parsing: entry)
    let broken = try #require(
      String(decoding: entry, as: UTF8.self).replacingOccurrences(
        of: Base64.encode(envelope.signature), with: Base64.encode([UInt8](repeating: 7, count: 64))
      ).data(using: .utf8))
    let third = try ledger.append([
      Array(broken), entry, commitmentEntry(1, key: testKey(3)), entry,
    ])
    #expect(third.map(\.index.value) == [4, 5, 6, 5])
  }

  @Test("entries over 65,535 bytes are refused, empty ones are not") func entryLengths() throws {
    let scratch = try ScratchFolder()
    let ledger = try newLedger(scratch)
    let largest = [UInt8](repeating: 1, count: 65_535)
    #expect(code { _ = try ledger.append([largest + [1]]) } == "entryTooLong")
    _ = try ledger.append([largest, []])
    #expect(try audit(scratch).size == TreeSize(2))
  }

  @Test("a second writer is refused and the first goes on") func secondWriter() throws {
    let scratch = try ScratchFolder()
    let ledger = try newLedger(scratch)
    #expect(code { _ = try LocalLedger.open(at: scratch.ledger) } == "inUse")
    _ = try ledger.append(opaqueEntries(0..<1))
  }

  @Test("creating never writes over anything") func creating() throws {
    let scratch = try ScratchFolder()
    _ = try newLedger(scratch)
    #expect(code { _ = try newLedger(scratch) } == "alreadyExists")
    try scratch.remove("log")
    #expect(code { _ = try newLedger(scratch) } == "alreadyExists")
    let elsewhere = try ScratchFolder()
    #expect(code { _ = try LocalLedger.open(at: elsewhere.ledger) } == "notALedger")
  }

  /// `POL_LEDGER_OUT=DIR swift test --filter sample` makes a ledger for `tools/test-go-ledger`.
  @Test(
    "a sample for readers in other languages",
    .enabled(if: ProcessInfo.processInfo.environment["POL_LEDGER_OUT"] != nil))
  func sample() throws {
    let path = try #require(ProcessInfo.processInfo.environment["POL_LEDGER_OUT"])
    let ledger = try LocalLedger.create(at: path, origin: testOrigin)
    for batch in [0..<1, 1..<256, 256..<300, 300..<1500] {
      _ = try ledger.append(opaqueEntries(batch))
    }
    _ = try ledger.append([commitmentEntry(1, key: testKey(2)), []])
    // The head also has lines of a kind that the readers may not know.
    var text = ""
    var cosigners: [Cosigner] = []
    for number in 0..<2 {
      cosigners.append(try Cosigner(name: "witness.example/\(number)", key: .generate()))
      text += "witness w\(number) \(cosigners[number].verifierKey)\n"
    }
    try ledger.setPolicy(
      LedgerPolicy(parsing: Array("\(text)group both all w0 w1\nquorum both\n".utf8)))
    ledger.collectCosignatures = { view throws(LedgerError) in
      let note = view.signedHead.note
      var lines = note.signatures
      for cosigner in cosigners {
        lines.append(try cosigner.cosign(note.text, time: 1_700_000_000))
      }
      return SignedNote(text: note.text, signatures: lines)
    }
    _ = try ledger.append(opaqueEntries(1500..<1501))
  }

  @Test("the private key is not in the public folder, and its folder is closed")
  func privacy() throws {
    let scratch = try ScratchFolder()
    _ = try newLedger(scratch)
    let names = try FileManager.default.subpathsOfDirectory(atPath: scratch.ledger).sorted()
    #expect(names == ["checkpoint", "history", "index-key", "vkey"])
    var status = stat()
    #expect(stat(scratch.secrets, &status) == 0)
    #expect(status.st_mode & 0o777 == 0o700)
    #expect(stat(scratch.secrets + "/log.pem", &status) == 0)
    #expect(status.st_mode & 0o777 == 0o600)
  }
}

@Suite("Ledger crashes (ledger.md §8)") struct LedgerCrashTests {
  struct Crash: Error {}

  @Test(
    "an append stopped after any step is finished by opening",
    arguments: LocalLedger.AppendStep.allCases.filter {
      $0 != .cosigned && $0 != .cosignaturesStored && $0 != .endStored
    }, [1, 255, 300])
  func crash(step: LocalLedger.AppendStep, batch: Int) throws {
    let scratch = try ScratchFolder()
    var ledger: LocalLedger? = try newLedger(scratch)
    let acknowledged = try #require(ledger).append(opaqueEntries(0..<2))
    let before = try audit(scratch)
    ledger?.failpoint = { if $0 == step { throw Crash() } }
    #expect(code { _ = try ledger?.append(opaqueEntries(2..<2 + batch)) } == "inputOutput")
    #expect(code { _ = try ledger?.append(opaqueEntries(900..<901)) } == "needsReopening")
    ledger = nil

    ledger = try LocalLedger.open(at: scratch.ledger)
    let reopened = try #require(ledger)
    #expect(reopened.head.size.value == UInt64(2 + batch))
    let head = try audit(scratch)
    #expect(head == reopened.head)
    for (receipt, entry) in zip(acknowledged, opaqueEntries(0..<2)) {
      #expect(try reopened.view().entry(receipt.index).bytes == entry)
    }
    // No size has two roots in all that was ever published.
    let view = try reopened.view()
    #expect(try view.root(at: before.size) == before.root)
    let sizes = try view.history().map(\.size.value)
    #expect(sizes == [0, 2, UInt64(2 + batch)])
    // Sending the batch again changes nothing; the log goes on.
    #expect(try reopened.append(opaqueEntries(2..<2 + batch)).allSatisfy(\.wasKnown))
    _ = try reopened.append(opaqueEntries(900..<901))
    try audit(scratch)
  }

  @Test("a history line torn at any byte is written again") func tornHistory() throws {
    let scratch = try ScratchFolder()
    _ = try newLedger(scratch).append(opaqueEntries(0..<2))
    let whole = try scratch.bytes("log/history")
    let start = try #require(whole.dropLast().lastIndex(of: 10)) + 1
    for end in stride(from: start, to: whole.count, by: 11) {
      try scratch.write(Array(whole[..<end]), to: "log/history")
      _ = try LocalLedger.open(at: scratch.ledger)
      #expect(try scratch.bytes("log/history") == whole)
    }
  }

  @Test("an older public folder is noticed") func olderPublicFolder() throws {
    let scratch = try ScratchFolder()
    _ = try newLedger(scratch).append(opaqueEntries(0..<3))
    try scratch.copy("log", to: "old")
    _ = try LocalLedger.open(at: scratch.ledger).append(opaqueEntries(3..<5))
    try scratch.copy("old", to: "log")
    #expect(code { _ = try LocalLedger.open(at: scratch.ledger) } == "treeBehindHead")
  }

  @Test("an older head record is noticed") func olderHeadRecord() throws {
    let scratch = try ScratchFolder()
    _ = try newLedger(scratch).append(opaqueEntries(0..<3))
    try scratch.copy("log.private/head.sqlite", to: "old.sqlite")
    _ = try LocalLedger.open(at: scratch.ledger).append(opaqueEntries(3..<5))
    try scratch.copy("old.sqlite", to: "log.private/head.sqlite")
    #expect(code { _ = try LocalLedger.open(at: scratch.ledger) } == "headBehindTree")
    // Nor does taking the published head away help: history has it.
    try scratch.copy("log/checkpoint", to: "new-checkpoint")
    try scratch.remove("log/checkpoint")
    #expect(code { _ = try LocalLedger.open(at: scratch.ledger) } != "none")
  }

  @Test("a lost head record is never made again") func lostHeadRecord() throws {
    let scratch = try ScratchFolder()
    _ = try newLedger(scratch).append(opaqueEntries(0..<3))
    try scratch.remove("log.private/head.sqlite")
    #expect(code { _ = try LocalLedger.open(at: scratch.ledger) } == "notALedger")
  }

  @Test("a head record that changes under a writer stops it before it signs") func racingRecord()
    throws
  {
    let scratch = try ScratchFolder()
    let ledger = try newLedger(scratch)
    let published = try scratch.bytes("log/checkpoint")
    let other = try HeadDatabase(openingAt: scratch.secrets + "/head.sqlite")
    var next = try other.record()
    next.head = TreeHead(origin: testOrigin, size: TreeSize(1), root: testDigest(1))
    try other.swap(try other.record(), for: next)
    #expect(code { _ = try ledger.append(opaqueEntries(0..<1)) } == "headConflict")
    #expect(try scratch.bytes("log/checkpoint") == published)
  }

  @Test("neither a smaller size nor another root of one size is ever recorded") func swaps() throws
  {
    let scratch = try ScratchFolder()
    func record(_ size: Int, _ root: Int) -> HeadDatabase.Record {
      .init(
        head: TreeHead(origin: testOrigin, size: TreeSize(size), root: testDigest(root)),
        historyByteCount: 0)
    }
    let heads = try HeadDatabase(creatingAt: scratch.file("h"), head: record(5, 5).head)
    #expect(code { try heads.swap(record(5, 5), for: record(4, 4)) } == "headConflict")
    #expect(code { try heads.swap(record(5, 5), for: record(5, 6)) } == "headConflict")
    #expect(code { try heads.swap(record(4, 4), for: record(6, 6)) } == "headConflict")
    #expect(try heads.record() == record(5, 5))
    try heads.swap(record(5, 5), for: record(6, 6))
    #expect(try heads.record() == record(6, 6))
  }

  @Test("a lost or older index is made again from the bundles") func lostIndex() throws {
    let scratch = try ScratchFolder()
    _ = try newLedger(scratch).append(opaqueEntries(0..<3))
    try scratch.remove("log.private/index.sqlite")
    try scratch.remove("log.private/claims.sqlite")
    let ledger = try LocalLedger.open(at: scratch.ledger)
    #expect(try ledger.append(opaqueEntries(1..<2))[0].index.value == 1)
    _ = try ledger.append(opaqueEntries(3..<4))
    #expect(try audit(scratch).size == TreeSize(4))
  }
}
