internal import ChunkStorage
internal import ProofPrimitives

/// Every frame of every pack, named by a record or not: they are published bytes (`spec/archive.md` §5).
extension ArchiveChecker {
  mutating func packs(_ names: [String], _ opening: OpeningRecord) {
    let there = Set(names)
    var stored = Set<Digest>()
    var number: UInt32 = 0
    while number <= ArchiveFiles.packNumberLimit, there.contains(ArchiveFiles.pack(number)) {
      attempt("some chunks of \(ArchiveFiles.pack(number)) cannot be found") {
        checker throws(ArchiveError) in
        let hasIndex = there.contains(ArchiveFiles.packIndex(number))
        let rows = try checker.pack(number, hasIndex: hasIndex, opening)
        guard !rows.contains(where: { stored.contains($0.storedID) }) else {
          throw ArchiveError(
            .malformed, at: ArchiveFiles.packIndex(number), "an earlier pack holds a chunk of it")
        }
        for row in rows { stored.insert(row.storedID) }
      }
      number += 1
    }
  }

  /// The rows of one pack, which are those of its index.
  private func pack(
    _ number: UInt32, hasIndex: Bool, _ opening: OpeningRecord
  ) throws(ArchiveError) -> [PackIndex.Row] {
    let (name, indexName) = (ArchiveFiles.pack(number), ArchiveFiles.packIndex(number))
    let total =
      try storing { () throws(StorageError) in try source.byteCount(of: name) } ?? 0
    guard total <= PackIndex.packByteLimit else {
      throw ArchiveError(.limit, at: name, "the pack has \(total) bytes")
    }
    try PackScan.checkHeader(number, source)
    if !hasIndex, !report.isSealed {
      // The open pack: what a crash tore is cut when the training goes on.
      return try PackScan.rows(of: number, in: source, archiveID: opening.archiveID)
    }
    let index = try StateLoader.packIndex(number, source)
    try StateLoader.comparePack(number, index.packByteCount, source)
    let rows = try PackScan.wholeRows(of: number, byteCount: total, in: source, opening: opening)
    guard PackIndex(packNumber: number, packByteCount: total, rows: rows) == index else {
      throw ArchiveError(.malformed, at: indexName, "its rows are not the frames of the pack")
    }
    return rows
  }
}
