import Cryptography
import Foundation
import Glibc
import MerkleTrees
import ProofPrimitives
import Testing

@testable import TransparencyLedger

@Suite("Ledger damage (ledger.md §9)") struct LedgerDamageTests {
  private func ledgerOf(_ count: Int) throws -> ScratchFolder {
    let scratch = try ScratchFolder()
    _ = try newLedger(scratch).append(opaqueEntries(0..<count))
    return scratch
  }

  private func view(_ scratch: ScratchFolder) throws -> LedgerView {
    let key = try NoteVerifierKey(name: testOrigin, key: testKey(1).verifyingKey)
    return try LedgerView(
      source: DirectoryLedgerSource(directory: scratch.ledger), verifierKey: key)
  }

  @Test(
    "a flipped bit in a tile is noticed",
    arguments: ["tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1"])
  func tiles(path: String) throws {
    let scratch = try ledgerOf(300)
    try scratch.flipBit(in: "log/\(path)", at: 5)
    #expect(code { _ = try view(scratch).audit() } == "damagedTile")
    #expect(code { _ = try view(scratch).entries(0..<300) } == "damagedTile")
    // The entries alone still give the signed root: a scan does not need tiles.
    #expect(try view(scratch).allEntries().count == 300)
  }

  @Test(
    "a damaged right edge stops the writer",
    arguments: [(300, "tile/0/001.p/44"), (300, "tile/1/000.p/1"), (512, "tile/1/000.p/2")])
  func writer(count: Int, path: String) throws {
    let scratch = try ledgerOf(count)
    try scratch.flipBit(in: "log/\(path)", at: 5)
    #expect(code { _ = try LocalLedger.open(at: scratch.ledger) } == "damagedTile")
  }

  @Test("a head of another origin is refused, though the key signed it") func otherOrigin() throws {
    let scratch = try ledgerOf(3)
    let signer = try NoteSigner(name: testOrigin, key: testKey(1))
    let head = TreeHead(origin: "example.org/other", size: .zero, root: MerkleTree.emptyRoot)
    let note = try SignedNote(signing: head.text, by: signer)
    try scratch.write(note.encoded, to: "log/checkpoint")
    #expect(code { _ = try view(scratch) } == "wrongOrigin")
  }

  @Test("a flipped bit in a bundle is noticed, and the bundle named", arguments: [0, 1, 7, 600])
  func bundles(position: Int) throws {
    let scratch = try ledgerOf(300)
    try scratch.flipBit(in: "log/tile/entries/000", at: position)
    let codes = ["damagedBundle", "badBundle"]
    #expect(codes.contains(code { _ = try view(scratch).allEntries() }))
    #expect(codes.contains(code { _ = try view(scratch).entries(0..<256) }))
    #expect(codes.contains(code { _ = try view(scratch).lookup([Claim(.model, testDigest(1))]) }))
    do {
      _ = try view(scratch).allEntries()
    } catch let error as LedgerError {
      #expect(error.path == "tile/entries/000")
    }
  }

  @Test("a bit that flips between writing and signing stops the log before it signs")
  func flippedBeforeSigning() throws {
    for path in ["tile/entries/000.p/7", "tile/0/000.p/7"] {
      let scratch = try ScratchFolder()
      let ledger = try newLedger(scratch)
      let published = try scratch.bytes("log/checkpoint")
      ledger.failpoint = { step in
        if step == .stored { try scratch.flipBit(in: "log/\(path)", at: 4) }
      }
      #expect(code { _ = try ledger.append(opaqueEntries(0..<7)) } == "damagedBundle")
      #expect(try scratch.bytes("log/checkpoint") == published)
    }
  }

  @Test("an older tile that was damaged stops the log before it signs") func olderTileDamaged()
    throws
  {
    let scratch = try ScratchFolder()
    let ledger = try newLedger(scratch)
    _ = try ledger.append(opaqueEntries(0..<512))
    let published = try scratch.bytes("log/checkpoint")
    try scratch.flipBit(in: "log/tile/1/000.p/2", at: 4)
    #expect(code { _ = try ledger.append(opaqueEntries(512..<513)) } == "damagedTile")
    #expect(try scratch.bytes("log/checkpoint") == published)
  }

  @Test("a file that never changes is not written over") func neverWrittenOver() throws {
    let scratch = try ledgerOf(3)
    try scratch.copy("log/tile/0/000.p/3", to: "log/tile/0/000.p/4")
    let ledger = try LocalLedger.open(at: scratch.ledger)
    var steps: [LocalLedger.AppendStep] = []
    ledger.failpoint = { steps.append($0) }
    #expect(code { _ = try ledger.append(opaqueEntries(3..<4)) } == "damagedTile")
    #expect(steps == [.sequenced])
    #expect(try scratch.bytes("log/tile/0/000.p/4").count == 96)
  }

  @Test("a flipped bit in the tree head is noticed") func treeHead() throws {
    let scratch = try ledgerOf(3)
    let bytes = try scratch.bytes("log/checkpoint")
    for position in bytes.indices {
      try scratch.flipBit(in: "log/checkpoint", at: position)
      #expect(code { _ = try view(scratch) } != "none", "byte \(position)")
      try scratch.write(bytes, to: "log/checkpoint")
    }
    try scratch.flipBit(in: "log/checkpoint", at: 30)
    #expect(code { _ = try LocalLedger.open(at: scratch.ledger) } != "none")
  }

  @Test("a flipped bit in history is noticed") func history() throws {
    let scratch = try ledgerOf(3)
    let bytes = try scratch.bytes("log/history")
    for position in stride(from: 0, to: bytes.count, by: 3) {
      try scratch.flipBit(in: "log/history", at: position)
      #expect(code { _ = try view(scratch).audit() } != "none", "byte \(position)")
      #expect(code { _ = try LocalLedger.open(at: scratch.ledger) } != "none", "byte \(position)")
      try scratch.write(bytes, to: "log/history")
    }
    try scratch.write([], to: "log/history")
    #expect(code { _ = try LocalLedger.open(at: scratch.ledger) } == "badHistory")
    try scratch.write(bytes + Array("4 x y\n".utf8), to: "log/history")
    #expect(code { _ = try LocalLedger.open(at: scratch.ledger) } == "headBehindTree")
  }

  @Test("a FIFO, a link or a folder in a file's place is an error and not a wait")
  func notRegularFiles() throws {
    let scratch = try ledgerOf(3)
    for name in ["checkpoint", "history", "tile/0/000.p/3", "tile/entries/000.p/3"] {
      try scratch.copy("log/\(name)", to: "kept")
      try scratch.remove("log/\(name)")
      #expect(mkfifo(scratch.file("log/\(name)"), 0o644) == 0)
      #expect(code { _ = try view(scratch).audit() } == "notRegularFile", "FIFO \(name)")
      #expect(code { _ = try LocalLedger.open(at: scratch.ledger) } == "notRegularFile")
      try scratch.remove("log/\(name)")
      #expect(symlink(scratch.file("kept"), scratch.file("log/\(name)")) == 0)
      #expect(code { _ = try view(scratch).audit() } == "notRegularFile", "link \(name)")
      #expect(code { _ = try LocalLedger.open(at: scratch.ledger) } == "notRegularFile")
      try scratch.remove("log/\(name)")
      #expect(mkdir(scratch.file("log/\(name)"), 0o755) == 0)
      #expect(code { _ = try view(scratch).audit() } == "notRegularFile", "folder \(name)")
      try scratch.remove("log/\(name)")
      try scratch.copy("kept", to: "log/\(name)")
    }
    // A linked folder on the way is not followed either.
    try scratch.copy("log/tile", to: "tiles")
    try scratch.remove("log/tile")
    #expect(symlink(scratch.file("tiles"), scratch.file("log/tile")) == 0)
    #expect(code { _ = try view(scratch).allEntries() } != "none")
  }

  @Test("a missing file is missing, not damaged") func missing() throws {
    let scratch = try ledgerOf(3)
    try scratch.remove("log/tile/0/000.p/3")
    #expect(code { _ = try view(scratch).entry(LeafIndex(0)) } == "missing")
    try scratch.remove("log/tile/entries/000.p/3")
    #expect(code { _ = try view(scratch).allEntries() } == "missing")
  }

  @Test("a partial tile that is gone is read from the full one") func partialGone() throws {
    let scratch = try ScratchFolder()
    let ledger = try newLedger(scratch)
    _ = try ledger.append(opaqueEntries(0..<3))
    let old = try view(scratch)
    _ = try ledger.append(opaqueEntries(3..<300))
    for name in ["tile/0/000.p", "tile/entries/000.p"] { try scratch.remove("log/\(name)") }
    #expect(try old.allEntries().count == 3)
    #expect(try old.entry(LeafIndex(2)).bytes == opaqueEntries(2..<3)[0])
  }

  @Test("asking beyond the head is an error") func beyond() throws {
    let scratch = try ledgerOf(3)
    let view = try view(scratch)
    #expect(code { _ = try view.receipt(LeafIndex(3)) } == "beyondHead")
    #expect(code { _ = try view.receipt(LeafIndex(UInt64.max)) } == "beyondHead")
    #expect(code { _ = try view.entry(LeafIndex(UInt64.max)) } == "beyondHead")
    #expect(code { _ = try view.root(at: TreeSize(4)) } == "beyondHead")
    #expect(code { _ = try view.entries(0..<4) } == "beyondHead")
    #expect(code { _ = try view.firstHead(covering: LeafIndex(3)) } == "notPublished")
  }

  @Test("the first head that covers an entry is the smallest published one") func firstHead() throws
  {
    let scratch = try ScratchFolder()
    let ledger = try newLedger(scratch)
    var heads: [TreeHead] = []
    for batch in [0..<2, 2..<5, 5..<300] {
      _ = try ledger.append(opaqueEntries(batch))
      heads.append(ledger.head)
    }
    let view = try view(scratch)
    #expect(try view.firstHead(covering: LeafIndex(0)).head == heads[0])
    #expect(try view.firstHead(covering: LeafIndex(1)).head == heads[0])
    #expect(try view.firstHead(covering: LeafIndex(2)).head == heads[1])
    #expect(try view.firstHead(covering: LeafIndex(299)).head == heads[2])
  }

  @Test("a line that the log signed for another tree is a fork") func forkedHistory() throws {
    let scratch = try ScratchFolder()
    let ledger = try newLedger(scratch)
    _ = try ledger.append(opaqueEntries(0..<2))
    _ = try ledger.append(opaqueEntries(2..<5))
    let signer = try NoteSigner(name: testOrigin, key: testKey(1))
    let lie = TreeHead(origin: testOrigin, size: TreeSize(2), root: testDigest(5))
    let line = try PublishedHead(
      SignedTreeHead(signing: lie, by: signer), by: signer.verifierKey
    ).line
    let lines = try scratch.bytes("log/history").split(separator: 10).map { Array($0) + [10] }
    try scratch.write([lines[0], line, lines[2]].flatMap { $0 }, to: "log/history")
    #expect(code { _ = try view(scratch).firstHead(covering: LeafIndex(0)) } == "forked")
    #expect(code { _ = try view(scratch).audit() } == "forked")
  }
}
