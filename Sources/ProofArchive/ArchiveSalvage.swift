package import ChunkStorage
internal import ProofPrimitives

/// What is whole of an archive without a seal, or with one that is damaged, made into a new one that
/// training can go on in, or that can be sealed (`spec/repair.md`). The old one is only read, and so are
/// other copies of it: the one that has the most checkpoints is taken. Nothing signed says which bytes are right, so parts of several copies
/// are not put together.
package struct ArchiveSalvage: Sendable {
  /// The copy that was taken.
  package let location: String
  /// Checkpoints that were kept: the first so many.
  package let checkpoints: Int
  /// Checkpoints that a copy's `records` still told of.
  package let foundCheckpoints: Int
  package let lastStep: Int
  /// Why the first checkpoint after them was not kept; nil when all were.
  package let reason: ArchiveError?
  /// What stood in `records` after the last whole record.
  package let tail: String?
  /// Why the seal that the copy has says nothing, and so was not copied; nil where there is none.
  package let sealDamage: String?
  /// Copies that nothing can be kept of, in words.
  package let warnings: [String]

  /// One copy, as far as it is whole.
  private struct Candidate {
    let source: any ObjectSource
    let scan: RecordScan
    let kept: Int
    let reason: ArchiveError?
  }

  /// - Parameters:
  ///   - damaged: Its record 0, where it can be read, says which archive it is.
  ///   - copies: Others, whole or damaged too.
  /// - Throws: When in every copy record 0, settings, policy or the dataset is damaged, or no checkpoint is
  ///   whole: there is nothing that could be kept then. `.otherArchive` for a copy of another archive.
  package static func run(
    _ damaged: any ObjectSource, from copies: [any ObjectSource] = [], to out: String,
    access: ArchiveAccess = .none, progress: (Double) -> Void = { _ in }
  ) throws(ArchiveError) -> ArchiveSalvage {
    var found: [Candidate] = []
    var failures: [(location: String, error: ArchiveError)] = []
    for (number, source) in ([damaged] + copies).enumerated() {
      do throws(ArchiveError) {
        found.append(
          try candidate(source, access) {
            progress((Double(number) + $0) / Double(copies.count + 1))
          })
      } catch {
        failures.append((source.location, error))
      }
    }
    let hashes = Set(found.compactMap { $0.scan.rows.first?.hash })
    guard hashes.count <= 1, isSameArchive(damaged, found) else {
      throw ArchiveError(
        .otherArchive, at: damaged.location, "not all copies are of one archive",
        remedy: "give copies of this archive with --from")
    }
    // The first of equals.
    guard let best = found.max(by: { $0.kept < $1.kept }), best.kept > 0,
      let taken = found.first(where: { $0.kept == best.kept })
    else {
      throw found.first?.reason ?? failures.first?.error
        ?? ArchiveError(
          .damaged, at: ArchiveFiles.records, "no checkpoint is whole: nothing can be kept",
          remedy: "begin the training again")
    }
    let (source, scan, kept) = (taken.source, taken.scan, taken.kept)
    let sealDamage = try sealDamage(of: source)
    // Claims of another end than the one that is kept would be false.
    let keepsClaims = sealDamage != nil && kept + 1 == scan.rows.count && scan.tail == nil
    try copy(
      source, to: out, endOffset: scan.rows[kept].range.upperBound, keepsClaims: keepsClaims)
    // Opening cuts packs after the last frame that is named, and writes indexes that are lost.
    var options = ArchiveWriter.Options()
    if case .epochKey(let key) = access { options.epochKey = key }
    _ = try ArchiveWriter.open(at: out, options: options)
    return ArchiveSalvage(
      location: source.location, checkpoints: kept,
      foundCheckpoints: found.reduce(0) { max($0, $1.scan.rows.count - 1) },
      lastStep: scan.rows[kept].step, reason: taken.reason, tail: scan.tail,
      sealDamage: sealDamage,
      warnings: failures.map {
        "nothing can be kept of \(printable($0.location, limit: 1000)): \($0.error)"
      })
  }

  /// Why the seal that a copy has cannot be used; nil for a whole one, and where there is none.
  package static func sealDamage(
    of source: any ObjectSource
  ) throws(ArchiveError) -> String? {
    let found = try storing { () throws(StorageError) in
      try source.byteCount(of: ArchiveFiles.seal)
    }
    guard found != nil else { return nil }
    do throws(ArchiveError) {
      _ = try ArchiveReader.seal(in: source)
      return nil
    } catch {
      // What cannot be read now may be whole.
      if error.code.isUnread { throw error }
      return error.message
    }
  }

  private static func candidate(
    _ source: any ObjectSource, _ access: ArchiveAccess, _ progress: (Double) -> Void
  ) throws(ArchiveError) -> Candidate {
    let scan = try RecordScan(source, access: access)
    _ = try ArchiveReader.texts(source, scan.opening, scan.keys)
    _ = try DatasetManifest(
      loading: source, root: scan.opening.datasetRoot, count: scan.opening.datasetCount,
      keys: scan.keys)
    let (kept, reason) = try wholeCheckpoints(scan, source, progress)
    return Candidate(source: source, scan: scan, kept: kept, reason: reason)
  }

  /// Whether the copies are of the damaged archive, by the archive id before its records, where it has one.
  private static func isSameArchive(
    _ damaged: any ObjectSource, _ found: [Candidate]
  ) -> Bool {
    guard let id = found.first?.scan.opening.archiveID else { return true }
    return ArchiveRepair.mayBe([ArchiveCopy(damaged).bytes(ArchiveFiles.records, 16..<48)], id)
  }

  /// How many checkpoints from the first have all their chunks, by digest.
  private static func wholeCheckpoints(
    _ scan: RecordScan, _ source: any ObjectSource, _ progress: (Double) -> Void
  ) throws(ArchiveError) -> (count: Int, reason: ArchiveError?) {
    let loader = ChunkLoader(
      source: source, opening: scan.opening, header: scan.header, keys: scan.keys,
      open: try KeptPacks(source, scan.header).openPacks)
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
        if error.code.isUnread { throw error }
        return (number - 1, error)
      }
    }
    return (scan.rows.count - 1, nil)
  }

  private static func copy(
    _ source: any ObjectSource, to out: String, endOffset: Int, keepsClaims: Bool
  ) throws(ArchiveError) {
    let lock = try NewArchiveFolder.make(out)
    defer { withExtendedLifetime(lock) {} }
    var names = [ArchiveFiles.settings, ArchiveFiles.policy, ArchiveFiles.journal]
    if keepsClaims { names.append(ArchiveFiles.claims) }
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
