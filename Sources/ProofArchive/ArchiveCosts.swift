package import ChunkStorage
internal import ProofPrimitives

/// What each checkpoint of an archive costs, out of records, envelopes, pack indexes and the headers of
/// frames: no payload is read.
///
/// A frame is counted with the first record that needs it. Its codec is what its header says, which nothing
/// here compares: it is bookkeeping and no evidence.
package struct ArchiveCosts: Sendable {
  package struct Frames: Equatable, Sendable {
    package internal(set) var count = 0
    package internal(set) var storedByteCount = 0
    package internal(set) var rawByteCount = 0
  }

  package struct Checkpoint: Sendable {
    package let record: Int
    package let step: Int
    /// Of all tensors.
    package let rawByteCount: Int
    package let chunkCount: Int
    /// Chunks whose content was stored before, in this record or an earlier one.
    package internal(set) var knownChunkCount = 0
    /// Frames that came with it, deltas and others.
    package internal(set) var deltas = Frames()
    package internal(set) var alone = Frames()
    /// Rows of the pack indexes.
    package internal(set) var indexByteCount = 0
    /// Record and envelope with their frame, their row of the record index, and of the norms.
    package let recordByteCount: Int

    package var newFrameCount: Int { deltas.count + alone.count }
    package var storedByteCount: Int { deltas.storedByteCount + alone.storedByteCount }
    package var totalByteCount: Int { storedByteCount + indexByteCount + recordByteCount }
  }

  package private(set) var checkpoints: [Checkpoint] = []
  /// By the codec of the frame's header; nil for one that this version does not know.
  package private(set) var codecs: [ChunkCodec?: Frames] = [:]
  /// Frames of the packs that no record needs.
  package private(set) var unnamed = Frames()
  private var seen = PlaceSet()

  private static let indexRowByteCount = 36
  private static let recordIndexRowByteCount = 52
  private static let normsRowByteCount = 40
  /// Headers asked for in one round trip.
  private static let headerWindow = 512

  /// - Parameter progress: Called with 0 to 1.
  /// - Complexity: reads every record, the pack indexes, and 16 bytes of each frame.
  package init(
    _ reader: ArchiveReader, progress: (Double) -> Void = { _ in }
  ) throws(ArchiveError) {
    let rows = reader.index.rows
    if let partial = reader.partial { throw partial.refusal }
    var isWhole = true
    for number in rows.indices.dropFirst() {
      // A grant may open some of them; what the others name is not known then.
      guard try reader.holds(record: number) else {
        isWhole = false
        continue
      }
      try reader.prefetch(number...number)
      try add(reader.checkpoint(number), reader.envelope(number), rows[number], reader)
      progress(Double(number) / Double(rows.count))
    }
    if isWhole { try countUnnamed(reader) }
  }

  private mutating func add(
    _ record: CheckpointRecord, _ envelope: Envelope, _ row: RecordIndex.Row,
    _ reader: ArchiveReader
  ) throws(ArchiveError) {
    var checkpoint = Checkpoint(
      record: Int(record.sequence), step: record.step, rawByteCount: record.stateByteCount,
      chunkCount: record.chunks.count,
      recordByteCount: row.frameByteCount + ArchiveCosts.recordIndexRowByteCount
        + (record.sequence > 1 ? ArchiveCosts.normsRowByteCount : 0))
    var places: [Envelope.Place] = []
    let newRows = envelope.rows.filter { row in
      guard seen.insert(row.place) else { return false }
      places.append(row.place)
      return true
    }
    checkpoint.knownChunkCount = record.chunks.count - newRows.count
    for row in envelope.ancestors where seen.insert(row.place) { places.append(row.place) }
    var start = 0
    while start < places.count {
      let end = min(places.count, start + ArchiveCosts.headerWindow)
      for (count, heading) in try reader.loader.headings(of: Array(places[start..<end])) {
        let codec = ChunkCodec(rawValue: heading.codec)
        codecs[codec, default: Frames()].add(count, heading.rawByteCount)
        if heading.codec >= ChunkCodec.deltaPlanes.rawValue, heading.codec < 32 {
          checkpoint.deltas.add(count, heading.rawByteCount)
        } else {
          checkpoint.alone.add(count, heading.rawByteCount)
        }
      }
      start = end
    }
    checkpoint.indexByteCount = places.count * ArchiveCosts.indexRowByteCount
    checkpoints.append(checkpoint)
  }

  private mutating func countUnnamed(_ reader: ArchiveReader) throws(ArchiveError) {
    var number: UInt32 = 0
    while try storing({ () throws(StorageError) in
      try reader.source.byteCount(of: ArchiveFiles.pack(number))
    }) != nil {
      for (frame, count) in try reader.loader.frameByteCounts(ofPack: number).enumerated()
      where !seen.contains(Envelope.Place(pack: number, frame: UInt32(frame))) {
        unnamed.add(count, 0)
      }
      number += 1
    }
  }
}

extension ArchiveCosts.Frames {
  fileprivate mutating func add(_ stored: Int, _ raw: Int) {
    count += 1
    storedByteCount += stored
    rawByteCount += raw
  }
}

extension ChunkLoader {
  /// Length of each frame and what its header says, without the payload.
  func headings(
    of places: [Envelope.Place]
  ) throws(ArchiveError) -> [(byteCount: Int, heading: ChunkFrame.Heading)] {
    try catalog.load(Set(places.map(\.pack)))
    var rows: [PackIndex.Row] = []
    for place in places { rows.append(try catalog.row(place, for: "a chunk")) }
    let headers = try source.allBytes(
      of: zip(places, rows).map { place, row in
        (
          ArchiveFiles.pack(place.pack),
          row.offset..<row.offset + ChunkFrame.headerByteCount
        )
      })
    var found: [(byteCount: Int, heading: ChunkFrame.Heading)] = []
    for ((place, row), bytes) in zip(zip(places, rows), headers) {
      let heading = try storing { () throws(StorageError) in
        try ChunkFrame.Heading(bytes, at: ArchiveFiles.pack(place.pack))
      }
      found.append((row.byteCount, heading))
    }
    return found
  }

  func frameByteCounts(ofPack number: UInt32) throws(ArchiveError) -> [Int] {
    try catalog.load([number])
    return catalog.frameByteCounts(ofPack: number)
  }
}
