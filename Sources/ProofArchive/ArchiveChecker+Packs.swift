internal import ChunkStorage
internal import ProofPrimitives

/// Every frame of every pack, named by a record or not: they are published bytes (`spec/archive.md` §5).
extension ArchiveChecker {
  mutating func packs(_ names: [String], _ header: RecordsHeader, rawLimit: Int) {
    let there = Set(names)
    var number: UInt32 = 0
    while number <= ArchiveFiles.packNumberLimit, there.contains(ArchiveFiles.pack(number)) {
      attempt(ArchiveChecker.consequence(ofPack: number)) { checker throws(ArchiveError) in
        let hasIndex = there.contains(ArchiveFiles.packIndex(number))
        try checker.pack(number, hasIndex: hasIndex, header, rawLimit: rawLimit)
      }
      number += 1
    }
  }

  private static func consequence(ofPack number: UInt32) -> String {
    "some chunks of \(ArchiveFiles.pack(number)) cannot be found"
  }

  /// Every frame of one pack by its checksum, and the lengths in its index.
  private mutating func pack(
    _ number: UInt32, hasIndex: Bool, _ header: RecordsHeader, rawLimit: Int
  ) throws(ArchiveError) {
    let (name, indexName) = (ArchiveFiles.pack(number), ArchiveFiles.packIndex(number))
    let total =
      try storing { () throws(StorageError) in try source.byteCount(of: name) } ?? 0
    guard total <= PackIndex.packByteLimit else {
      throw ArchiveError(.limit, at: name, "the pack has \(total) bytes")
    }
    // One that was just made, and whose maker died before it had its header.
    if !hasIndex, !report.isSealed, total < PackIndex.packHeaderByteCount { return }
    try PackScan.checkHeader(number, source)
    // The open pack of an unfinished archive: what a crash tore is cut when the training goes on.
    if !hasIndex, !report.isSealed {
      if case .quick = depth { try openPack(number, byteCount: total, header) }
      return
    }
    let index = try PackCatalog.index(number, source, rawLimit: rawLimit)
    try PackCatalog.comparePack(number, index.packByteCount, source)
    // The frames of the drawn checkpoints were read with their chunks.
    if case .subset = depth { return }
    let (frames, damage) = try PackScan.allFrames(
      of: number, byteCount: total, in: source, header, rawLimit: rawLimit, index: index)
    for error in damage { add(error, ArchiveChecker.consequence(ofPack: number)) }
    guard !damage.isEmpty || frames == index.rows.map(\.byteCount) else {
      throw ArchiveError(.malformed, at: indexName, "its rows are not the frames of the pack")
    }
  }

  private func openPack(
    _ number: UInt32, byteCount total: Int, _ header: RecordsHeader
  ) throws(ArchiveError) {
    let frames = try PackScan.wholeFrames(of: number, in: source, header)
    let end = PackIndex.packHeaderByteCount + frames.reduce(0, +)
    guard end == total else {
      throw ArchiveError(
        .damaged, at: "\(ArchiveFiles.pack(number)), byte \(end)", "the frame here is not whole")
    }
  }
}
