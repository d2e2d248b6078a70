package import ChunkStorage
internal import Cryptography
internal import ProofPrimitives

/// Makes a sealed archive anew out of damaged copies; no copy is changed (`spec/repair.md`).
///
/// The seal says what is right: its object table has the digest of every file. A file that no copy has
/// whole is put together frame by frame, or by trying where the copies differ, or computed from other
/// files; only its digest makes it complete. Memory: a few MiB, and a small file whole.
package final class ArchiveRepair {
  package struct File: Sendable {
    package enum Outcome: Sendable, Equatable {
      /// Taken whole from the copy at this location.
      case copied(String)
      /// Put together out of the copies, or computed from other files.
      case assembled
      /// Not complete: what is lost, in words. What is whole of it stands in the new folder, with zeros
      /// for the rest.
      case lost(String)
    }

    package let name: String
    package let outcome: Outcome
  }

  package struct Report: Sendable {
    package let seal: Seal
    package internal(set) var files: [File] = []
    /// Copies that could not be read everywhere, and those of another archive, in words.
    package internal(set) var warnings: [String] = []
    /// What can still be verified; nil for a complete archive, of which everything can.
    package internal(set) var rest: UsableRest?
    package var isComplete: Bool {
      !files.contains { if case .lost = $0.outcome { true } else { false } }
    }
  }

  let copies: [ArchiveCopy]
  let out: String
  let seal: Seal
  let keys: ArchiveKeys?
  /// What stands in the new folder so far.
  let made: DirectoryObjectSource
  private let access: ArchiveAccess
  private let table: ObjectTable
  private let lock: DirectoryLock

  /// - Parameters:
  ///   - damaged: Its seal decides what is made; another copy's where it has none.
  ///   - copies: Of the same archive, whole or damaged too. None: what is computed from the rest is.
  ///   - out: A folder that does not exist or is empty.
  ///   - access: Of an encrypted archive, to tell right frames from wrong ones; not needed where the
  ///     checksums suffice.
  /// - Throws: `.missing` when no copy has a seal or an object table; `.present` for a folder that
  ///   holds something.
  package static func run(
    _ damaged: any ObjectSource, from copies: [any ObjectSource], to out: String,
    access: ArchiveAccess = .none, progress: (Double) -> Void = { _ in }
  ) throws(ArchiveError) -> Report {
    let copies = ([damaged] + copies).map { ArchiveCopy($0) }
    let (seal, sealBytes) = try findSeal(copies)
    let table = try findTable(copies, seal)
    let repair = try ArchiveRepair(copies, out, seal, table, access)
    return try repair.run(sealBytes, progress)
  }

  private init(
    _ copies: [ArchiveCopy], _ out: String, _ seal: Seal, _ table: ObjectTable,
    _ access: ArchiveAccess
  ) throws(ArchiveError) {
    self.copies = copies
    self.out = out
    self.seal = seal
    self.table = table
    self.access = access
    if case .none = access { keys = nil } else { keys = try access.keys(for: seal) }
    lock = try NewArchiveFolder.make(out)
    made = try storing { () throws(StorageError) in try DirectoryObjectSource(out) }
  }

  private func run(
    _ sealBytes: [UInt8], _ progress: (Double) -> Void
  ) throws(ArchiveError) -> Report {
    var report = Report(seal: seal)
    // Small tables first: they say where the frames of large files stand.
    let rows = table.rows.sorted {
      (ArchiveRepair.turn($0.name), $0.name) < (ArchiveRepair.turn($1.name), $1.name)
    }
    var outcomes: [String: File.Outcome] = [:]
    for (position, row) in rows.enumerated() {
      progress(Double(position) / Double(max(1, rows.count)))
      outcomes[row.name] = try make(row)
    }
    // What was lost may follow from what was not.
    for row in rows {
      guard case .lost = outcomes[row.name] else { continue }
      if try computed(row) { outcomes[row.name] = .assembled }
    }
    report.files = table.rows.map { File(name: $0.name, outcome: outcomes[$0.name] ?? .assembled) }
    // The seal last, as when an archive is sealed.
    for (name, bytes) in [(ArchiveFiles.objects, table.encoded), (ArchiveFiles.seal, sealBytes)] {
      try storing { () throws(StorageError) in try DurableFile.write(bytes, to: "\(out)/\(name)") }
    }
    report.warnings = foreignCopies(report.files)
    report.warnings += copies.compactMap { copy in
      copy.failure.map { "\(printable(copy.location, limit: 1000)) was not read everywhere: \($0)" }
    }
    if !report.isComplete { report.rest = UsableRest(made, seal, access) }
    withExtendedLifetime(lock) {}
    progress(1)
    return report
  }

  /// Names the copies of another archive, by the ids in their seals and records.
  private func foreignCopies(_ files: [File]) -> [String] {
    copies.dropFirst().compactMap { copy in
      let found = [ArchiveFiles.seal, ArchiveFiles.records].map { copy.bytes($0, 16..<48) }
      guard !ArchiveRepair.mayBe(found, seal.archiveID) else { return nil }
      let id = found.compactMap { $0 }.first.flatMap { Digest($0) }
      // A dataset may stand in two archives, and a piece may come from any copy.
      let isUsed = files.contains {
        $0.outcome == .copied(copy.location) || $0.outcome == .assembled
      }
      let name = printable(copy.location, limit: 1000)
      let ids = "id \(id?.short ?? "not known"), not \(seal.archiveID.short)"
      let use =
        isUsed ? "only what this seal covers was taken from it" : "nothing was taken from it"
      return "\(name) is another archive (\(ids)): \(use)"
    }
  }

  private static func turn(_ name: String) -> Int {
    if name.hasSuffix(".pack") { return 3 }
    return name == ArchiveFiles.records ? 2 : name == ArchiveFiles.points ? 1 : 0
  }

  // MARK: - What is right

  private static func findSeal(
    _ copies: [ArchiveCopy]
  ) throws(ArchiveError) -> (Seal, [UInt8]) {
    func isSeal(_ bytes: [UInt8]) -> Bool { (try? Seal(parsing: bytes)) != nil }
    let found = copies.map { $0.whole(ArchiveFiles.seal, limit: Seal.byteCount) }
    let known = found.compactMap { $0 }
    // The damaged archive's own seal decides; then what its bytes and another copy's give.
    let bytes =
      found.first.flatMap { $0 }.flatMap { isSeal($0) ? $0 : nil }
      ?? CopyMerge.merge(known, byteCount: Seal.byteCount, isRight: isSeal)
      ?? known.first(where: isSeal)
    guard let bytes, let seal = try? Seal(parsing: bytes) else {
      for copy in copies { if let failure = copy.failure { throw failure } }
      throw ArchiveError(
        .missing, at: "\(copies[0].location)/\(ArchiveFiles.seal)",
        "no copy has a seal that is whole",
        remedy: "give another copy with --from; or `pol repair "
          + "\(printable(copies[0].location, limit: 1000)) --salvage --out NEW` alone keeps what is "
          + "whole without a seal, and the prover seals it again with `pol seal NEW --key KEY`")
    }
    // A seal from elsewhere must not turn the archive into another one.
    let ids = [
      copies[0].bytes(ArchiveFiles.seal, 16..<48), copies[0].bytes(ArchiveFiles.records, 16..<48),
    ]
    if bytes != found[0], !mayBe(ids, seal.archiveID) {
      throw ArchiveError(
        .otherArchive, at: copies[0].location, "the only seal that is whole is another archive's",
        remedy: "give copies of this archive with --from")
    }
    return (seal, bytes)
  }

  /// Whether what a damaged archive holds as its id does not speak against this one. A zeroed block names
  /// none.
  static func mayBe(_ ids: [[UInt8]?], _ id: Digest) -> Bool {
    let named = ids.compactMap { $0 }.filter { $0.count { $0 != 0 } >= 16 }
    return named.isEmpty || named.contains { isNear($0, id) }
  }

  /// Whether an archive id is this one, a few of its bytes damaged; two random ids hardly share one byte.
  private static func isNear(_ bytes: [UInt8], _ id: Digest) -> Bool {
    zip(bytes, id.bytes).count { $0 == $1 } >= 8
  }

  private static func findTable(
    _ copies: [ArchiveCopy], _ seal: Seal
  ) throws(ArchiveError) -> ObjectTable {
    let found = copies.compactMap { $0.whole(ArchiveFiles.objects, limit: ObjectTable.byteLimit) }
    func isTable(_ bytes: [UInt8]) -> Bool { (try? ObjectTable.parse(bytes, seal)) != nil }
    if let bytes = found.first(where: isTable) { return try ObjectTable.parse(bytes, seal) }
    for count in Set(found.map(\.count)).sorted(by: >) {
      if let bytes = CopyMerge.merge(found, byteCount: count, isRight: isTable) {
        return try ObjectTable.parse(bytes, seal)
      }
    }
    // The table follows from the files, where they are whole.
    for copy in copies {
      if let table = try? ArchiveRepair.table(of: copy), table.root == seal.objectRoot {
        return table
      }
    }
    throw ArchiveError(
      .missing, at: "\(copies[0].location)/\(ArchiveFiles.objects)",
      "no copy has the object table that was sealed, so no file can be told from a changed one",
      remedy: "give another copy with --from")
  }

  /// The table that the files of one copy give.
  private static func table(of copy: ArchiveCopy) throws(ArchiveError) -> ObjectTable {
    var names = [
      ArchiveFiles.settings, ArchiveFiles.policy, ArchiveFiles.claims, ArchiveFiles.journal,
      ArchiveFiles.records, ArchiveFiles.recordIndex, ArchiveFiles.norms, ArchiveFiles.points,
      ArchiveFiles.offsets,
    ]
    names += (0..<ArchiveFiles.treeLevelCount).map { ArchiveFiles.tree(level: $0) }
    names = names.filter { copy.byteCount($0) != nil }
    var number: UInt32 = 0
    while copy.byteCount(ArchiveFiles.pack(number)) != nil {
      names += [ArchiveFiles.pack(number), ArchiveFiles.packIndex(number)]
      number += 1
    }
    return ObjectTable(rows: try ObjectTable.rows(names, in: copy.source))
  }

  // MARK: - One file

  private func make(_ row: ObjectTable.Row) throws(ArchiveError) -> File.Outcome {
    // The digest would refuse the others too, after all of their bytes.
    for copy in copies where copy.byteCount(row.name) == row.byteCount {
      if try write(row, copy: copy) { return .copied(copy.location) }
    }
    let pieces = pieces(of: row)
    if let pieces, try assemble(row, pieces) { return .assembled }
    if try merge(row) { return .assembled }
    return .lost(try keepRest(row, pieces))
  }

  private func write(_ row: ObjectTable.Row, copy: ArchiveCopy) throws(ArchiveError) -> Bool {
    try write(row, isComplete: true) { add throws(ArchiveError) in
      var offset = 0
      while offset < row.byteCount {
        let end = min(row.byteCount, offset + 1 << 20)
        guard let bytes = copy.bytes(row.name, offset..<end) else { return false }
        try add(bytes)
        offset = end
      }
      return true
    }
  }

  /// Writes a file that gets its name if `body` gives all of it and, where it is to be complete, if it has
  /// its digest.
  func write(
    _ row: ObjectTable.Row, isComplete: Bool,
    _ body: (([UInt8]) throws(ArchiveError) -> Void) throws(ArchiveError) -> Bool
  ) throws(ArchiveError) -> Bool {
    let hasher = SHA256()
    let file = try storing { () throws(StorageError) in
      try DurableFileWriter("\(out)/\(row.name)", replaces: true)
    }
    let isGiven = try body { bytes throws(ArchiveError) in
      hasher.update(bytes)
      try storing { () throws(StorageError) in try file.append(bytes) }
    }
    guard isGiven, !isComplete || hasher.finish() == row.digest else { return false }
    try storing { () throws(StorageError) in try file.finish() }
    return true
  }

  func write(_ row: ObjectTable.Row, _ bytes: [UInt8]) throws(ArchiveError) -> Bool {
    guard bytes.count == row.byteCount, SHA256.hash(bytes) == row.digest else { return false }
    return try write(row, isComplete: true) { add throws(ArchiveError) in
      try add(bytes)
      return true
    }
  }

  /// 256 MiB: packs hardly pass 64 MiB, and what is tried is held in memory.
  private static let mergeLimit = 256 << 20

  private func merge(_ row: ObjectTable.Row) throws(ArchiveError) -> Bool {
    guard row.byteCount <= ArchiveRepair.mergeLimit else { return false }
    let found = copies.compactMap { $0.whole(row.name, limit: row.byteCount) }
    guard
      let bytes = CopyMerge.merge(
        found, byteCount: row.byteCount, isRight: { SHA256.hash($0) == row.digest })
    else { return false }
    return try write(row, bytes)
  }
}
