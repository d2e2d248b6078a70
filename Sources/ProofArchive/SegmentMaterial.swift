internal import ChunkStorage
internal import ProofPrimitives

/// What re-executing one segment needs: the records at its ends, and on demand the data points of its
/// steps and the state that it starts from.
///
/// From an archive that was opened with this segment in `ReadAhead` all of it comes in four round trips
/// (`spec/store.md` §2.1), if the stored state is not above 256 MiB and the points not above 64 MiB. Each
/// part is checked as the reader checks it; used while the reader lives, by one thread.
package final class SegmentMaterial {
  package let number: Int
  /// The record that the segment goes on from.
  package let before: CheckpointRecord
  /// The record that closes it, with its steps.
  package let after: CheckpointRecord
  private let reader: ArchiveReader
  private var isStaged = false

  fileprivate init(_ number: Int, _ reader: ArchiveReader) throws(ArchiveError) {
    self.number = number
    self.reader = reader
    try reader.prefetch(number + 1...number + 2)
    before = try reader.checkpoint(number + 1)
    after = try reader.checkpoint(number + 2)
    reader.staged.discard(ArchiveFiles.records)
  }

  /// The data points that the steps use, each proved against the dataset root.
  package func points() throws(ArchiveError) -> [UInt32: SaltedPoint] {
    try stage()
    return try reader.dataset.points(at: indices)
  }

  /// The whole state at the start. Look at `before` first: a record may claim more than any memory holds.
  package func startState() throws(ArchiveError) -> TrainingState {
    try stage()
    return try reader.state(number + 1)
  }

  /// 1,024: what is listed together of a folder that is being filled.
  fileprivate static let checkedPoints = 1024

  /// Reads all that re-executing the segment takes and holds little of it.
  ///
  /// - Parameter checked: Called when all that was read so far was found right, with the bytes of the state
  ///   since the last call.
  func check(_ checked: (Int) throws(ArchiveError) -> Void) throws(ArchiveError) {
    try checked(0)
    try reader.checkPoints(indices.sorted()) { () throws(ArchiveError) in try checked(0) }
    try reader.loader.checkGroups(
      of: before, envelope: try reader.envelope(number + 1), checked)
  }

  private var indices: Set<UInt32> {
    after.steps.reduce(into: []) { $0.formUnion($1.batch) }
  }

  /// Asks for points and chunks together, once. What is wrong with them is found when they are read.
  private func stage() throws(ArchiveError) {
    guard !isStaged else { return }
    isStaged = true
    try reader.stage(chunksOf: number + 1, before, points: indices)
  }
}

extension ArchiveReader {
  /// Reads the records of segment `number`, from 0: one round trip, none where they are here.
  package func segment(_ number: Int) throws(ArchiveError) -> SegmentMaterial {
    guard (0..<segmentCount).contains(number) else {
      throw ArchiveError(
        .missing, at: source.location, "there is no segment \(number); there are \(segmentCount)",
        remedy: "choose one from 0 to \(segmentCount - 1)")
    }
    if let refusal = partial?.lacking([number]) { throw refusal }
    return try SegmentMaterial(number, self)
  }

  /// Nil unless this is a folder of some segments.
  package var partial: PartialArchive? { source as? PartialArchive }

  /// Whether a record can be read without asking anybody for more.
  package func holds(record number: Int) throws(ArchiveError) -> Bool {
    guard keys?.source.opens(record: number) ?? true else { return false }
    return try partial?.holds(ArchiveFiles.records, index.rows[number].range) ?? true
  }

  /// Of these segments, those that the grant does not open, as `--segments` takes them; nil when it opens
  /// all of them.
  package func ungranted(_ wanted: some Sequence<Int>) -> String? {
    guard let keys else { return nil }
    let closed = wanted.filter { !keys.source.covers(segment: $0) }
    return closed.isEmpty ? nil : RangeSet(numbers: closed).list
  }

  /// Proves data points, and holds few of them; `checked` is called after each group.
  func checkPoints(
    _ indices: [UInt32], _ checked: () throws(ArchiveError) -> Void
  ) throws(ArchiveError) {
    for start in stride(from: 0, to: indices.count, by: SegmentMaterial.checkedPoints) {
      let end = min(indices.count, start + SegmentMaterial.checkedPoints)
      try dataset.check(Array(indices[start..<end]))
      try checked()
    }
  }

  /// Round trips 3 and 4: indexes, rows and tiles; then, from what those say, frames and points.
  fileprivate func stage(
    chunksOf number: Int, _ record: CheckpointRecord, points: Set<UInt32>
  ) throws(ArchiveError) {
    // An envelope that cannot be read is found again, in its turn.
    let envelope = try? envelope(number)
    let chunks = envelope.map {
      loader.requests(for: record, envelope: $0, roles: Set(TensorRole.allCases))
    }
    let dataset = dataset.requests(for: points)
    try stage((chunks?.indexes ?? []) + dataset.tables)
    let frames = (try? chunks?.frames()) ?? []
    let points = (try? dataset.points()) ?? []
    try stage(frames + points)
  }

  private func stage(_ requests: [ObjectRequest]) throws(ArchiveError) {
    try storing { () throws(StorageError) in try staged.stage(requests) }
  }
}
