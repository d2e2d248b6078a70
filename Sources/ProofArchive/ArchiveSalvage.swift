package import ChunkStorage
internal import ProofPrimitives

/// What is whole of an archive without a seal, made into a new one that training can go on in, or that
/// can be sealed (`spec/repair.md`). The old one is only read.
package struct ArchiveSalvage: Sendable {
  /// Checkpoints that were kept: the first so many.
  package let checkpoints: Int
  /// Checkpoints that `records` still told of.
  package let foundCheckpoints: Int
  package let lastStep: Int
  /// Why the first checkpoint after them was not kept; nil when all were.
  package let reason: ArchiveError?
  /// What stood in `records` after the last whole record.
  package let tail: String?

  /// - Throws: When record 0, settings, policy or the dataset is damaged, or no checkpoint is whole: there
  ///   is nothing that could be kept then.
  package static func run(
    _ source: any ObjectSource, to out: String, access: ArchiveAccess = .none,
    progress: (Double) -> Void = { _ in }
  ) throws(ArchiveError) -> ArchiveSalvage {
    let scan = try RecordScan(source, access: access)
    _ = try ArchiveReader.texts(source, scan.opening, scan.keys)
    _ = try DatasetManifest(
      loading: source, root: scan.opening.datasetRoot, count: scan.opening.datasetCount,
      keys: scan.keys)
    let (kept, reason) = try wholeCheckpoints(scan, source, progress)
    guard kept > 0 else {
      throw reason
        ?? ArchiveError(
          .damaged, at: ArchiveFiles.records, "no checkpoint is whole: nothing can be kept",
          remedy: "begin the training again")
    }
    try copy(source, to: out, endOffset: scan.rows[kept].range.upperBound)
    // Opening cuts packs after the last frame that is named, and writes indexes that are lost.
    var options = ArchiveWriter.Options()
    if case .epochKey(let key) = access { options.epochKey = key }
    _ = try ArchiveWriter.open(at: out, options: options)
    return ArchiveSalvage(
      checkpoints: kept, foundCheckpoints: scan.rows.count - 1, lastStep: scan.rows[kept].step,
      reason: reason, tail: scan.tail)
  }

  /// How many checkpoints from the first have all their chunks, by digest.
  private static func wholeCheckpoints(
    _ scan: RecordScan, _ source: any ObjectSource, _ progress: (Double) -> Void
  ) throws(ArchiveError) -> (count: Int, reason: ArchiveError?) {
    let loader = ChunkLoader(
      source: source, opening: scan.opening, header: scan.header, keys: scan.keys,
      open: try KeptPacks(source, scan.header).openIndexes)
    var walk = try RecordWalk(source, keys: scan.keys)
    for (number, row) in scan.rows.enumerated() {
      progress(Double(number) / Double(scan.rows.count))
      do throws(ArchiveError) {
        walk.offset = row.offset
        let frame = try walk.next(number)
        guard number > 0 else { continue }
        let record = try parsing(ArchiveReader.recordPlace(number)) { () throws(ParsingError) in
          try CheckpointRecord(parsing: frame.record[...], opening: scan.opening)
        }
        let envelope = try parsing("\(ArchiveReader.recordPlace(number)), envelope") {
          () throws(ParsingError) in
          try Envelope(parsing: frame.envelope[...], chunks: record.chunks, header: scan.header)
        }
        try loader.check(record, envelope: envelope)
      } catch {
        // What cannot be read now may be whole.
        if error.code == .io { throw error }
        return (number - 1, error)
      }
    }
    return (scan.rows.count - 1, nil)
  }

  private static func copy(
    _ source: any ObjectSource, to out: String, endOffset: Int
  ) throws(ArchiveError) {
    let lock = try NewArchiveFolder.make(out)
    defer { withExtendedLifetime(lock) {} }
    var names = [ArchiveFiles.settings, ArchiveFiles.policy, ArchiveFiles.journal]
    names += [ArchiveFiles.points, ArchiveFiles.offsets]
    names += (0..<ArchiveFiles.treeLevelCount).map { ArchiveFiles.tree(level: $0) }
    for name in names { _ = try copy(name, source, to: out) }
    var number: UInt32 = 0
    while try copy(ArchiveFiles.pack(number), source, to: out) {
      _ = try copy(ArchiveFiles.packIndex(number), source, to: out)
      number += 1
    }
    // Last, as when an archive is made: a folder without it holds nothing.
    _ = try copy(ArchiveFiles.records, source, to: out, endOffset: endOffset)
  }

  /// False when the file is not there.
  private static func copy(
    _ name: String, _ source: any ObjectSource, to out: String, endOffset: Int = .max
  ) throws(ArchiveError) -> Bool {
    let found = try storing { () throws(StorageError) in try source.byteCount(of: name) }
    guard let found else { return false }
    let end = min(found, endOffset)
    var reader = ForwardReader(name, byteCount: found, in: source)
    let file = try storing { () throws(StorageError) in
      try DurableFileWriter("\(out)/\(name)", replaces: false)
    }
    var offset = 0
    while offset < end {
      let next = min(end, offset + 1 << 20)
      let bytes = try reader.bytes(offset..<next)
      try storing { () throws(StorageError) in try file.append(bytes) }
      offset = next
    }
    try storing { () throws(StorageError) in try file.finish() }
    return true
  }
}
