package import ChunkStorage
internal import ProofPrimitives

/// What each checkpoint of an archive costs, out of records, envelopes and pack indexes; in a folder also
/// out of the headers of frames. No payload is read.
///
/// A frame is counted with the first record that needs it. Its codec is what its header says, which nothing
/// here compares: it is bookkeeping and no evidence. A server is not asked for it: that would be a request
/// for each frame.
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
  /// By the codec of the frame's header, its key nil for one that this version does not know. Nil where
  /// headers were not read.
  package private(set) var codecs: [ChunkCodec?: Frames]?
  /// Frames of the packs that no record needs.
  package private(set) var unnamed = Frames()
  private var seen = PlaceSet()

  /// A frame that no record before needed.
  private struct Item {
    let place: Envelope.Place
    /// Of the chunk, and of all that it is a delta against (`spec/archive.md` §5.1).
    let rawByteCount: Int
    let isDelta: Bool
  }

  private static let indexRowByteCount = 36
  private static let recordIndexRowByteCount = 52
  private static let normsRowByteCount = 40
  /// Headers read at a time.
  private static let headerWindow = 512
  /// 8 MiB of records asked for at a time.
  private static let recordWindow = 8 << 20

  /// - Parameter progress: Called with 0 to 1.
  /// - Complexity: reads every record and the pack indexes; in a folder also 16 bytes of each frame.
  package init(
    _ reader: ArchiveReader, progress: (Double) -> Void = { _ in }
  ) throws(ArchiveError) {
    let rows = reader.index.rows
    if let partial = reader.partial { throw partial.refusal }
    codecs = reader.source.isNear ? [:] : nil
    var isWhole = true
    var end = 0
    for number in rows.indices.dropFirst() {
      if number >= end {
        end = ArchiveCosts.window(from: number, rows)
        try reader.prefetch(number...end - 1)
      }
      // A grant may open some of them; what the others name is not known then.
      guard try reader.holds(record: number) else {
        isWhole = false
        continue
      }
      try add(reader.checkpoint(number), reader.envelope(number), rows[number], reader)
      progress(Double(number) / Double(rows.count))
    }
    if isWhole { try countUnnamed(reader) }
  }

  /// After the last record that is asked for together with this one.
  private static func window(from number: Int, _ rows: [RecordIndex.Row]) -> Int {
    var end = number + 1
    var byteCount = rows[number].frameByteCount
    while end < rows.count, byteCount + rows[end].frameByteCount <= recordWindow {
      byteCount += rows[end].frameByteCount
      end += 1
    }
    return end
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
    let items = newItems(record, envelope, &checkpoint)
    let lengths = try reader.loader.frameByteCounts(of: items.map(\.place))
    for (item, byteCount) in zip(items, lengths) {
      if item.isDelta {
        checkpoint.deltas.add(byteCount, item.rawByteCount)
      } else {
        checkpoint.alone.add(byteCount, item.rawByteCount)
      }
    }
    if codecs != nil { try countCodecs(items, lengths, reader) }
    checkpoint.indexByteCount = items.count * ArchiveCosts.indexRowByteCount
    checkpoints.append(checkpoint)
  }

  /// The frames that come with a record.
  private mutating func newItems(
    _ record: CheckpointRecord, _ envelope: Envelope, _ checkpoint: inout Checkpoint
  ) -> [Item] {
    var items: [Item] = []
    // Chunks of one record that are equal have one row, in order of first appearance.
    var named = Set<Digest>()
    let lengths = record.chunks.enumerated().compactMap { chunk, digest in
      named.insert(digest).inserted ? record.layout.byteCount(ofChunk: chunk) : nil
    }
    var ancestorLengths = [Int](repeating: 0, count: envelope.ancestors.count)
    for (row, byteCount) in zip(envelope.rows, lengths) {
      var next = row.parent
      while let position = next {
        ancestorLengths[position] = byteCount
        next = envelope.ancestors[position].parent
      }
      guard seen.insert(row.place) else { continue }
      items.append(
        Item(place: row.place, rawByteCount: byteCount, isDelta: row.parent != nil))
    }
    checkpoint.knownChunkCount = record.chunks.count - items.count
    for (row, byteCount) in zip(envelope.ancestors, ancestorLengths)
    where seen.insert(row.place) {
      items.append(
        Item(place: row.place, rawByteCount: byteCount, isDelta: row.parent != nil))
    }
    return items
  }

  private mutating func countCodecs(
    _ items: [Item], _ lengths: [Int], _ reader: ArchiveReader
  ) throws(ArchiveError) {
    var start = 0
    while start < items.count {
      let end = min(items.count, start + ArchiveCosts.headerWindow)
      let headings = try reader.loader.headings(of: items[start..<end].map(\.place))
      for (byteCount, heading) in zip(lengths[start..<end], headings) {
        codecs?[ChunkCodec(rawValue: heading.codec), default: Frames()]
          .add(byteCount, heading.rawByteCount)
      }
      start = end
    }
  }

  private mutating func countUnnamed(_ reader: ArchiveReader) throws(ArchiveError) {
    for number in try packNumbers(reader) {
      for (frame, count) in try reader.loader.frameByteCounts(ofPack: number).enumerated()
      where !seen.contains(Envelope.Place(pack: number, frame: UInt32(frame))) {
        unnamed.add(count, 0)
      }
    }
  }

  /// Of a sealed archive by its table, which is one request.
  private func packNumbers(_ reader: ArchiveReader) throws(ArchiveError) -> [UInt32] {
    if reader.seal != nil {
      let count = try reader.objectTable().rows.count { $0.name.hasSuffix(".pack") }
      return Array(0..<UInt32(clamping: count))
    }
    var number: UInt32 = 0
    while try storing({ () throws(StorageError) in
      try reader.source.byteCount(of: ArchiveFiles.pack(number))
    }) != nil { number += 1 }
    return Array(0..<number)
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
  /// Length of each frame, out of the indexes of their packs.
  func frameByteCounts(of places: [Envelope.Place]) throws(ArchiveError) -> [Int] {
    try catalog.load(Set(places.map(\.pack)))
    var lengths: [Int] = []
    for place in places { lengths.append(try catalog.row(place, for: "a chunk").byteCount) }
    return lengths
  }

  /// What the header of each frame says, without the payload.
  func headings(of places: [Envelope.Place]) throws(ArchiveError) -> [ChunkFrame.Heading] {
    var ranges: [(name: String, range: Range<Int>)] = []
    for place in places {
      let offset = try catalog.row(place, for: "a chunk").offset
      ranges.append(
        (ArchiveFiles.pack(place.pack), offset..<offset + ChunkFrame.headerByteCount))
    }
    var headings: [ChunkFrame.Heading] = []
    for (place, bytes) in zip(places, try source.allBytes(of: ranges)) {
      headings.append(
        try storing { () throws(StorageError) in
          try ChunkFrame.Heading(bytes, at: ArchiveFiles.pack(place.pack))
        })
    }
    return headings
  }

  func frameByteCounts(ofPack number: UInt32) throws(ArchiveError) -> [Int] {
    try catalog.load([number])
    return catalog.frameByteCounts(ofPack: number)
  }
}
