internal import ChunkStorage
internal import ProofPrimitives

/// What a writer keeps of the checkpoints before: where their chunks stand, the raw bytes of the last
/// weights (for the norms of the next update) and of the key frames (for deltas against them).
///
/// The raw bytes lie in a scratch file, so memory is about 200 bytes a chunk whatever the state's size.
final class CheckpointMemory: ChunkMemory {
  private struct Chunk {
    var digest = Digest.zero
    var stored: StoredChunk?
    var key: Envelope.Frame?
    var keyByteCount = 0
  }

  private let chunkByteCount: Int
  private let usesDeltas: Bool
  private let scratch: ScratchFile
  private var chunks: [Chunk] = []
  private var groups = ChunkGroups()
  private var known: KnownChunks

  // Collected while threads read what stands above; taken over at the barrier.
  private var changed: [(chunk: Int, value: Chunk, isNew: Bool)] = []
  private var storedByteCounts: [Int] = []
  private var trials: [[ChunkGroup.Trial]] = []

  init(
    chunkByteCount: Int, folder: String, usesDeltas: Bool, knownLimit: Int
  ) throws(StorageError) {
    known = KnownChunks(limit: knownLimit)
    self.chunkByteCount = chunkByteCount
    self.usesDeltas = usesDeltas
    scratch = try ScratchFile(in: folder)
  }

  // MARK: Asked by the pipeline

  func group(of chunk: Int) -> ChunkGroup { groups.group(of: chunk) }

  func stored(_ digest: Digest, at chunk: Int) -> StoredChunk? {
    if chunks[chunk].digest == digest, let stored = chunks[chunk].stored { return stored }
    return known[digest]
  }

  func keyByteCount(of chunk: Int) -> Int? {
    chunks[chunk].key == nil ? nil : chunks[chunk].keyByteCount
  }

  func readKey(of chunk: Int, into out: UnsafeMutableRawBufferPointer) throws(ArchiveError) {
    let offset = offset(of: chunk, isKey: true)
    try storing { () throws(StorageError) in try scratch.read(into: out, at: offset) }
  }

  // MARK: One checkpoint

  /// Prepares for a checkpoint with this layout; groups that stay keep what was learned of them.
  func begin(_ layout: ChunkLayout) {
    if let origins = groups.take(layout) {
      let before = chunks
      chunks = origins.map { $0.map { before[$0] } ?? Chunk() }
    }
    storedByteCounts = Array(repeating: 0, count: groups.all.count)
    trials = Array(repeating: [], count: groups.all.count)
    changed = []
  }

  /// Takes note of a chunk that now stands in a pack.
  ///
  /// - Parameter frameByteCount: 0 when its content was stored before.
  func note(
    _ made: EncodedChunk, _ place: StoredChunk, frameByteCount: Int, raw: UnsafeRawBufferPointer
  ) throws(ArchiveError) {
    var value = chunks[made.chunk]
    value.digest = made.digest
    value.stored = place
    let number = groups.number(of: made.chunk)
    // A chunk that is itself a delta cannot be gone against: its old key frame stays.
    if usesDeltas, groups.all[number].plan == .key, place.ancestors.isEmpty {
      value.key = place.frame
      if frameByteCount > 0 { value.keyByteCount = frameByteCount }
      let offset = offset(of: made.chunk, isKey: true)
      try storing { () throws(StorageError) in try scratch.write(raw, at: offset) }
    }
    storedByteCounts[number] += frameByteCount
    trials[number] += made.trials
    changed.append((made.chunk, value, frameByteCount > 0))
  }

  /// The key frame that a delta of this chunk is against.
  func key(of chunk: Int) -> Envelope.Frame? { chunks[chunk].key }

  /// Takes over what was noted; nothing else runs.
  func settle() {
    for item in changed {
      chunks[item.chunk] = item.value
      if item.isNew, let stored = item.value.stored { known.remember(item.value.digest, stored) }
    }
    changed = []
  }

  func finish() { groups.finish(stored: storedByteCounts, trials: trials) }

  /// After a checkpoint that failed, or on reopening: key frames are not at hand.
  func forgetKeys() {
    settle()
    for position in chunks.indices { chunks[position].key = nil }
    groups.forgetKeys()
  }

  func remember(_ chunks: [(digest: Digest, stored: StoredChunk)]) {
    for chunk in chunks { known.remember(chunk.digest, chunk.stored) }
  }

  /// Remembers where the chunks of a record stand that was written before.
  func remember(_ record: CheckpointRecord, _ envelope: Envelope) {
    begin(record.layout)
    var rows: [Digest: Int] = [:]
    for (chunk, digest) in record.chunks.enumerated() {
      let number = rows[digest] ?? rows.count
      rows[digest] = number
      let row = envelope.rows[number]
      let stored = StoredChunk(row.frame, ancestors: envelope.chain(of: row).reversed())
      chunks[chunk].digest = digest
      chunks[chunk].stored = stored
      known.remember(digest, stored)
    }
    forgetKeys()
  }

  // MARK: The last weights

  func readPrevious(
    of chunk: Int, into out: UnsafeMutableRawBufferPointer
  ) throws(ArchiveError) {
    let offset = offset(of: chunk, isKey: false)
    try storing { () throws(StorageError) in try scratch.read(into: out, at: offset) }
  }

  func writePrevious(of chunk: Int, _ raw: UnsafeRawBufferPointer) throws(ArchiveError) {
    let offset = offset(of: chunk, isKey: false)
    try storing { () throws(StorageError) in try scratch.write(raw, at: offset) }
  }

  /// Each chunk has two slots in the scratch file: its key frame, and its last content.
  private func offset(of chunk: Int, isKey: Bool) -> Int {
    (groups.slot(of: chunk) * 2 + (isKey ? 0 : 1)) * chunkByteCount
  }
}
