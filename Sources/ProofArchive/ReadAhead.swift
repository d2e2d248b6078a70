internal import ChunkStorage

/// What will be wanted right after an archive is opened, so that it comes in the same round trips.
package struct ReadAhead: Sendable {
  package let norms: Bool
  package let objects: Bool
  /// A segment whose records are wanted.
  package let segment: Int?

  package init(norms: Bool = false, objects: Bool = false, segment: Int? = nil) {
    self.norms = norms
    self.objects = objects
    self.segment = segment
  }

  package static let nothing = ReadAhead()
  /// The tables that a verifier reads.
  package static let tables = ReadAhead(norms: true, objects: true)

  var records: [Int] {
    // A number that no archive has is left to whoever asks for the segment.
    guard let segment, (0..<RecordIndex.rowLimit).contains(segment) else { return [] }
    return [segment + 1, segment + 2]
  }
}

extension ArchiveReader {
  /// 64 MiB, the index of a million records: a larger table is asked for alone, when the seal was checked.
  private static let tableLimit = 64 << 20

  /// Round trip 1: everything whose name and place are known before anything was read.
  static func stageTables(
    _ staged: StagedObjectSource, _ ahead: ReadAhead
  ) throws(ArchiveError) {
    func whole(_ name: String, _ limit: Int) -> ObjectRequest {
      ObjectRequest(name, .whole(limit: min(limit, tableLimit)))
    }
    let textLimit = textLimit + EncryptedFile.headerByteCount + ObjectCipher.tagByteCount
    var requests = [
      ObjectRequest(ArchiveFiles.seal, .whole(limit: Seal.byteCount)),
      whole(ArchiveFiles.recordIndex, tableLimit), whole(ArchiveFiles.settings, textLimit),
      whole(ArchiveFiles.policy, textLimit),
      ObjectRequest(ArchiveFiles.records, .range(0..<RecordsHeader.byteCount)),
    ]
    if ahead.norms { requests.append(whole(ArchiveFiles.norms, tableLimit)) }
    if ahead.objects { requests.append(whole(ArchiveFiles.objects, tableLimit)) }
    try storing { () throws(StorageError) in try staged.stage(requests) }
  }

  /// The frames of these records; numbers that there are not are left out.
  static func stageRecords(
    _ staged: StagedObjectSource, _ index: RecordIndex, _ numbers: [Int]
  ) throws(ArchiveError) {
    let ranges = numbers.filter { index.rows.indices.contains($0) }.map { index.rows[$0].range }
      .sorted { $0.lowerBound < $1.lowerBound }
    // The frames of a segment touch; places are hints, and may say anything.
    let runs = RangeRuns.join(
      ranges.map { (0, $0) }, gap: 0, longest: 2 * RecordFrame.byteLimit, spare: 0)
    let requests = runs.map { run in
      ObjectRequest(
        ArchiveFiles.records,
        .range(
          ranges[run.lowerBound].lowerBound..<ranges[run].reduce(0) { max($0, $1.upperBound) }))
    }
    try storing { () throws(StorageError) in try staged.stage(requests) }
  }
}
