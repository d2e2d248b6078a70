internal import ChunkStorage
internal import ProofPrimitives

/// An archive at a glance, out of its records alone: no chunk is fetched. Of a folder of some segments,
/// the records that it holds.
package struct ArchiveSummary: Sendable {
  package struct Segment: Sendable {
    /// Step of the checkpoint that ends it.
    package let endStep: Int
    /// As the trainer reported it, of the last step.
    package let loss: Float
    package let learningRate: Float
    package let norms: UpdateNorms
  }

  package struct MarkedGap: Sendable {
    /// Of the segment.
    package let steps: Range<Int>
    package let gap: CheckpointRecord.Gap
  }

  package private(set) var segments: [Segment] = []
  package private(set) var gaps: [MarkedGap] = []
  /// Bytes of all checkpoints' tensors, each counted whole.
  package private(set) var rawByteCount = 0
  /// Bytes of the packs.
  package private(set) var packByteCount = 0
  /// Chunks that the checkpoints name, and in how many frames they stand: equal ones stand in one.
  package private(set) var namedChunks = 0
  package private(set) var distinctChunks = 0
  /// Data points that the steps used, counted as often as they were.
  package private(set) var usedPoints = 0
  package private(set) var tensors: [TensorSpec] = []

  /// 8 MiB of records in one request.
  private static let windowByteLimit = 8 << 20

  /// - Parameter progress: Called with 0 to 1.
  /// - Complexity: reads every record once; each was checked against its hash and the one before it.
  package init(
    _ reader: ArchiveReader, progress: (Double) -> Void = { _ in }
  ) throws(ArchiveError) {
    var seen = PlaceSet()
    let rows = reader.index.rows
    var number = 1
    while number < rows.count {
      var end = number
      var size = rows[number].frameByteCount
      while end + 1 < rows.count,
        size + rows[end + 1].frameByteCount <= ArchiveSummary.windowByteLimit
      {
        end += 1
        size += rows[end].frameByteCount
      }
      try reader.prefetch(number...end)
      while number <= end {
        if try reader.holds(record: number) {
          try add(reader.checkpoint(number), reader.envelope(number), &seen)
        }
        number += 1
      }
      progress(Double(number) / Double(rows.count))
    }
    distinctChunks = seen.count
    try countPacks(reader.source)
  }

  private mutating func add(
    _ record: CheckpointRecord, _ envelope: Envelope, _ seen: inout PlaceSet
  ) {
    rawByteCount += record.specs.reduce(0) { $0 + $1.byteCount }
    namedChunks += record.chunks.count
    for row in envelope.rows { seen.insert(row.place) }
    usedPoints += record.steps.reduce(0) { $0 + $1.batch.count }
    tensors = record.specs
    if let gap = record.gap {
      gaps.append(MarkedGap(steps: record.firstStep..<record.step, gap: gap))
    }
    if let last = record.steps.last {
      segments.append(
        Segment(
          endStep: record.step, loss: Float(bitPattern: last.loss),
          learningRate: Float(bitPattern: last.learningRate), norms: record.norms))
    }
  }

  private mutating func countPacks(_ source: any ObjectSource) throws(ArchiveError) {
    var number: UInt32 = 0
    while let count = try storing({ () throws(StorageError) in
      try source.byteCount(of: ArchiveFiles.pack(number))
    }) {
      packByteCount += count
      number += 1
    }
  }
}
