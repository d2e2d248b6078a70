import ChunkStorage
import Cryptography
import Foundation
import ProofPrimitives
import Testing

@testable import ProofArchive
@testable import ProofVerification
@testable import TransparencyLedger

/// Damage is whatever a host can do: it is found, and never taken for the prover's word.
@Suite("Damaged archives and ledgers") struct DamageTests {
  let run: TestRun
  let honest: Verdict

  init() throws {
    run = try TestRun()
    honest = try Judge().verdict(run)
  }

  /// Every file below `folder`, by its name there, in order.
  private func files(_ folder: String) throws -> [String] {
    let all = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
    return all.filter {
      var isFolder: ObjCBool = false
      _ = FileManager.default.fileExists(atPath: "\(folder)/\($0)", isDirectory: &isFolder)
      return !isFolder.boolValue
    }.sorted()
  }

  /// Runs `body` while `name` holds `bytes`, or is missing when they are nil.
  private func with<Value>(
    _ bytes: [UInt8]?, in path: String, _ body: () throws -> Value
  ) throws -> Value {
    let old = try readFile(path)
    defer { try? writeFile(old, path) }
    if let bytes {
      try writeFile(bytes, path)
    } else {
      try FileManager.default.removeItem(atPath: path)
    }
    return try body()
  }

  /// What has to hold of an archive whose bytes changed: nothing is refuted, and whatever is verified
  /// is what the undamaged archive says, from the same executions.
  private func expectHarmless(_ change: String, unread: Bool) throws {
    // Without its seal an archive is an unfinished one, which the report says too.
    let report = try? ArchiveChecker.check(run.archive)
    let isWhole = report.map { $0.isWhole && $0.isSealed } ?? false
    #expect(!isWhole, "pol check does not find \(change)")
    let verdict = try Judge().verdict(run)
    #expect(
      verdict.answer == .undecided || (unread && verdict.answer == .verified),
      "\(change): \(verdict.summary)")
    if verdict.answer == .verified {
      #expect(verdict.archiveRoot == honest.archiveRoot && verdict.sealDigest == honest.sealDigest)
      #expect(verdict.modelDigest == honest.modelDigest)
      #expect(verdict.coverage.executedSegments == honest.coverage.executedSegments)
    }
  }

  /// Bytes that a verification never reads, because it computes or does not need what they say: the
  /// end state, which is re-executed; the journal; a pack's header.
  private func isUnread(_ name: String, _ offset: Int) throws -> Bool {
    if name == ArchiveFiles.journal { return true }
    guard name == ArchiveFiles.pack(0) else { return false }
    let reader = try run.reader()
    let last = try reader.checkpoint(reader.index.rows.count - 1)
    let index = try PackIndex(parsing: try readFile("\(run.archive)/packs/00000000.index"))
    let ends = last.chunks.compactMap { digest in
      let id = PackWriter.storedID(of: digest, in: run.opening.archiveID)
      return index.rows.first { $0.storedID == id }
    }
    return offset < 16
      || ends.contains { ($0.offset..<$0.offset + $0.byteCount).contains(offset) }
  }

  @Test("one flipped bit anywhere in the archive", arguments: 0..<4)
  func flippedBit(part: Int) throws {
    var generator = ChaCha20Generator(key: SHA256.hash([UInt8(part)]).bytes)
    let names = try files(run.archive)
    #expect(names.count >= 14)
    let rounds = isFullTier ? 2_000 : 90
    for round in 0..<rounds {
      let name = names[round % names.count]
      let path = "\(run.archive)/\(name)"
      var bytes = try readFile(path)
      let offset = Int(generator.next(below: UInt32(bytes.count)))
      let bit = UInt8(generator.next(below: 8))
      let unread = try isUnread(name, offset)
      bytes[offset] ^= 1 << bit
      try with(bytes, in: path) {
        try expectHarmless("bit \(bit) of byte \(offset) of \(name)", unread: unread)
      }
    }
  }

  @Test("every bit of the seal")
  func seal() throws {
    let path = "\(run.archive)/seal"
    let whole = try readFile(path)
    for offset in whole.indices {
      var bytes = whole
      bytes[offset] ^= 1 << UInt8(offset % 8)
      try with(bytes, in: path) {
        let verdict = try Judge(isFull: false).verdict(run)
        #expect(verdict.answer == .undecided, "byte \(offset): \(verdict.summary)")
      }
    }
  }

  @Test("a file cut short, extended, emptied or missing")
  func lengths() throws {
    for name in try files(run.archive) {
      let path = "\(run.archive)/\(name)"
      let whole = try readFile(path)
      let changes: [(String, [UInt8]?)] = [
        ("cut", Array(whole.dropLast())), ("halved", Array(whole.prefix(whole.count / 2))),
        ("extended", whole + [0]), ("emptied", []), ("missing", nil),
      ]
      for (change, bytes) in changes {
        // A file that only grew at its end is read as before where ranges of it are read.
        let isRanged =
          name == ArchiveFiles.records || name.hasPrefix("dataset/") || name.hasSuffix(".pack")
        // The end of a pack is the end state's chunks.
        let unread =
          name == ArchiveFiles.journal || (isRanged && change == "extended")
          || (name.hasSuffix(".pack") && change == "cut")
        try with(bytes, in: path) {
          try expectHarmless("\(name) \(change)", unread: unread)
        }
      }
    }
  }

  @Test("two files swapped")
  func swappedFiles() throws {
    let names = try files(run.archive).filter { $0 != ArchiveFiles.journal }
    for (one, other) in zip(names, names.dropFirst() + names.prefix(1)) {
      let (first, second) = (
        try readFile("\(run.archive)/\(one)"), try readFile("\(run.archive)/\(other)")
      )
      try with(second, in: "\(run.archive)/\(one)") {
        try with(first, in: "\(run.archive)/\(other)") {
          try expectHarmless("\(one) and \(other) swapped", unread: false)
        }
      }
    }
  }

  @Test("two records swapped in their file", arguments: [(1, 2), (5, 40), (80, 81)])
  func swappedRecords(pair: (Int, Int)) throws {
    let rows = try run.reader().index.rows
    let bytes = try readFile("\(run.archive)/records")
    func frame(_ number: Int) -> [UInt8] {
      Array(bytes[rows[number].range])
    }
    var swapped: [UInt8] = []
    for number in rows.indices {
      swapped += frame(number == pair.0 ? pair.1 : number == pair.1 ? pair.0 : number)
    }
    try with(swapped, in: "\(run.archive)/records") {
      try expectHarmless("records \(pair) swapped", unread: false)
    }
  }

  @Test("claims that a host changed are not the prover's, with a ledger or without")
  func changedClaims() throws {
    for usesLedger in [true, false] {
      try with(TestRun.claims(24, 24).encoded, in: "\(run.archive)/claims.json") {
        let verdict = try Judge(usesLedger: usesLedger).verdict(run)
        #expect(verdict.answer == .undecided, "\(verdict.summary)")
        #expect(verdict[.accuracy]?.code == "damaged")
      }
    }
  }

  // MARK: The ledger

  @Test("one flipped bit anywhere in the ledger", arguments: 0..<2)
  func flippedLedgerBit(part: Int) throws {
    let folder = run.scratch.file("log")
    var generator = ChaCha20Generator(key: SHA256.hash([9, UInt8(part)]).bytes)
    let names = try files(folder)
    // Smaller bundles and tiles of heads that are gone are read by nobody.
    let unread = names.filter {
      ["vkey", "index-key"].contains($0)
        || ($0.contains(".p/") && !$0.hasSuffix(".p/\(run.ledger.head.size)"))
    }
    for round in 0..<(isFullTier ? 1_000 : 100) {
      let name = names[round % names.count]
      var bytes = try readFile("\(folder)/\(name)")
      let offset = Int(generator.next(below: UInt32(bytes.count)))
      bytes[offset] ^= 1 << UInt8(generator.next(below: 8))
      try with(bytes, in: "\(folder)/\(name)") {
        guard
          let view = try? LedgerView(
            source: DirectoryLedgerSource(directory: folder), verifierKey: run.ledger.verifierKey)
        else {
          #expect(name == "checkpoint")
          return
        }
        let verdict = try Judge(isFull: false).verdict(run, view: view)
        #expect(verdict.answer != .refuted, "byte \(offset) of \(name): \(verdict.summary)")
        let isFound = (try? view.audit()) == nil || verdict.answer == .undecided
        #expect(isFound || unread.contains(name), "nobody notices byte \(offset) of \(name)")
      }
    }
  }

  @Test("lines withheld from the ledger's history cannot be decided", arguments: 0..<3)
  func withheldHistory(line: Int) throws {
    let path = "\(run.scratch.file("log"))/history"
    var lines = try readFile(path).split(separator: 10).map { Array($0) + [10] }
    #expect(lines.count == 4)
    lines.remove(at: line)
    try with(lines.flatMap { $0 }, in: path) {
      let verdict = try Judge(isFull: false).verdict(run)
      // The commitment is entry 1, first covered by the head of two entries.
      #expect(verdict.answer == (line == 2 ? .undecided : .verified), "\(verdict.summary)")
      if line == 2 { #expect(verdict[.commitment]?.code == "notPublished") }
    }
  }

  @Test("a ledger file that is missing cannot be decided")
  func missingLedgerFiles() throws {
    let folder = run.scratch.file("log")
    for name in try files(folder) where name != "checkpoint" && name != "vkey" {
      try with(nil, in: "\(folder)/\(name)") {
        let verdict = try Judge(isFull: false).verdict(run)
        #expect(verdict.answer != .refuted, "\(name): \(verdict.summary)")
      }
    }
  }
}
