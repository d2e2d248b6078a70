import Cryptography
import Foundation
import MerkleTrees
import ProofPrimitives
import Testing

@testable import TransparencyLedger

/// A folder as somebody else serves it, with files that are altered or gone.
struct AlteredSource: LedgerSource {
  let base: DirectoryLedgerSource
  var altered: [String: [UInt8]] = [:]
  var gone: Set<String> = []

  init(_ directory: String) { base = DirectoryLedgerSource(directory: directory) }

  func read(path: String, limit: Int) throws(LedgerError) -> [UInt8]? {
    if gone.contains(path) { return nil }
    return if let bytes = altered[path] { bytes } else { try base.read(path: path, limit: limit) }
  }
}

private func key() throws -> NoteVerifierKey {
  try NoteVerifierKey(name: testOrigin, key: testKey(1).verifyingKey)
}

private func mirror(_ scratch: ScratchFolder) throws -> LedgerMirror {
  try LedgerMirror(directory: scratch.file("copy"), verifierKey: key(), policy: nil)
}

private func files(_ directory: String) throws -> [String: [UInt8]] {
  var found: [String: [UInt8]] = [:]
  try FolderWalk.walk(directory) { name, _ throws(LedgerError) in
    found[name] = try DirectoryLedgerSource(directory: directory).read(path: name, limit: 1 << 26)
    return .keep
  }
  return found
}

@Suite("Mirrors (ledger.md §14)") struct LedgerMirrorTests {
  @Test("the copy is whole, and every file in it is the log's") func copies() throws {
    let scratch = try ScratchFolder()
    let ledger = try newLedger(scratch)
    let mirror = try mirror(scratch)
    let source = DirectoryLedgerSource(directory: scratch.ledger)
    #expect(try mirror.update(from: source).to.size == .zero)
    var count = 0
    for batch in [1, 4, 250, 1, 300, 2, 513] {
      _ = try ledger.append(opaqueEntries(count..<count + batch))
      count += batch
      // Some heads are never seen.
      if batch == 4 || batch == 300 { continue }
      let round = try mirror.update(from: source)
      #expect(round.to.size == TreeSize(UInt64(count)))
      let copy = DirectoryLedgerSource(directory: scratch.file("copy"))
      let view = try LedgerView(source: copy, verifierKey: try key())
      #expect(try view.audit().publishedHeadCount == view.history().count)
    }
    let (own, copied) = (try files(scratch.ledger), try files(scratch.file("copy")))
    for (name, bytes) in copied { #expect(own[name] == bytes, "\(name)") }
    for name in own.keys where !name.contains(".p/") { #expect(copied[name] != nil, "\(name)") }
    // Where no full file follows, an old head can be checked by its own partial ones.
    func upper(_ names: some Sequence<String>) -> Set<String> {
      Set(names.filter { $0.hasPrefix("tile/1/") })
    }
    #expect(upper(own.keys) == upper(copied.keys))
  }

  @Test("stopped before any file, it goes on, and fetches nothing twice") func crash() throws {
    let scratch = try ScratchFolder()
    let ledger = try newLedger(scratch)
    for batch in [100, 200, 400] { _ = try ledger.append(opaqueEntries(batch..<2 * batch)) }
    let source = DirectoryLedgerSource(directory: scratch.ledger)
    let stop = LedgerError(.inputOutput, "stopped", remedy: "")
    for step in 0..<100 {
      let copying = try mirror(scratch)
      var left = step % 3 + 1
      copying.failpoint = { _ throws(LedgerError) in
        left -= 1
        if left == 0 { throw stop }
      }
      let ended = code { _ = try copying.update(from: source) }
      if let head = try copying.head() {
        // What is published is whole at any time.
        _ = try LedgerView(
          source: DirectoryLedgerSource(directory: scratch.file("copy")), verifierKey: key(),
          signedHead: head
        ).allEntries()
      }
      if ended == "none" { break }
    }
    let round = try mirror(scratch).update(from: source)
    #expect(round.to.size == TreeSize(700) && round.fetchedByteCount == 0)
    _ = try LedgerView(
      source: DirectoryLedgerSource(directory: scratch.file("copy")), verifierKey: key()
    ).audit()
  }

  @Test(
    "an altered bundle or tile never gets in", arguments: ["tile/entries/000", "tile/1/000.p/1"])
  func altered(_ path: String) throws {
    let scratch = try ScratchFolder()
    let ledger = try newLedger(scratch)
    _ = try ledger.append(opaqueEntries(0..<300))
    var source = AlteredSource(scratch.ledger)
    var bytes = try #require(try source.base.read(path: path, limit: 1 << 20))
    bytes[5] ^= 1
    source.altered[path] = bytes
    let refused = code { _ = try mirror(scratch).update(from: source) }
    #expect(refused == "damagedBundle" || refused == "damagedTile")
    #expect(try mirror(scratch).head() == nil)
    #expect(try mirror(scratch).update(from: source.base).to.size == TreeSize(300))
  }

  @Test("what is damaged in the copy is made again", arguments: ["tile/entries/000", "tile/0/000"])
  func mends(_ path: String) throws {
    let scratch = try ScratchFolder()
    let ledger = try newLedger(scratch)
    _ = try ledger.append(opaqueEntries(0..<520))
    let source = DirectoryLedgerSource(directory: scratch.ledger)
    _ = try mirror(scratch).update(from: source)
    try scratch.flipBit(in: "copy/\(path)", at: 7)
    // Damage that the next round meets: where it goes on from cannot be read.
    try scratch.remove("copy/tile/1/000.p/2")
    _ = try mirror(scratch).update(from: source)
    _ = try LedgerView(
      source: DirectoryLedgerSource(directory: scratch.file("copy")), verifierKey: key()
    ).audit()
  }

  @Test("another tree, a smaller one, and the same size with another root are kept as evidence")
  func forks() throws {
    let scratch = try ScratchFolder()
    let ledger = try newLedger(scratch)
    _ = try ledger.append(opaqueEntries(0..<300))
    _ = try mirror(scratch).update(from: DirectoryLedgerSource(directory: scratch.ledger))
    let before = try files(scratch.file("copy"))
    for (entries, expected, name) in [
      (opaqueEntries(1..<400), "forked", "larger"),
      (opaqueEntries(0..<200), "rolledBack", "smaller"),
      (opaqueEntries(1..<301), "forked", "same"),
    ] {
      let forged = try forge(scratch, entries: entries, folder: name)
      for forgets in [false, true] {
        // The copy itself remembers, should the memory be lost.
        if forgets {
          try? FileManager.default.removeItem(atPath: scratch.file("copy.mirror/heads"))
        }
        let refused = code {
          _ = try mirror(scratch).update(from: DirectoryLedgerSource(directory: forged))
        }
        #expect(refused == expected, "\(name) \(forgets)")
      }
      #expect(try files(scratch.file("copy")) == before)
    }
  }

  @Test("a line of history that is gone is missed") func history() throws {
    let scratch = try ScratchFolder()
    let ledger = try newLedger(scratch)
    for batch in 0..<4 { _ = try ledger.append(opaqueEntries(batch * 5..<batch * 5 + 5)) }
    _ = try mirror(scratch).update(from: DirectoryLedgerSource(directory: scratch.ledger))
    _ = try ledger.append(opaqueEntries(50..<55))
    var source = AlteredSource(scratch.ledger)
    let lines = try scratch.bytes("log/history").split(separator: 10)
    source.altered["history"] = lines.enumerated().filter { $0.offset != 2 }
      .flatMap { Array($0.element) + [10] }
    #expect(code { _ = try mirror(scratch).update(from: source) } == "historyChanged")
    // A line for a tree that never was.
    let forged = try forge(scratch, entries: opaqueEntries(100..<122))
    let other = try String(
      decoding: DirectoryLedgerSource(directory: forged).read(path: "history", limit: 4096) ?? [],
      as: UTF8.self)
    let line = try #require(other.split(separator: "\n").last)
    source.altered["history"] =
      (lines.dropLast().flatMap { Array($0) + [10] }) + Array(line.utf8) + [10]
      + Array(lines[lines.count - 1]) + [10]
    #expect(code { _ = try mirror(scratch).update(from: source) } == "forked")
    // A log of others has none.
    source.gone = ["history"]
    #expect(try mirror(scratch).update(from: source).to.size == TreeSize(25))
  }

  @Test("one mirror a folder, never a log's own, never another log's") func folders() throws {
    let scratch = try ScratchFolder()
    let ledger = try newLedger(scratch)
    #expect(
      code { _ = try LedgerMirror(directory: scratch.ledger, verifierKey: key(), policy: nil) }
        == "alreadyExists")
    do {
      let first = try mirror(scratch)
      #expect(code { _ = try mirror(scratch) } == "inUse")
      _ = try first.update(from: ledger.source)
    }
    let other = try NoteVerifierKey(name: "example.org/other", key: testKey(1).verifyingKey)
    #expect(
      code {
        _ = try LedgerMirror(directory: scratch.file("copy"), verifierKey: other, policy: nil)
      } == "badKey")
  }

  @Test("a log that grows after its end") func ended() throws {
    let scratch = try ScratchFolder()
    let ledger = try newLedger(scratch)
    ledger.admission = .everything
    _ = try ledger.append(opaqueEntries(0..<3))
    _ = try ledger.append([
      try ledger.signer.entry(
        LogEndStatement(
          logOrigin: testOrigin, proverKey: try keyDigest(testKey(1)), successor: "",
          treeRoot: ledger.head.root, treeSize: 3
        ).encoded)
    ])
    let source = DirectoryLedgerSource(directory: scratch.ledger)
    #expect(try mirror(scratch).update(from: source).end?.index == LeafIndex(3))
    _ = try ledger.append(opaqueEntries(10..<12))
    #expect(code { _ = try mirror(scratch).update(from: source) } == "grewAfterEnd")
    try FileManager.default.removeItem(atPath: scratch.file("copy"))
    #expect(code { _ = try mirror(scratch).update(from: source) } == "grewAfterEnd")
  }
}
