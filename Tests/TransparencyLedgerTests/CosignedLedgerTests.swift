import Cryptography
import Foundation
import GRDB
import MerkleTrees
import ProofPrimitives
import Testing

@testable import TransparencyLedger

@Suite("A log with a policy (witness.md §7)") struct CosignedLedgerTests {
  struct Crash: Error {}

  /// Every invariant of a ledger that was given its policy while it was empty.
  private func auditCosigned(_ scratch: ScratchFolder, _ others: TestWitnesses) throws -> TreeHead {
    let head = try audit(scratch)
    let source = DirectoryLedgerSource(directory: scratch.ledger)
    let key = try source.statedVerifierKey()
    if head.size > .zero {
      let view = try LedgerView(source: source, policy: others.policy)
      #expect(view.verifierKey == key)
      let receipt = try LogProof(parsing: try view.receipt(LeafIndex(UInt64(0))).encoded)
      let entry = try view.entry(LeafIndex(UInt64(0))).bytes
      try receipt.verify(entry: entry, by: key, origin: testOrigin, policy: others.policy)
    }
    // History has the log's own lines, for published heads alone, the last one that of the head.
    let history = try LedgerView(source: source, verifierKey: key).history()
    #expect(history.last?.size == head.size && history.last?.root == head.root)
    return head
  }

  private func newCosigned(_ scratch: ScratchFolder) throws -> (LocalLedger, TestWitnesses) {
    let ledger = try newLedger(scratch)
    let others = try TestWitnesses(scratch)
    try ledger.setPolicy(others.policy)
    ledger.collectCosignatures = { view throws(LedgerError) in try others.collect(view, [0, 2]) }
    return (ledger, others)
  }

  @Test("receipts carry a quorum, and nobody who asks for more takes them") func receipts() throws {
    let scratch = try ScratchFolder()
    let (ledger, others) = try newCosigned(scratch)
    let entries = opaqueEntries(0..<3)
    let receipt = try ledger.append(entries)[1].proof
    func verify(_ receipt: LogProof, _ policy: LedgerPolicy) throws {
      try receipt.verify(
        entry: entries[1], by: ledger.verifierKey, origin: testOrigin, policy: policy)
    }
    try verify(receipt, others.policy)
    #expect(receipt.note.signatures.count == 3)
    let text = String(decoding: others.policy.text, as: UTF8.self)
    let all = try LedgerPolicy(
      parsing: Array(text.replacingOccurrences(of: "two 2", with: "two all").utf8))
    #expect(code { try verify(receipt, all) } == "quorumMissing")
    let otherLog = text.replacingOccurrences(
      of: ledger.verifierKey.description,
      with: try NoteVerifierKey(name: testOrigin, key: testKey(7).verifyingKey).description)
    #expect(
      code { try verify(receipt, try LedgerPolicy(parsing: Array(otherLog.utf8))) } == "notInPolicy"
    )
    // Without its cosignatures, and with one broken.
    let bare = SignedNote(text: receipt.note.text, signatures: [receipt.note.signatures[0]])
    #expect(
      code {
        try verify(LogProof(index: receipt.index, proof: receipt.proof, note: bare), others.policy)
      } == "quorumMissing")
    var bytes = receipt.note.signatures[2].bytes
    bytes[20] ^= 1
    let line = NoteSignature(
      name: receipt.note.signatures[2].name, keyID: receipt.note.signatures[2].keyID, bytes: bytes)
    let broken = SignedNote(
      text: receipt.note.text, signatures: Array(receipt.note.signatures.prefix(2)) + [line])
    #expect(
      code {
        try verify(
          LogProof(index: receipt.index, proof: receipt.proof, note: broken), others.policy)
      } == "badSignature")
    #expect(try auditCosigned(scratch, others).size == TreeSize(3))
  }

  @Test(
    "an append stopped after any step never publishes a bare head, and the next one goes on",
    arguments: LocalLedger.AppendStep.allCases.filter { $0 != .endStored }, [1, 300])
  func crash(step: LocalLedger.AppendStep, batch: Int) throws {
    let scratch = try ScratchFolder()
    var (ledger, others): (LocalLedger?, TestWitnesses) = try newCosigned(scratch)
    let acknowledged = try #require(ledger).append(opaqueEntries(0..<2))
    let before = try scratch.bytes("log/checkpoint")
    ledger?.failpoint = { if $0 == step { throw Crash() } }
    #expect(code { _ = try ledger?.append(opaqueEntries(2..<2 + batch)) } == "inputOutput")
    #expect(code { _ = try ledger?.append(opaqueEntries(900..<901)) } == "needsReopening")
    let stopped = try scratch.bytes("log/checkpoint")
    ledger = nil

    ledger = try LocalLedger.open(at: scratch.ledger)
    let reopened = try #require(ledger)
    #expect(reopened.head.size.value == UInt64(2 + batch))
    let opened = try scratch.bytes("log/checkpoint")
    let isStored = [.cosignaturesStored, .treeHeadPublished, .historyWritten].contains(step)
    // Either the head from before, the same bytes, or the one that was stored with its quorum.
    #expect(reopened.published.size.value == UInt64(isStored ? 2 + batch : 2))
    if !isStored { #expect(opened == before) }
    if stopped != before { #expect(opened == stopped) }
    #expect(try auditCosigned(scratch, others) == reopened.published)

    // Nobody collects: nothing is promised, and what was promised still stands.
    if !isStored {
      #expect(code { _ = try reopened.append(opaqueEntries(2..<2 + batch)) } == "quorumMissing")
    }
    #expect(try reopened.append(opaqueEntries(0..<1))[0].index == acknowledged[0].index)
    reopened.collectCosignatures = { view throws(LedgerError) in try others.collect(view, [1, 2]) }
    #expect(try reopened.append(opaqueEntries(2..<2 + batch)).allSatisfy(\.wasKnown))
    #expect(reopened.published == reopened.head)
    _ = try reopened.append(opaqueEntries(900..<901))
    #expect(try auditCosigned(scratch, others).size.value == UInt64(3 + batch))
    let sizes = try reopened.view().history().map(\.size.value)
    #expect(sizes == [0, 2, UInt64(2 + batch), UInt64(3 + batch)])
  }

  @Test("without a quorum sequencing goes on, and only the newest head is published")
  func quorumDown()
    throws
  {
    let scratch = try ScratchFolder()
    let (ledger, others) = try newCosigned(scratch)
    _ = try ledger.append(opaqueEntries(0..<2))
    ledger.collectCosignatures = { view throws(LedgerError) in try others.collect(view, [1]) }
    for batch in [2..<4, 4..<260] {
      #expect(code { _ = try ledger.append(opaqueEntries(batch)) } == "quorumMissing")
    }
    #expect(ledger.head.size == TreeSize(260) && ledger.published.size == TreeSize(2))
    #expect(try auditCosigned(scratch, others).size == TreeSize(2))
    #expect(code { _ = try ledger.receipt(LeafIndex(UInt64(2))) } == "beyondHead")
    ledger.collectCosignatures = { view throws(LedgerError) in try others.collect(view, [0, 1]) }
    #expect(try ledger.append(opaqueEntries(5..<6))[0].wasKnown)
    #expect(try auditCosigned(scratch, others).size == TreeSize(260))
    #expect(try ledger.view().history().map(\.size.value) == [0, 2, 260])
  }

  @Test("a head may be published while newer ones wait, never after them, and only the log's own")
  func pipelining() throws {
    let scratch = try ScratchFolder()
    let (ledger, others) = try newCosigned(scratch)
    let first = try ledger.stage(try opaqueEntries(0..<2).map { try PreparedEntry($0) })
    let one = try others.collect(try ledger.signedView(), [0, 1])
    _ = try ledger.stage(try opaqueEntries(2..<300).map { try PreparedEntry($0) })
    let two = try others.collect(try ledger.signedView(), [0, 2])
    let bare = SignedNote(text: two.text, signatures: [two.signatures[0]])
    #expect(code { _ = try ledger.receipts(first) } == "beyondHead")
    try ledger.publish(one)
    #expect(try ledger.receipts(first).map(\.index.value) == [0, 1])
    #expect(try auditCosigned(scratch, others).size == TreeSize(2))
    #expect(code { try ledger.publish(bare) } == "quorumMissing")
    try ledger.publish(two)
    try ledger.publish(one)
    #expect(try auditCosigned(scratch, others).size == TreeSize(300))
    // A head that this log's key signed and that is not of its tree.
    for size in [300, 301] {
      let alien = TreeHead(origin: testOrigin, size: TreeSize(size), root: testDigest(1))
      var lines = [try NoteSigner(name: testOrigin, key: testKey(1)).sign(alien.text)]
      for number in 0..<2 {
        lines.append(
          try Cosigner(name: "witness.example/\(number)", key: testKey(UInt8(50 + number)))
            .cosign(alien.text, time: testTime))
      }
      let note = SignedNote(text: alien.text, signatures: lines)
      #expect(["headConflict", "beyondHead"].contains(code { try ledger.publish(note) }))
    }
    // Later the published head gets another set of lines; history stays.
    let history = try scratch.bytes("log/history")
    try ledger.publish(try others.collect(try ledger.signedView(), [0, 1, 2]))
    #expect(try ledger.view().signedHead.note.signatures.count == 4)
    #expect(try scratch.bytes("log/history") == history)
    #expect(try auditCosigned(scratch, others).size == TreeSize(300))
    // Lines of nobody the policy knows are not carried on.
    let stranger = try Cosigner(name: "x", key: testKey(99)).cosign(two.text, time: testTime)
    try ledger.publish(SignedNote(text: two.text, signatures: two.signatures + [stranger]))
    #expect(try ledger.view().signedHead.note == two)
    let opened = try scratch.bytes("log/checkpoint")
    #expect(opened == two.encoded)
  }

  @Test("witnesses are asked for what is not published, and anew after the policy changed")
  func askingAgain() throws {
    let scratch = try ScratchFolder()
    let ledger = try newLedger(scratch)
    #expect(try !ledger.needsCosignatures())
    let others = try TestWitnesses(scratch)
    try ledger.setPolicy(others.policy)
    // The empty tree was published bare.
    #expect(try ledger.needsCosignatures())
    try ledger.publish(try others.collect(try ledger.signedView(), [0, 1]))
    #expect(try !ledger.needsCosignatures())
    let known = try ledger.stage(try opaqueEntries(0..<3).map { try PreparedEntry($0) })
    #expect(try ledger.needsCosignatures())
    #expect(known.split(at: ledger.published.size).covered.isEmpty)
    try ledger.publish(try others.collect(try ledger.signedView(), [0, 1]))
    // Some are published, some are not, and one came twice.
    let mixed = try ledger.stage(
      try ([0, 7, 2, 0].map { Array("entry \($0)".utf8) }).map { try PreparedEntry($0) })
    let (covered, rest) = mixed.split(at: ledger.published.size)
    #expect(covered == [0, 2, 3] && rest == [1])
    let receipts = try ledger.receipts(mixed.only(covered))
    #expect(receipts.map(\.index.value) == [0, 2, 0] && receipts.allSatisfy(\.wasKnown))
    #expect(code { _ = try ledger.receipts(mixed.only(rest)) } == "beyondHead")
    try ledger.publish(try others.collect(try ledger.signedView(), [0, 1]))
    #expect(try ledger.receipts(mixed.only(rest)).map(\.wasKnown) == [false])
    let text = String(decoding: others.policy.text, as: UTF8.self)
      .replacingOccurrences(of: "two 2", with: "two all")
    try ledger.setPolicy(LedgerPolicy(parsing: Array(text.utf8)))
    #expect(try ledger.needsCosignatures())
    try ledger.setPolicy(LedgerPolicy(parsing: Array("quorum none\n".utf8)))
    #expect(try !ledger.needsCosignatures())
  }

  @Test("a cosigned head that was lost or cut is written again, the same bytes") func republishing()
    throws
  {
    let scratch = try ScratchFolder()
    var (ledger, others): (LocalLedger?, TestWitnesses) = try newCosigned(scratch)
    _ = try ledger?.append(opaqueEntries(0..<2))
    let old = try scratch.bytes("log/checkpoint")
    _ = try ledger?.append(opaqueEntries(2..<3))
    // Once more with other lines: its place in `history` does not move.
    if let ledger { try ledger.publish(try others.collect(try ledger.signedView(), [0, 1, 2])) }
    let whole = try scratch.bytes("log/checkpoint")
    let history = try scratch.bytes("log/history")
    ledger = nil
    let bare = try SignedNote(parsing: whole)
    for damaged in [old, SignedNote(text: bare.text, signatures: [bare.signatures[0]]).encoded] {
      try scratch.write(damaged, to: "log/checkpoint")
      _ = try LocalLedger.open(at: scratch.ledger)
      #expect(try scratch.bytes("log/checkpoint") == whole)
      #expect(try scratch.bytes("log/history") == history)
    }
    #expect(try auditCosigned(scratch, others).size == TreeSize(3))
  }

  @Test("a policy for another log is refused, one for none lets what waits go")
  func settingPolicies()
    throws
  {
    let scratch = try ScratchFolder()
    let (ledger, others) = try newCosigned(scratch)
    let alien = try NoteVerifierKey(name: "example.org/other", key: testKey(7).verifyingKey)
    #expect(
      code {
        try ledger.setPolicy(LedgerPolicy(parsing: Array("log \(alien)\nquorum none\n".utf8)))
      } == "notInPolicy")
    ledger.collectCosignatures = nil
    #expect(code { _ = try ledger.append(opaqueEntries(0..<2)) } == "quorumMissing")
    #expect(ledger.policy == others.policy)
    try ledger.setPolicy(LedgerPolicy(parsing: Array("quorum none\n".utf8)))
    #expect(ledger.published.size == TreeSize(2))
    #expect(try audit(scratch).size == TreeSize(2))
    _ = try ledger.append(opaqueEntries(2..<3))
    #expect(try audit(scratch).size == TreeSize(3))
  }

  @Test("a policy file with the private things that is altered stops the ledger") func policyFile()
    throws
  {
    let scratch = try ScratchFolder()
    var (ledger, _): (LocalLedger?, TestWitnesses) = try newCosigned(scratch)
    _ = try ledger?.append(opaqueEntries(0..<2))
    ledger = nil
    try scratch.write(Array("quorum x\n".utf8), to: "log.private/ledger-policy")
    #expect(code { _ = try LocalLedger.open(at: scratch.ledger) } == "badPolicy")
  }

  @Test("a published head that is not of the tree is refused, whatever the files say")
  func alteredRecord() throws {
    let scratch = try ScratchFolder()
    var (ledger, _): (LocalLedger?, TestWitnesses) = try newCosigned(scratch)
    _ = try ledger?.append(opaqueEntries(0..<2))
    ledger?.collectCosignatures = nil
    #expect(code { _ = try ledger?.append(opaqueEntries(2..<4)) } == "quorumMissing")
    ledger = nil
    let length = try scratch.bytes("log/history").count
    let queue = try DatabaseQueue(path: scratch.secrets + "/head.sqlite")
    try queue.write {
      try $0.execute(
        sql: "UPDATE head SET publishedSize = 3, publishedRoot = ?, historyByteCount = ?",
        arguments: [testDigest(1).hex, length])
    }
    try queue.close()
    #expect(code { _ = try LocalLedger.open(at: scratch.ledger) } == "damagedTile")
  }

  @Test("a record from before there were witnesses is taken as published") func olderRecord() throws
  {
    let scratch = try ScratchFolder()
    _ = try newLedger(scratch).append(opaqueEntries(0..<3))
    let queue = try DatabaseQueue(path: scratch.secrets + "/head.sqlite")
    try queue.write { db in
      for column in ["publishedSize", "publishedRoot", "cosignatures"] {
        try db.execute(sql: "ALTER TABLE head DROP COLUMN \(column)")
      }
    }
    try queue.close()
    let ledger = try LocalLedger.open(at: scratch.ledger)
    #expect(ledger.published == ledger.head)
    _ = try ledger.append(opaqueEntries(3..<4))
    #expect(try audit(scratch).size == TreeSize(4))
  }

  @Test("neither a smaller nor an unsigned head is ever recorded as published") func swaps() throws
  {
    let scratch = try ScratchFolder()
    func record(_ head: (Int, Int), _ published: (Int, Int)) -> HeadDatabase.Record {
      func tree(_ pair: (Int, Int)) -> TreeHead {
        TreeHead(origin: testOrigin, size: TreeSize(pair.0), root: testDigest(pair.1))
      }
      var record = HeadDatabase.Record(head: tree(head), historyByteCount: 0)
      record.published = tree(published)
      return record
    }
    let heads = try HeadDatabase(
      creatingAt: scratch.file("h"), head: record((5, 5), (5, 5)).head)
    let ahead = record((9, 9), (5, 5))
    try heads.swap(record((5, 5), (5, 5)), for: ahead)
    for bad in [
      record((9, 9), (4, 4)), record((9, 9), (5, 6)), record((9, 9), (10, 10)),
      record((9, 9), (9, 8)), record((8, 8), (6, 6)),
    ] {
      #expect(code { try heads.swap(ahead, for: bad) } == "headConflict")
    }
    #expect(try heads.record() == ahead)
    try heads.swap(ahead, for: record((9, 9), (7, 7)))
  }
}
