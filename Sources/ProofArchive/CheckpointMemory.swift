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
  private var layout: ChunkLayout?
  private var chunks: [Chunk] = []
  private var groups: [ChunkGroup] = []
  private var groupNumbers: [UInt32] = []
  private var slotCount = 0
  private var known = KnownChunks()

  // Collected while threads read what stands above; taken over at the barrier.
  private var changed: [(chunk: Int, value: Chunk, isNew: Bool)] = []
  private var storedByteCounts: [Int] = []
  private var trials: [[ChunkGroup.Trial]] = []

  init(chunkByteCount: Int, folder: String, usesDeltas: Bool) throws(StorageError) {
    self.chunkByteCount = chunkByteCount
    self.usesDeltas = usesDeltas
    scratch = try ScratchFile(in: folder)
  }

  // MARK: Asked by the pipeline

  func group(of chunk: Int) -> ChunkGroup { groups[Int(groupNumbers[chunk])] }

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
    if self.layout?.specs != layout.specs { take(layout) }
    storedByteCounts = Array(repeating: 0, count: groups.count)
    trials = Array(repeating: [], count: groups.count)
    changed = []
  }

  private func take(_ layout: ChunkLayout) {
    var earlier: [GroupName: ChunkGroup] = [:]
    if let old = self.layout {
      for group in groups { earlier[GroupName(old, group.chunks)] = group }
    }
    let before = chunks
    chunks = Array(repeating: Chunk(), count: layout.chunks.count)
    groupNumbers = Array(repeating: 0, count: layout.chunks.count)
    groups = []
    for range in layout.groups {
      let element = layout.element(ofChunk: range.lowerBound)
      if let old = earlier[GroupName(layout, range)] {
        for (new, last) in zip(range, old.chunks) { chunks[new] = before[last] }
        groups.append(ChunkGroup(old, chunks: range))
      } else {
        groups.append(ChunkGroup(element: element, chunks: range, firstSlot: slotCount))
        slotCount += range.count
      }
      for chunk in range { groupNumbers[chunk] = UInt32(groups.count - 1) }
    }
    self.layout = layout
  }

  /// What the group holds: the same tensors of the same sizes, wherever they stand.
  private struct GroupName: Hashable {
    let specs: [TensorSpec]
    init(_ layout: ChunkLayout, _ range: Range<Int>) {
      var tensors = Set<Int>()
      for chunk in range { for piece in layout.chunks[chunk] { tensors.insert(piece.tensor) } }
      specs = tensors.sorted().map { layout.specs[$0] }
    }
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
    let number = Int(groupNumbers[made.chunk])
    // A chunk that is itself a delta cannot be gone against: its old key frame stays.
    if usesDeltas, groups[number].plan == .key, place.ancestors.isEmpty {
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

  func finish() {
    for number in groups.indices {
      groups[number].finish(stored: storedByteCounts[number], trials: trials[number])
    }
  }

  /// After a checkpoint that failed, or on reopening: key frames are not at hand.
  func forgetKeys() {
    settle()
    for position in chunks.indices { chunks[position].key = nil }
    for number in groups.indices { groups[number].forgetKey() }
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
    let group = groups[Int(groupNumbers[chunk])]
    let slot = group.firstSlot + chunk - group.chunks.lowerBound
    return (slot * 2 + (isKey ? 0 : 1)) * chunkByteCount
  }
}
