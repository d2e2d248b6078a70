import Cryptography
import MerkleTrees
import ProofPrimitives
import Testing

@testable import TransparencyLedger

private func grown(_ scratch: ScratchFolder, _ count: Int = 3) throws -> LocalLedger {
  let ledger = try newLedger(scratch)
  _ = try ledger.append(opaqueEntries(0..<count))
  return ledger
}

private func shown(_ directory: String) throws -> LedgerView {
  let source = DirectoryLedgerSource(directory: directory)
  return try LedgerView(source: source, verifierKey: try source.statedVerifierKey())
}

/// Signs a head over other entries with a log's own key, in the log's own folder: what a log does that breaks
/// its word.
func forge(
  _ scratch: ScratchFolder, entries: [[UInt8]], folder: String = "forged",
  origin: String = testOrigin
) throws -> String {
  let forged = try LocalLedger.create(
    at: scratch.file(folder), origin: origin, key: testKey(1))
  _ = try forged.append(entries)
  return scratch.file(folder)
}

@Suite("The end of a log (ledger.md §8a, statements.md §10b)") struct LedgerEndTests {
  @Test("nothing is taken after it, and what is there gets its receipt") func ends() throws {
    let scratch = try ScratchFolder()
    let ledger = try grown(scratch)
    let end = try ledger.end()
    #expect(end.index == LeafIndex(3) && ledger.published.size == TreeSize(4))
    #expect(code { _ = try ledger.append(opaqueEntries(7..<8)) } == "logEnded")
    #expect(try ledger.append(opaqueEntries(1..<2))[0].wasKnown)
    #expect(try ledger.end() == end)
    let view = try shown(scratch.ledger)
    #expect(try view.end() == end)
    #expect(try view.audit().end == end)
    #expect(try audit(scratch).size == TreeSize(4))
  }

  @Test("it outlives the process") func durable() throws {
    let scratch = try ScratchFolder()
    _ = try grown(scratch).end()
    let again = try LocalLedger.open(at: scratch.ledger)
    #expect(code { _ = try again.append(opaqueEntries(7..<8)) } == "logEnded")
    // Another end is another word.
    let other = try NoteVerifierKey(name: "example.org/other", key: testKey(9).verifyingKey)
    #expect(code { _ = try again.end(successor: other) } == "logEnded")
  }

  @Test("the record takes no head beyond it, whatever else is asked") func record() throws {
    let scratch = try ScratchFolder()
    let ledger = try grown(scratch)
    try ledger.end()
    let old = ledger.record
    var next = old
    next.head = TreeHead(origin: testOrigin, size: TreeSize(5), root: testDigest(1))
    #expect(code { try ledger.heads.swap(old, for: next) } == "headConflict")
    #expect(code { try ledger.heads.setLife(ledger.life, to: .open) } == "headConflict")
  }

  private struct Stopped: Error {}

  @Test(
    "stopped at any step it is finished by opening, once decided on",
    arguments: LocalLedger.AppendStep.allCases.filter {
      $0 != .cosigned && $0 != .cosignaturesStored
    })
  func crash(step: LocalLedger.AppendStep) throws {
    let scratch = try ScratchFolder()
    do {
      let ledger = try grown(scratch)
      ledger.failpoint = { if $0 == step { throw Stopped() } }
      #expect(code { try ledger.end() } == "inputOutput")
      #expect(code { _ = try ledger.append(opaqueEntries(7..<8)) } == "needsReopening")
    }
    let again = try LocalLedger.open(at: scratch.ledger)
    #expect(again.head.size == TreeSize(4) && again.published == again.head)
    #expect(code { _ = try again.append(opaqueEntries(7..<8)) } == "logEnded")
    #expect(try shown(scratch.ledger).audit().end?.index == LeafIndex(3))
  }

  @Test("a lost index loses no end") func lostIndex() throws {
    let scratch = try ScratchFolder()
    do {
      let ledger = try grown(scratch)
      ledger.failpoint = { if $0 == .sequenced { throw Stopped() } }
      #expect(code { try ledger.end() } == "inputOutput")
    }
    for name in ["index.sqlite", "index.sqlite-wal", "index.sqlite-shm"] {
      try? scratch.remove("log.private/\(name)")
    }
    let again = try LocalLedger.open(at: scratch.ledger)
    #expect(again.end?.index == LeafIndex(3) && again.head.size == TreeSize(4))
  }

  @Test("nobody else ends or begins a log") func reserved() throws {
    let scratch = try ScratchFolder()
    let ledger = try grown(scratch)
    ledger.admission = .statements
    let key = try testKey(5)
    let statement = LogEndStatement(
      logOrigin: testOrigin, proverKey: try keyDigest(key), successor: "",
      treeRoot: ledger.head.root, treeSize: 3)
    let entry = try LedgerEntry.signed(statement.encoded, by: key)
    #expect(code { _ = try ledger.append([entry]) } == "reservedKind")
    // Not even with the log's own key: that would be an end after which the writer goes on.
    let own = try ledger.signer.entry(
      LogEndStatement(
        logOrigin: testOrigin, proverKey: try keyDigest(testKey(1)), successor: "",
        treeRoot: ledger.head.root, treeSize: 3
      ).encoded)
    #expect(code { _ = try ledger.append([own]) } == "reservedKind")
    // A log that takes all the same has not ended by it.
    ledger.admission = .everything
    _ = try ledger.append([entry])
    #expect(try shown(scratch.ledger).end() == nil)
  }

  @Test("only the true place, root and origin make it the log's word", arguments: 0..<4)
  func placement(_ fault: Int) throws {
    let scratch = try ScratchFolder()
    let ledger = try grown(scratch)
    ledger.admission = .everything
    let statement = LogEndStatement(
      logOrigin: fault == 1 ? "example.org/other" : testOrigin,
      proverKey: try keyDigest(testKey(1)), successor: "",
      treeRoot: fault == 2 ? testDigest(1) : ledger.head.root, treeSize: fault == 3 ? 2 : 3)
    _ = try ledger.append([try ledger.signer.entry(statement.encoded)])
    #expect((try shown(scratch.ledger).end() != nil) == (fault == 0))
  }

  @Test("a log that goes on after its end is found by audit") func grew() throws {
    let scratch = try ScratchFolder()
    let ledger = try grown(scratch)
    ledger.admission = .everything
    let statement = LogEndStatement(
      logOrigin: testOrigin, proverKey: try keyDigest(testKey(1)), successor: "",
      treeRoot: ledger.head.root, treeSize: 3)
    _ = try ledger.append([try ledger.signer.entry(statement.encoded)])
    _ = try ledger.append(opaqueEntries(10..<12))
    #expect(code { _ = try shown(scratch.ledger).audit() } == "grewAfterEnd")
  }

  @Test("an empty log can end") func empty() throws {
    let scratch = try ScratchFolder()
    let ledger = try newLedger(scratch)
    #expect(try ledger.end().index == LeafIndex(0))
    #expect(try shown(scratch.ledger).audit().end != nil)
  }
}

@Suite("Going on under another key (ledger.md §8a, statements.md §10c)") struct SuccessionTests {
  private let next = "example.org/test-log-2"

  private func rotated(_ scratch: ScratchFolder) throws -> (LocalLedger, LocalLedger) {
    let old = try grown(scratch, 300)
    let new = try LocalLedger.createSuccessor(at: scratch.file("next"), origin: next)
    try old.end(successor: new.verifierKey)
    try new.begin(after: old)
    return (old, new)
  }

  @Test("each names the other") func rotation() throws {
    let scratch = try ScratchFolder()
    let (old, new) = try rotated(scratch)
    _ = try new.append(opaqueEntries(0..<5))
    let (oldView, newView) = (try shown(scratch.ledger), try shown(scratch.file("next")))
    try oldView.checkSuccessor(newView)
    #expect(try oldView.audit().end?.successor == new.verifierKey)
    #expect(try newView.audit().beginning?.predecessor == old.verifierKey.description)
    #expect(new.head.size == TreeSize(6))
  }

  @Test("nothing comes before its beginning, and a cut-off change of key goes on") func cutOff()
    throws
  {
    let scratch = try ScratchFolder()
    let old = try grown(scratch)
    do {
      let new = try LocalLedger.createSuccessor(
        at: scratch.file("next"), origin: next, key: testKey(2))
      #expect(code { _ = try new.append(opaqueEntries(0..<1)) } == "notBegun")
      #expect(code { try new.begin(after: old) } == "notSuccessor")
      #expect(code { try new.end() } == "notBegun")
    }
    let again = try LocalLedger.createSuccessor(at: scratch.file("next"), origin: next)
    #expect(again.verifierKey.key == (try testKey(2)).verifyingKey)
    #expect(code { _ = try again.append(opaqueEntries(0..<1)) } == "notBegun")
    try old.end(successor: again.verifierKey)
    try again.begin(after: old)
    try again.begin(after: old)
    _ = try again.append(opaqueEntries(0..<1))
    try again.begin(after: old)
    #expect(again.head.size == TreeSize(2))
    try shown(scratch.ledger).checkSuccessor(try shown(scratch.file("next")))
  }

  private struct Stopped: Error {}

  @Test(
    "the beginning is stopped at any step and gone on from",
    arguments: LocalLedger.AppendStep.allCases.filter {
      ![.cosigned, .cosignaturesStored, .endStored].contains($0)
    })
  func crash(step: LocalLedger.AppendStep) throws {
    let scratch = try ScratchFolder()
    let old = try grown(scratch)
    do {
      let new = try LocalLedger.createSuccessor(at: scratch.file("next"), origin: next)
      try old.end(successor: new.verifierKey)
      new.failpoint = { if $0 == step { throw Stopped() } }
      #expect(code { try new.begin(after: old) } == "inputOutput")
    }
    let again = try LocalLedger.createSuccessor(at: scratch.file("next"), origin: next)
    try again.begin(after: old)
    _ = try again.append(opaqueEntries(0..<1))
    #expect(again.head.size == TreeSize(2))
    try shown(scratch.ledger).checkSuccessor(try shown(scratch.file("next")))
  }

  @Test("a stranger's log is not the successor") func impostor() throws {
    let scratch = try ScratchFolder()
    let (old, _) = try rotated(scratch)
    let oldView = try shown(scratch.ledger)
    // One that names the old log truly, and was not named by it.
    let thief = try LocalLedger.createSuccessor(at: scratch.file("thief"), origin: next)
    #expect(code { try thief.begin(after: old) } == "notSuccessor")
    // One that was named and names nobody.
    let silent = try LocalLedger.create(at: scratch.file("silent"), origin: "example.org/silent")
    _ = try silent.append(opaqueEntries(0..<1))
    #expect(
      code { try oldView.checkSuccessor(try shown(scratch.file("silent"))) } == "notSuccessor")
    // A living log has none.
    #expect(
      code { try shown(scratch.file("silent")).checkSuccessor(oldView) } == "notSuccessor")
  }

  @Test("the successor must name the head that is shown") func otherHead() throws {
    let scratch = try ScratchFolder()
    let (_, new) = try rotated(scratch)
    // The same key signs another tree that ends with the same successor.
    let forged = try LocalLedger.create(
      at: scratch.file("forged"), origin: testOrigin, key: testKey(1))
    _ = try forged.append(opaqueEntries(5..<9))
    try forged.end(successor: new.verifierKey)
    #expect(
      code { try shown(scratch.file("forged")).checkSuccessor(try shown(scratch.file("next"))) }
        == "notSuccessor")
  }

  @Test("statements that cannot be are refused", arguments: 0..<5) func statements(_ fault: Int)
    throws
  {
    let old = try NoteVerifierKey(name: testOrigin, key: testKey(1).verifyingKey)
    let new = try NoteVerifierKey(name: next, key: testKey(2).verifyingKey)
    let signer = try NoteSigner(name: testOrigin, key: testKey(1))
    let head = try SignedTreeHead(
      signing: TreeHead(origin: testOrigin, size: TreeSize(3), root: testDigest(3)), by: signer)
    let line = try PublishedHead(head, by: old)
    let statement = LogBeginStatement(
      logOrigin: fault == 1 ? testOrigin : next,
      predecessor: fault == 2 ? new.description : old.description,
      predecessorRoot: testDigest(fault == 3 ? 4 : 3),
      predecessorSignature: Base64.encode(line.signature.blob),
      predecessorSize: fault == 4 ? 4 : 3, proverKey: try keyDigest(testKey(2)))
    let parsed = code { _ = try LedgerStatement.parse(statement.encoded) }
    #expect(parsed == (fault == 0 ? "none" : "badStatement"))
  }

  @Test("an end names no successor of its own name or key", arguments: 0..<4)
  func ownSuccessor(_ fault: Int) throws {
    let name = fault == 1 ? testOrigin : next
    let key = try testKey(fault == 2 ? 1 : 2)
    let successor = try NoteVerifierKey(name: name, key: key.verifyingKey).description
    let statement = LogEndStatement(
      logOrigin: testOrigin, proverKey: try keyDigest(testKey(1)),
      successor: fault == 3 ? "nobody" : successor, treeRoot: testDigest(1), treeSize: 1)
    let parsed = code { _ = try LedgerStatement.parse(statement.encoded) }
    #expect(parsed == (fault == 0 ? "none" : "badStatement"))
  }
}
