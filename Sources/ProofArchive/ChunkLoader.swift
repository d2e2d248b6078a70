internal import ChunkStorage
internal import Cryptography
internal import ProofPrimitives

/// Fetches chunks of a checkpoint and what they are deltas against, and gives each away only after its
/// digest was compared.
///
/// Not thread-safe: an archive is read by one owner at a time.
final class ChunkLoader {
  /// What is done with the chunks.
  enum Use {
    /// Each is given away, and none is kept.
    case streaming
    /// The whole state is put together.
    case assembling
  }

  /// What a window may hold of stored bytes. A window is one round trip; where that costs nothing, a
  /// window that stays in the processor's cache until it is decoded is best.
  private func windowByteCount(_ use: Use) -> Int {
    switch use {
    case .streaming: 8 << 20
    case .assembling: source.isNear ? 4 << 20 : 256 << 20
    }
  }

  let source: any ObjectSource
  private let rawLimit: Int
  private let header: RecordsHeader
  private let keys: ArchiveKeys?
  let catalog: PackCatalog
  private let decoder = ChunkDecoder()
  private let hashers = SHA256Pair()
  private var keyFrames = KeyFrameCache()
  /// Those that the window at hand was planned with.
  private var planned: [Envelope.Place: [UInt8]] = [:]
  /// Whether the reader keeps a state anyway.
  private var keepsKeyFrames = false
  /// Frames closer than this are fetched in one request.
  private static let gapLimit = 16_384
  /// 64 KiB and a fiftieth of what is wanted may be fetched in vain, to save requests.
  private static let spareByteCount = 65_536
  private static let spareDivisor = 50
  /// 8 MiB in one request.
  private static let runLimit = 8 << 20
  /// 16 MiB of chunks that stand in a checkpoint more than once.
  private static let repeatedLimit = 16 << 20
  /// 1 GiB: what is set aside for one tensor before its bytes are here.
  private static let reserveLimit = 1 << 30

  /// - Parameters:
  ///   - keys: Of an encrypted archive.
  ///   - open: Packs that have no index yet.
  init(
    source: any ObjectSource, opening: OpeningRecord, header: RecordsHeader, keys: ArchiveKeys?,
    open: [UInt32: OpenPack] = [:]
  ) {
    self.source = source
    self.header = header
    self.keys = keys
    rawLimit = opening.sizes.chunk
    catalog = PackCatalog(source, rawLimit: opening.sizes.chunk, open: open)
  }

  /// Gives the raw bytes of chunks of one record in ascending order of their numbers.
  ///
  /// - Parameters:
  ///   - wanted: Chunk numbers of the record's layout, ascending.
  func forEach(
    _ wanted: [Int], of record: CheckpointRecord, envelope: Envelope, _ use: Use,
    _ body: (Int, [UInt8]) throws(ArchiveError) -> Void
  ) throws(ArchiveError) {
    let rows = ChunkLoader.rowNumbers(record)
    keepsKeyFrames = use == .assembling
    var uses: [Digest: Int] = [:]
    for chunk in wanted { uses[record.chunks[chunk], default: 0] += 1 }
    var repeated: [Digest: [UInt8]] = [:]
    var repeatedByteCount = 0
    var start = 0
    while start < wanted.count {
      let plan = plan(
        wanted[start...], rows, record, envelope, use
      ) { repeated[$0] != nil }
      let end = plan.end
      planned = plan.known
      try catalog.load(plan.packs)
      let frames = try fetch(plan.places, of: record)
      var parents = ParentCache(
        envelope, uses: wanted[start..<end].compactMap { rows[record.chunks[$0]] })
      for pair in stride(from: start, to: end, by: 2) {
        var found: [Found] = []
        for chunk in wanted[pair..<min(pair + 2, end)] {
          let digest = record.chunks[chunk]
          if let known = repeated[digest] ?? found.first(where: { $0.digest == digest })?.raw {
            found.append(Found(chunk: chunk, digest: digest, raw: known, row: nil))
            continue
          }
          // The envelope was parsed against the record's chunks: it has a row for each.
          guard let number = rows[digest], number < envelope.rows.count else { continue }
          let row = envelope.rows[number]
          let raw = try decode(row, of: chunk, envelope, frames, &parents)
          found.append(Found(chunk: chunk, digest: digest, raw: raw, row: row))
        }
        try compare(found, envelope)
        for item in found {
          guard item.raw.count == record.layout.byteCount(ofChunk: item.chunk) else {
            throw ArchiveError(
              .malformed,
              at: "\(source.location)/\(ArchiveFiles.records), record \(record.sequence), "
                + "chunk \(item.chunk)",
              "the chunk is not as long as its tensors", isSigned: true)
          }
          if let count = uses[item.digest], count > 1, repeated[item.digest] == nil,
            repeatedByteCount + item.raw.count <= ChunkLoader.repeatedLimit
          {
            repeated[item.digest] = item.raw
            repeatedByteCount += item.raw.count
          }
          try body(item.chunk, item.raw)
        }
      }
      start = end
    }
  }

  /// The raw bytes of a wanted chunk.
  private struct Found {
    let chunk: Int
    let digest: Digest
    let raw: [UInt8]
    /// Where they come from; nil when they were compared with the digest before.
    let row: Envelope.Row?
  }

  /// Whether chunks that were just decoded, at most two, are what the record names.
  private func compare(_ found: [Found], _ envelope: Envelope) throws(ArchiveError) {
    let new = found.filter { $0.row != nil }
    let digests: [Digest]
    if new.count == 2 {
      new[0].raw.withUnsafeBytes { first in
        new[1].raw.withUnsafeBytes { hashers.update(first, $0) }
      }
      let pair = hashers.finish()
      digests = [pair.0, pair.1]
    } else {
      digests = new.map { SHA256.hash($0.raw) }
    }
    for (item, digest) in zip(new, digests) where item.digest != digest {
      guard let row = item.row else { continue }
      throw mismatch(row, envelope, item.digest)
    }
  }

  /// What one window of chunks is made of.
  private struct Plan {
    var places = Set<Envelope.Place>()
    /// Key frames that are here already.
    var known: [Envelope.Place: [UInt8]] = [:]
    var packs = Set<UInt32>()
    /// Position after the last chunk of the window.
    var end: Int
  }

  /// The next chunks of `wanted` that fit into a window. A frame is hardly ever longer than a chunk, so
  /// this needs no pack index.
  private func plan(
    _ wanted: ArraySlice<Int>, _ rows: [Digest: Int], _ record: CheckpointRecord,
    _ envelope: Envelope, _ use: Use, isKnown: (Digest) -> Bool = { _ in false }
  ) -> Plan {
    let window = windowByteCount(use)
    var plan = Plan(end: wanted.startIndex)
    var storedBound = 0
    while plan.end < wanted.endIndex, plan.end == wanted.startIndex || storedBound < window {
      let chunk = wanted[plan.end]
      plan.end += 1
      guard !isKnown(record.chunks[chunk]), let number = rows[record.chunks[chunk]],
        number < envelope.rows.count
      else { continue }
      let row = envelope.rows[number]
      for place in [row.place] + envelope.chain(of: row).map(\.place) {
        if let known = keyFrames.raw(of: place, chunk: chunk) {
          plan.known[place] = known
          continue
        }
        guard plan.places.insert(place).inserted else { continue }
        plan.packs.insert(place.pack)
        storedBound += record.layout.byteCount(ofChunk: chunk)
      }
    }
    return plan
  }

  /// What `state(of:envelope:roles:)` will ask for first, so that it can be fetched with other things.
  ///
  /// - Returns: The pack indexes; then, from what those say, the frames of the first window.
  func requests(
    for checkpoint: CheckpointRecord, envelope: Envelope, roles: Set<TensorRole>
  ) -> (indexes: [ObjectRequest], frames: () throws(ArchiveError) -> [ObjectRequest]) {
    let plan = plan(
      ChunkLoader.chunks(of: checkpoint, roles)[...], ChunkLoader.rowNumbers(checkpoint),
      checkpoint, envelope, .assembling)
    return (
      catalog.requests(plan.packs),
      { () throws(ArchiveError) in
        try self.catalog.load(plan.packs)
        return try self.runs(plan.places, of: checkpoint).map(\.request)
      }
    )
  }

  private static func chunks(of record: CheckpointRecord, _ roles: Set<TensorRole>) -> [Int] {
    record.layout.chunks.indices.filter { roles.contains(record.layout.role(ofChunk: $0)) }
  }

  /// The tensors of `roles` only; chunks of other roles are not fetched.
  func state(
    of checkpoint: CheckpointRecord, envelope: Envelope, roles: Set<TensorRole>
  ) throws(ArchiveError) -> TrainingState {
    let layout = checkpoint.layout
    let wanted = ChunkLoader.chunks(of: checkpoint, roles)
    // Filled as chunks arrive: what a record claims is not set aside before.
    var buffers = [[UInt8]](repeating: [], count: checkpoint.specs.count)
    try forEach(wanted, of: checkpoint, envelope: envelope, .assembling) {
      chunk, raw throws(ArchiveError) in
      var cursor = 0
      for piece in layout.chunks[chunk] {
        if piece.byteOffset == 0 {
          buffers[piece.tensor].reserveCapacity(
            min(checkpoint.specs[piece.tensor].byteCount, ChunkLoader.reserveLimit))
        }
        // Pieces of a tensor come in order.
        buffers[piece.tensor] += raw[cursor..<cursor + piece.byteCount]
        cursor += piece.byteCount
      }
    }
    let tensors = zip(checkpoint.specs, buffers).compactMap { spec, bytes in
      roles.contains(spec.role) ? Tensor(spec, bytes: bytes) : nil
    }
    guard let state = TrainingState(tensors) else {
      throw ArchiveError(
        .malformed, at: "\(ArchiveFiles.records), record \(checkpoint.sequence)",
        "two tensors share a name", isSigned: true)
    }
    return state
  }

  /// Whether every chunk of a checkpoint is there and as long as its tensors want it. The state is
  /// not put together: a record may claim far more than the archive stores.
  func check(_ checkpoint: CheckpointRecord, envelope: Envelope) throws(ArchiveError) {
    try forEach(
      Array(checkpoint.chunks.indices), of: checkpoint, envelope: envelope, .streaming
    ) { _, _ throws(ArchiveError) in }
  }

  /// The same in groups of 8 MiB; `checked` gets their bytes when all that was read up to there is right.
  func checkGroups(
    of checkpoint: CheckpointRecord, envelope: Envelope,
    _ checked: (Int) throws(ArchiveError) -> Void
  ) throws(ArchiveError) {
    var group: [Int] = []
    var byteCount = 0
    for chunk in checkpoint.chunks.indices {
      group.append(chunk)
      byteCount += checkpoint.layout.byteCount(ofChunk: chunk)
      guard byteCount >= windowByteCount(.streaming) || chunk == checkpoint.chunks.count - 1 else {
        continue
      }
      try forEach(group, of: checkpoint, envelope: envelope, .streaming) {
        _, _ throws(ArchiveError) in
      }
      try checked(byteCount)
      group = []
      byteCount = 0
    }
  }

  /// Whether the pack indexes give each chunk of the record the stored id that it has.
  func checkStoredIDs(
    _ record: CheckpointRecord, envelope: Envelope, in archiveID: Digest
  ) throws(ArchiveError) {
    // The ids of encrypted chunks are part of what opens them.
    guard header.suite == 0 else { return }
    for (digest, number) in ChunkLoader.rowNumbers(record) where number < envelope.rows.count {
      let place = envelope.rows[number].place
      let row = try catalog.row(place, for: "a chunk of record \(record.sequence)")
      guard row.storedID == PackWriter.storedID(of: digest, in: archiveID) else {
        throw ArchiveError(
          .malformed, at: ArchiveFiles.packIndex(place.pack),
          "frame \(place.frame) has another stored id than its chunk")
      }
    }
  }

  /// For each distinct chunk digest of a record, the number of its row in the envelope.
  private static func rowNumbers(_ record: CheckpointRecord) -> [Digest: Int] {
    var rows: [Digest: Int] = [:]
    rows.reserveCapacity(record.chunks.count)
    for digest in record.chunks where rows[digest] == nil { rows[digest] = rows.count }
    return rows
  }
}

// MARK: - Fetching

extension ChunkLoader {
  private struct Item {
    let place: Envelope.Place
    let row: PackIndex.Row
  }

  /// Frames that are asked for as one range.
  private struct Run {
    let pack: UInt32
    let range: Range<Int>
    let items: ArraySlice<Item>
    var request: ObjectRequest { ObjectRequest(ArchiveFiles.pack(pack), .range(range)) }
  }

  /// The frames in as few ranges as their places allow.
  private func runs(
    _ places: Set<Envelope.Place>, of record: CheckpointRecord
  ) throws(ArchiveError) -> [Run] {
    var items: [Item] = []
    items.reserveCapacity(places.count)
    for place in places {
      items.append(
        Item(
          place: place,
          row: try catalog.row(place, for: "a chunk of record \(record.sequence)")))
    }
    items.sort { ($0.place.pack, $0.row.offset) < ($1.place.pack, $1.row.offset) }
    let wanted = items.reduce(0) { $0 + $1.row.byteCount }
    let joined = RangeRuns.join(
      items.map { ($0.place.pack, $0.row.range) },
      gap: source.joinsRanges ? ChunkLoader.gapLimit : 0, longest: ChunkLoader.runLimit,
      spare: ChunkLoader.spareByteCount + wanted / ChunkLoader.spareDivisor)
    return joined.map { positions in
      let items = items[positions]
      let first = items[positions.lowerBound]
      let end = items[positions.upperBound - 1].row.range.upperBound
      return Run(pack: first.place.pack, range: first.row.offset..<end, items: items)
    }
  }

  /// The bytes of each frame, asked for all at once.
  private func fetch(
    _ places: Set<Envelope.Place>, of record: CheckpointRecord
  ) throws(ArchiveError) -> [Envelope.Place: ArraySlice<UInt8>] {
    let runs = try runs(places, of: record)
    let answers = try source.allBytes(of: runs.map { (ArchiveFiles.pack($0.pack), $0.range) })
    var frames: [Envelope.Place: ArraySlice<UInt8>] = [:]
    frames.reserveCapacity(places.count)
    for (run, bytes) in zip(runs, answers) {
      for item in run.items {
        let from = item.row.offset - run.range.lowerBound
        frames[item.place] = bytes[from..<from + item.row.byteCount]
      }
    }
    return frames
  }
}

// MARK: - Decoding

extension ChunkLoader {
  /// Raw bytes of ancestors for as long as a child in the window still wants them.
  private struct ParentCache {
    private var waiting: [Int: Int] = [:]
    private var raw: [Int: [UInt8]] = [:]

    /// - Parameter uses: Row numbers that will be decoded, with repetitions.
    init(_ envelope: Envelope, uses: [Int]) {
      for row in Set(uses) where row < envelope.rows.count {
        if let parent = envelope.rows[row].parent { waiting[parent, default: 0] += 1 }
      }
    }

    subscript(ancestor: Int) -> [UInt8]? { raw[ancestor] }

    /// Keeps the bytes if another child comes.
    mutating func used(_ ancestor: Int, _ bytes: [UInt8]) {
      let left = (waiting[ancestor] ?? 1) - 1
      waiting[ancestor] = left
      raw[ancestor] = left > 0 ? bytes : nil
    }
  }

  private func decode(
    _ row: Envelope.Row, of chunk: Int, _ envelope: Envelope,
    _ frames: [Envelope.Place: ArraySlice<UInt8>],
    _ parents: inout ParentCache
  ) throws(ArchiveError) -> [UInt8] {
    guard let parent = row.parent else {
      if let known = planned[row.place] { return known }
      let raw = try decode(row.frame, parent: nil, frames)
      if keepsKeyFrames { keyFrames.keep(raw, of: row.place, chunk: chunk) }
      return raw
    }
    let raw: [UInt8]
    if let known = parents[parent] {
      raw = known
    } else {
      var made: [UInt8]?
      for (position, frame) in envelope.chain(of: row).enumerated() {
        if let known = planned[frame.place] {
          made = known
          continue
        }
        let decoded = try decode(frame, parent: made, frames)
        if position == 0, keepsKeyFrames {
          keyFrames.keep(decoded, of: frame.place, chunk: chunk)
        }
        made = decoded
      }
      raw = made ?? []
    }
    parents.used(parent, raw)
    return try decode(row.frame, parent: raw, frames)
  }

  private func decode(
    _ frame: Envelope.Frame, parent: [UInt8]?, _ frames: [Envelope.Place: ArraySlice<UInt8>]
  ) throws(ArchiveError) -> [UInt8] {
    let place = frame.place
    guard let bytes = frames[place] else {
      throw ArchiveError(
        .missing, at: ArchiveFiles.pack(place.pack), "frame \(place.frame) was not fetched")
    }
    let name = placeName(place)
    let content = try storing { () throws(StorageError) in
      try ChunkFrame.parse(
        bytes, rawLimit: rawLimit, tagByteCount: header.tagByteCount, at: name)
    }
    var payload = content.storedPayload
    if let keys, let key = frame.key {
      let shape = ObjectShape.chunk(
        codec: content.codec.rawValue, parameter: content.parameter,
        rawByteCount: UInt32(content.rawByteCount))
      let id = try catalog.row(place, for: "a chunk").storedID
      payload = try keys.openChunk(payload, id: id, shape, key: key, pack: place.pack, at: name)[
        ...]
    }
    return try storing { () throws(StorageError) in
      try decoder.decode(
        codec: content.codec, parameter: content.parameter, payload: payload,
        rawByteCount: content.rawByteCount, parent: parent, rawLimit: rawLimit, at: name)
    }
  }

  /// For messages: file and byte.
  private func placeName(_ place: Envelope.Place) -> String {
    let offset = (try? catalog.row(place, for: "a chunk"))?.offset
    return "\(source.location)/\(ArchiveFiles.pack(place.pack)), "
      + (offset.map { "byte \($0)" } ?? "frame \(place.frame)")
  }

  /// A chunk that is not what the record names. Of a delta either frame may be the wrong one.
  private func mismatch(
    _ row: Envelope.Row, _ envelope: Envelope, _ digest: Digest
  ) -> ArchiveError {
    let chain = envelope.chain(of: row).map { placeName($0.place) }
    let against = chain.isEmpty ? "" : "; it is a delta against \(chain.joined(separator: " and "))"
    return ArchiveError(
      .damaged, at: placeName(row.place), "the chunk is not \(digest.short)…\(against)")
  }
}
