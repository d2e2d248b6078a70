import Cryptography
import Foundation
import MerkleTrees
import ProofPrimitives
import Testing

@testable import TransparencyLedger

private func key() throws -> NoteVerifierKey {
  try NoteVerifierKey(name: testOrigin, key: testKey(1).verifyingKey)
}

private func monitor(
  _ scratch: ScratchFolder, _ watch: MonitorWatch = MonitorWatch()
) throws -> LedgerMonitor {
  try LedgerMonitor(
    state: scratch.file("state"), verifierKey: key(), policy: nil, watch: watch)
}

/// Kinds told, which are then told no more.
private func told(_ monitor: LedgerMonitor) throws -> [String] {
  try monitor.waiting().map {
    try monitor.delivered($0.id)
    return $0.alert.kind.rawValue
  }
}

@Suite("Monitors (ledger.md §15)") struct LedgerMonitorTests {
  @Test("each entry is read once, over restarts too") func follows() throws {
    let scratch = try ScratchFolder()
    let ledger = try newLedger(scratch)
    var expected: UInt64 = 0
    for batch in [1, 254, 3, 600, 1] {
      let first = Int(ledger.head.size.value)
      _ = try ledger.append(opaqueEntries(first..<first + batch))
      let round = try monitor(scratch).round(ledger.source, now: 100)
      #expect(round.from == expected && round.readCount == UInt64(batch) && round.worst == nil)
      expected += UInt64(batch)
    }
    #expect(try monitor(scratch).round(ledger.source, now: 100).readCount == 0)
  }

  @Test("what is watched is told once") func watched() throws {
    let scratch = try ScratchFolder()
    let ledger = try newLedger(scratch)
    let (mine, thief) = (try testKey(3), try testKey(4))
    var watch = MonitorWatch()
    watch.keys = [try keyDigest(mine)]
    watch.claims = [Claim(.model, testDigest(7))]
    let known = try commitmentEntry(1, key: mine)
    watch.known = [MerkleTree.leafHash(of: known)]
    _ = try ledger.append([
      known, commitmentEntry(2, key: thief),
      LedgerEntry.signed(proofStatement(model: 7, key: thief).encoded, by: thief),
      LedgerEntry.signed(proofStatement(model: 7, key: mine).encoded, by: mine),
      LedgerEntry.signed(proofStatement(model: 8, key: thief).encoded, by: thief),
    ])
    do {
      let monitor = try monitor(scratch, watch)
      #expect(try monitor.round(ledger.source, now: 1).worst == .watched)
      let alerts = try monitor.waiting().map(\.alert)
      #expect(alerts.map(\.kind) == [.claimedByOther, .keyUsed])
      #expect(alerts.map(\.index) == [LeafIndex(2), LeafIndex(3)])
      #expect(alerts[0].claim == Claim(.model, testDigest(7)))
      #expect(alerts[0].key == thief.verifyingKey)
    }
    // Nobody was told: it waits, and then comes no more.
    let again = try monitor(scratch, watch)
    #expect(try again.round(ledger.source, now: 2).worst == nil)
    #expect(try told(again) == ["claimedByOther", "keyUsed"])
    #expect(try told(again) == [])
  }

  @Test("a digest in any place, and a key by its ID") func anyPlace() throws {
    let scratch = try ScratchFolder()
    let ledger = try newLedger(scratch)
    let mine = try testKey(3)
    var watch = MonitorWatch()
    watch.keys = [mine.verifyingKey.keyID]
    watch.digests = [testDigest(1)]
    _ = try ledger.append([
      commitmentEntry(1, key: mine), commitmentEntry(2, key: testKey(4)),
    ])
    let monitor = try monitor(scratch, watch)
    _ = try monitor.round(ledger.source, now: 1)
    #expect(try told(monitor) == ["keyUsed", "claimedByOther"])
  }

  @Test("a withdrawn key that is used again") func withdrawn() throws {
    let scratch = try ScratchFolder()
    let ledger = try newLedger(scratch)
    ledger.admission = .everything
    let mine = try testKey(3)
    var watch = MonitorWatch()
    watch.keys = [try keyDigest(mine)]
    let withdrawal = WithdrawalStatement(
      keyID: mine.verifyingKey.keyID, logOrigin: testOrigin, proverKey: try keyDigest(mine),
      reason: .compromised)
    _ = try ledger.append([
      LedgerEntry.signed(withdrawal.encoded, by: mine), commitmentEntry(1, key: mine),
    ])
    do {
      let monitor = try monitor(scratch, watch)
      _ = try monitor.round(ledger.source, now: 1)
      #expect(try told(monitor) == ["keyWithdrawn", "withdrawnKeyUsed", "keyUsed"])
    }
    _ = try ledger.append([commitmentEntry(2, key: mine)])
    let monitor = try monitor(scratch, MonitorWatch())
    _ = try monitor.round(ledger.source, now: 1)
    #expect(try told(monitor) == ["withdrawnKeyUsed"])
  }

  @Test("a log that broke its word: told once, found each time") func broken() throws {
    let scratch = try ScratchFolder()
    let ledger = try newLedger(scratch)
    _ = try ledger.append(opaqueEntries(0..<300))
    let monitor = try monitor(scratch)
    _ = try monitor.round(ledger.source, now: 1)
    for (entries, kind, name) in [
      (opaqueEntries(1..<400), "forked", "larger"), (opaqueEntries(1..<301), "forked", "same"),
      (opaqueEntries(0..<200), "rolledBack", "smaller"),
    ] {
      let source = DirectoryLedgerSource(
        directory: try forge(scratch, entries: entries, folder: name))
      #expect(try monitor.round(source, now: 2).worst == .broken)
      let path = try #require(try monitor.waiting().first?.alert.path)
      for note in ["remembered", "shown"] {
        let bytes = try #require(FileManager.default.contents(atPath: "\(path)/\(note)"))
        _ = try SignedTreeHead(parsing: Array(bytes), by: key())
      }
      #expect(try told(monitor) == [kind])
      #expect(try monitor.round(source, now: 3).worst == .broken)
      #expect(try told(monitor) == [])
    }
    _ = try ledger.append(opaqueEntries(300..<310))
    #expect(try monitor.round(ledger.source, now: 4).worst == nil)
  }

  @Test("lines of history: one of another tree, and one that is gone") func history() throws {
    let scratch = try ScratchFolder()
    let ledger = try newLedger(scratch)
    for batch in 0..<3 { _ = try ledger.append(opaqueEntries(batch * 5..<batch * 5 + 5)) }
    let monitor = try monitor(scratch)
    #expect(try monitor.round(ledger.source, now: 1).worst == nil)
    let lines = try scratch.bytes("log/history").split(separator: 10)
    var source = AlteredSource(scratch.ledger)
    source.altered["history"] = lines.dropFirst().flatMap { Array($0) + [10] }
    #expect(try monitor.round(source, now: 2).worst == .broken)
    #expect(try told(monitor) == ["historyChanged"])
    _ = try ledger.append(opaqueEntries(50..<55))
    let forged = try forge(scratch, entries: opaqueEntries(100..<118))
    let other = try #require(
      try DirectoryLedgerSource(directory: forged).read(path: "history", limit: 4096))
    let line = try #require(other.split(separator: 10).last)
    source.altered["history"] = lines.flatMap { Array($0) + [10] } + Array(line) + [10]
    #expect(try monitor.round(source, now: 2).worst == .broken)
    #expect(try told(monitor) == ["forked"])
  }

  @Test("an end is told, and growth after it") func ended() throws {
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
    do {
      let monitor = try monitor(scratch)
      #expect(try monitor.round(ledger.source, now: 1).end == LeafIndex(3))
      #expect(try told(monitor) == ["ended"])
    }
    _ = try ledger.append(opaqueEntries(10..<12))
    let again = try monitor(scratch)
    #expect(try again.round(ledger.source, now: 1).worst == .broken)
    #expect(try told(again) == ["grewAfterEnd"])
    // Who comes late sees it too.
    let late = try LedgerMonitor(
      state: scratch.file("late"), verifierKey: key(), policy: nil, watch: MonitorWatch())
    #expect(try late.round(ledger.source, now: 1).worst == .broken)
    #expect(try told(late) == ["grewAfterEnd"])
  }

  @Test("a head that stays is told of once") func stale() throws {
    let scratch = try ScratchFolder()
    let ledger = try newLedger(scratch)
    _ = try ledger.append(opaqueEntries(0..<3))
    var watch = MonitorWatch()
    watch.staleAfterSeconds = 60
    let monitor = try monitor(scratch, watch)
    for (now, expected) in [(100, []), (160, []), (161, ["staleHead"]), (900, [])]
      as [(UInt64, [String])]
    {
      _ = try monitor.round(ledger.source, now: now)
      #expect(try told(monitor) == expected, "\(now)")
    }
    _ = try ledger.append(opaqueEntries(3..<4))
    _ = try monitor.round(ledger.source, now: 1000)
    #expect(try told(monitor) == [])
    try monitor.noteFailure(now: 1061)
    #expect(try told(monitor) == ["staleHead"])
  }

  @Test("damage is neither well nor a broken word") func damaged() throws {
    let scratch = try ScratchFolder()
    let ledger = try newLedger(scratch)
    _ = try ledger.append(opaqueEntries(0..<300))
    var source = AlteredSource(scratch.ledger)
    var bytes = try scratch.bytes("log/tile/entries/000")
    bytes[5] ^= 1
    source.altered["tile/entries/000"] = bytes
    let monitor = try monitor(scratch)
    #expect(code { _ = try monitor.round(source, now: 1) } == "damagedBundle")
    #expect(try monitor.round(ledger.source, now: 1).readCount == 300)
  }

  @Test("one monitor a state, and one log") func state() throws {
    let scratch = try ScratchFolder()
    do {
      let first = try monitor(scratch)
      #expect(code { _ = try monitor(scratch) } == "inUse")
      withExtendedLifetime(first) {}
    }
    let other = try NoteVerifierKey(name: "example.org/other", key: testKey(1).verifyingKey)
    #expect(
      code {
        _ = try LedgerMonitor(
          state: scratch.file("state"), verifierKey: other, policy: nil, watch: MonitorWatch())
      } == "badKey")
  }
}
