internal import ChunkStorage
internal import ProofPrimitives

/// The set of files (`spec/archive.md` §1) and their digests (§6).
extension ArchiveChecker {
  /// Every file against the object table, and the table against the seal.
  mutating func objects(
    _ names: [String], _ seal: Seal, _ opening: OpeningRecord?
  ) throws(ArchiveError) {
    let table = try ObjectTable.load(source, seal).table
    for (position, row) in table.rows.enumerated() {
      progress(0.8 + 0.2 * Double(position) / Double(max(1, table.rows.count)))
      attempt("\(row.name) cannot be used", isOfWholeFile: true) { checker throws(ArchiveError) in
        try checker.compare(row)
      }
    }
    let listed = Set(table.rows.map(\.name) + [ArchiveFiles.objects, ArchiveFiles.seal])
    for name in names where !listed.contains(name) {
      add(
        ArchiveError(
          .malformed, at: "\(path)/\(printable(name))", "this file was not sealed"),
        "nothing; readers ignore it", next: "move it out of the archive")
    }
    // By the signed rows, not by the files that are there: a lost file is nobody's false statement.
    let sealed = table.rows.map(\.name)
    let clear = seal.suite == 1 ? sealed.filter { $0 == ArchiveFiles.journal } : []
    if let extra = (clear + ArchiveChecker.outOfPlace(sealed, opening)).first {
      throw ArchiveError(
        .malformed, at: ArchiveFiles.objects, "\(extra) does not belong to this archive",
        remedy: "the prover signed this: ask for a corrected archive", isSigned: true)
    }
  }

  /// Length and, where this check hashes it, digest of one file.
  func compare(_ row: ObjectTable.Row) throws(ArchiveError) {
    let place = "\(path)/\(row.name)"
    let found = try storing { () throws(StorageError) in try source.byteCount(of: row.name) }
    guard let found else { throw ArchiveError(.missing, at: place, "the file is not there") }
    guard found == row.byteCount else {
      throw ArchiveError(
        .damaged, at: place, "it has \(found) bytes, \(row.byteCount) were sealed")
    }
    guard isHashed(row.name) else { return }
    guard try ObjectTable.rows([row.name], in: source) == [row] else {
      throw ArchiveError(.damaged, at: place, "its bytes changed since it was sealed")
    }
  }

  /// Packs and `records` have checksums in their frames, which cost less than a digest.
  private func isHashed(_ name: String) -> Bool {
    let hasChecksums = name == ArchiveFiles.records || name.hasSuffix(".pack")
    switch depth {
    case .everything, .publicBytes: return true
    case .quick: return !hasChecksums
    case .subset: return !hasChecksums && name != ArchiveFiles.points
    }
  }

  /// The same for an archive that has no table yet.
  mutating func unsealedNames(_ names: [String], _ opening: OpeningRecord?) {
    // What a crash leaves of a durable write may be deleted by whoever finds it.
    let kept = names.filter {
      !($0.split(separator: "/").last ?? "").hasPrefix(DurableFile.temporaryPrefix)
    }
    for name in ArchiveChecker.outOfPlace(kept, opening) {
      add(
        ArchiveError(
          .malformed, at: "\(path)/\(printable(name))", "this is not a file of the archive"),
        "nothing; readers ignore it", next: "move it out of the archive")
    }
  }

  /// Names that are not those of §1, packs after a gap, and levels that the dataset does not have.
  private static func outOfPlace(_ names: [String], _ opening: OpeningRecord?) -> [String] {
    let there = Set(names)
    var allowed = Set<String>()
    var number: UInt32 = 0
    while number <= ArchiveFiles.packNumberLimit, there.contains(ArchiveFiles.pack(number)) {
      allowed.formUnion([ArchiveFiles.pack(number), ArchiveFiles.packIndex(number)])
      number += 1
    }
    var width = 1
    for level in 0..<4 {
      if opening.map({ $0.datasetCount >= width }) ?? true {
        allowed.insert(ArchiveFiles.tree(level: level))
      }
      width *= 256
    }
    return names.filter { name in
      guard ArchiveFiles.isKnown(name) else { return true }
      guard name.hasPrefix("packs/") || name.hasPrefix("dataset/tree.") else { return false }
      return !allowed.contains(name)
    }
  }
}
