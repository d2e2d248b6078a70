internal import ChunkStorage
internal import ProofPrimitives

/// Walks the records of an archive that has no seal yet, from the first to the last that is whole.
///
/// A frame that is cut, fails its checksum, does not chain or does not parse ends the walk: while an
/// archive grows, that is what a crash leaves at its end.
struct RecordScan {
  let header: RecordsHeader
  let opening: OpeningRecord
  private(set) var rows: [RecordIndex.Row] = []
  private(set) var norms: [NormsTable.Row] = []
  private(set) var gaps: [RecordedGap] = []
  private(set) var lastCheckpoint: CheckpointRecord?
  private(set) var lastEnvelope: Envelope?
  /// Where the last whole frame ends.
  private(set) var endOffset = 0
  /// What stands after it, said for people; nil when nothing does.
  private(set) var tail: String?

  let keys: ArchiveKeys?
  private let source: any ObjectSource
  private let total: Int

  init(_ source: any ObjectSource, access: ArchiveAccess = .none) throws(ArchiveError) {
    self.source = source
    let byteCount = try storing { () throws(StorageError) in
      try source.byteCount(of: ArchiveFiles.records)
    }
    guard let byteCount else {
      throw ArchiveError(
        .missing, at: "\(source.location)/\(ArchiveFiles.records)", "there is no archive here",
        remedy: "check the path; `pol train` or `pol record` makes an archive")
    }
    total = byteCount
    header = try RecordsHeader.load(source)
    keys = try access.keys(for: header)
    endOffset = RecordsHeader.byteCount
    guard let frame = try RecordScan.frame(source, at: endOffset, total: byteCount, 0, keys) else {
      throw ArchiveError(
        .damaged, at: ArchiveFiles.records, "record 0 is cut or changed: nothing can be read",
        remedy: "use another copy of the archive")
    }
    opening = try parsing("\(ArchiveFiles.records), record 0") { () throws(ParsingError) in
      try OpeningRecord(parsing: frame.record[...])
    }
    try header.check(opening)
    add(frame, step: 0)
    while let next = try RecordScan.frame(source, at: endOffset, total: total, rows.count, keys) {
      guard try take(next) else { break }
    }
    if endOffset < total { tail = "\(total - endOffset) bytes after record \(rows.count - 1)" }
  }

  /// Nil when the frame is torn.
  private static func frame(
    _ source: any ObjectSource, at offset: Int, total: Int, _ number: Int, _ keys: ArchiveKeys?
  ) throws(ArchiveError) -> RecordFrame? {
    guard offset + RecordFrame.headerByteCount <= total else { return nil }
    let start = try storing { () throws(StorageError) in
      try source.read(
        ArchiveFiles.records, range: offset..<offset + RecordFrame.headerByteCount)
    }
    guard let header = try? RecordFrame.Header(start), offset + header.frameByteCount <= total
    else {
      return nil
    }
    let bytes = try storing { () throws(StorageError) in
      try source.read(ArchiveFiles.records, range: offset..<offset + header.frameByteCount)
    }
    return try? RecordFrame(parsing: bytes, number: number, keys: keys)
  }

  private mutating func take(_ frame: RecordFrame) throws(ArchiveError) -> Bool {
    guard
      let record = try? CheckpointRecord(parsing: frame.record[...], opening: opening),
      let envelope = try? Envelope(
        parsing: frame.envelope[...], chunks: record.chunks, header: header),
      record.sequence == UInt64(rows.count), record.previous == rows.last?.hash,
      // Of record 1 too, which parses at step 0 alone; record 0 counts as step 0.
      record.firstStep == rows.last?.step
    else { return false }
    lastCheckpoint = record
    lastEnvelope = envelope
    if let gap = RecordedGap(record) { gaps.append(gap) }
    add(frame, step: record.step)
    if record.sequence > 1 {
      norms.append(NormsTable.Row(endStep: record.step, norms: record.norms))
    }
    return true
  }

  /// Whether a whole frame stands at `offset` or after it: a crash leaves none after a torn one, because
  /// `records` is written from its beginning to its end.
  ///
  /// - Complexity: reads the rest of the file.
  static func holdsFrame(
    from offset: Int, in source: any ObjectSource, isEncrypted: Bool
  ) throws(ArchiveError) -> Bool {
    let name = ArchiveFiles.records
    let total =
      try storing { () throws(StorageError) in try source.byteCount(of: name) } ?? 0
    var tries = 0
    return try ByteSearch.any(RecordFrame.magic, in: name, offset..<max(offset, total), source) {
      place throws(ArchiveError) in
      guard tries < tryLimit, total - place >= RecordFrame.headerByteCount else { return false }
      let head = try source.bytes(of: name, place..<place + RecordFrame.headerByteCount)
      guard let header = try? RecordFrame.Header(head), header.frameByteCount <= total - place
      else { return false }
      tries += 1
      let bytes = try source.bytes(of: name, place..<place + header.frameByteCount)
      return (try? RecordFrame.checked(bytes, isEncrypted: isEncrypted)) != nil
    }
  }

  /// 64 places that look like the head of a frame, each of which may cost 128 MiB to read.
  private static let tryLimit = 64

  /// Refuses to take for a torn end what is followed by a whole record.
  func checkTail() throws(ArchiveError) {
    guard tail != nil,
      try RecordScan.holdsFrame(from: endOffset, in: source, isEncrypted: header.suite == 1)
    else { return }
    throw KeptPacks.damage(
      "\(ArchiveFiles.records), byte \(endOffset)",
      "record \(rows.count) is not whole, and others stand after it")
  }

  private mutating func add(_ frame: RecordFrame, step: Int) {
    rows.append(
      RecordIndex.Row(
        hash: RecordHeader.hash(frame.record[...]), offset: endOffset,
        frameByteCount: frame.byteCount, step: step))
    endOffset += frame.byteCount
  }

  /// Cuts the walk back to the last record whose chunks are all whole in their packs, and says which
  /// frames of which packs are kept.
  ///
  /// - Parameter count: Records to keep at most, with record 0.
  /// - Throws: Where frames are lost that were durable, if `refusesDamage`; else the walk ends before them.
  mutating func cutToStoredChunks(
    keeping count: Int = .max, refusesDamage: Bool = false
  ) throws(ArchiveError) -> KeptPacks {
    var kept = try KeptPacks(source, header)
    var sequence = 1
    lastCheckpoint = nil
    lastEnvelope = nil
    while sequence < min(count, rows.count) {
      guard
        let frame = try RecordScan.frame(
          source, at: rows[sequence].offset, total: total, sequence, keys),
        let record = try? CheckpointRecord(parsing: frame.record[...], opening: opening),
        let envelope = try? Envelope(
          parsing: frame.envelope[...], chunks: record.chunks, header: header)
      else { break }
      do throws(ArchiveError) {
        guard try kept.keep(envelope, chunks: record.chunks) else { break }
      } catch {
        if refusesDamage || error.code.isUnread { throw error }
        break
      }
      lastCheckpoint = record
      lastEnvelope = envelope
      sequence += 1
    }
    if sequence < rows.count {
      endOffset = rows[sequence].offset
      rows.removeSubrange(sequence...)
      let lastStep = rows.last?.step ?? 0
      gaps.removeAll { $0.endStep > lastStep }
      norms.removeSubrange(min(norms.count, max(0, sequence - 2))...)
    }
    return kept
  }
}

/// A segment that is marked as a gap.
package struct RecordedGap: Sendable {
  package let firstStep: Int
  package let endStep: Int
  package let lostSteps: Int

  /// Nil for a segment that is none.
  init?(_ record: CheckpointRecord) {
    guard let gap = record.gap else { return nil }
    firstStep = record.firstStep
    endStep = record.step
    lostSteps = gap.lostSteps
  }
}
