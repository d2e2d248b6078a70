internal import ChunkStorage
internal import ProofPrimitives

/// What a repack keeps of the checkpoints before: where their chunks stand now, and the raw bytes of those
/// that later ones may be deltas against, in a scratch file.
///
/// Memory: below 1 KiB a chunk of the state. Scratch file: three times the state.
final class RepackMemory {
  /// A chunk whose raw bytes are in the scratch file.
  struct Kept {
    /// Of its position; one for each level.
    let level: Int
    let digest: Digest
    let stored: StoredChunk
    /// Which of the chunk's places in the scratch file; two levels of one content share one.
    let place: Int
  }

  private struct Chunk {
    var last: (digest: Digest, stored: StoredChunk)?
    var kept: [Kept] = []
  }

  /// What has to be done with a chunk of the record at hand.
  struct Need {
    /// It is not stored yet, and no chunk before it in the record has its content.
    var isNew = false
    /// Its bytes are to be kept for deltas against them.
    var isKept = false
  }

  private let pattern: DeltaPattern
  private let chunkByteCount: Int
  private let scratch: ScratchFile
  private var groups = ChunkGroups()
  private var chunks: [Chunk] = []
  private var known = KnownChunks()
  private var storedByteCounts: [Int] = []
  private var sequence = 0
  private(set) var needs: [Need] = []
  /// The chunks of the record at hand that are stored, by content.
  private(set) var stored: [Digest: StoredChunk] = [:]

  init(_ pattern: DeltaPattern, chunkByteCount: Int, folder: String) throws(StorageError) {
    self.pattern = pattern
    self.chunkByteCount = chunkByteCount
    scratch = try ScratchFile(in: folder)
  }

  func element(of chunk: Int) -> ChunkElement { groups.group(of: chunk).element }

  /// Finds out what a record needs.
  func begin(_ record: CheckpointRecord) {
    if let origins = groups.take(record.layout) {
      let before = chunks
      chunks = origins.map { $0.map { before[$0] } ?? Chunk() }
    }
    sequence = Int(record.sequence)
    storedByteCounts = Array(repeating: 0, count: groups.all.count)
    stored = [:]
    needs = Array(repeating: Need(), count: record.chunks.count)
    var new = Set<Digest>()
    for (chunk, digest) in record.chunks.enumerated() {
      if stored[digest] == nil {
        let last = chunks[chunk].last
        if let found = last?.digest == digest ? last?.stored : known[digest] {
          stored[digest] = found
        } else if new.insert(digest).inserted {
          needs[chunk].isNew = true
        }
      }
      if let position = position(of: chunk), position.isParent {
        needs[chunk].isKept = !chunks[chunk].kept.contains { $0.digest == digest }
      }
    }
  }

  private func position(of chunk: Int) -> DeltaPosition? {
    switch pattern {
    case .intra: nil
    case .tree: DeltaPosition(number: (sequence - 1) % DeltaPattern.period)
    case .star:
      switch groups.group(of: chunk).plan {
      case .key: DeltaPosition(number: 0)
      case .delta: DeltaPosition(number: 1)
      case .alone: nil
      }
    }
  }

  /// What a delta of this chunk goes against: the nearest ancestor whose own chain leaves room.
  func parent(of chunk: Int) -> Kept? {
    guard let position = position(of: chunk) else { return nil }
    return chunks[chunk].kept.last {
      $0.level < position.level && $0.stored.ancestors.count < pattern.depth
    }
  }

  func read(
    _ kept: Kept, of chunk: Int, into out: UnsafeMutableRawBufferPointer
  ) throws(ArchiveError) {
    try storing { () throws(StorageError) in
      try scratch.read(into: out, at: offset(of: chunk, kept.place))
    }
  }

  /// Takes note of a chunk that was written.
  func remember(_ digest: Digest, _ chunk: StoredChunk, at number: Int, frameByteCount: Int) {
    stored[digest] = chunk
    known.remember(digest, chunk)
    storedByteCounts[groups.number(of: number)] += frameByteCount
  }

  /// Takes note of a chunk whose content is stored, and keeps its bytes if they are needed.
  ///
  /// - Parameter raw: Given unless the chunk needs nothing.
  func note(_ chunk: Int, _ digest: Digest, raw: [UInt8]?) throws(ArchiveError) {
    guard let found = stored[digest] else { return }
    chunks[chunk].last = (digest, found)
    guard let position = position(of: chunk), position.isParent else { return }
    let same = chunks[chunk].kept.first { $0.digest == digest }
    // What stood at this level or above is of checkpoints that nothing goes against any more.
    chunks[chunk].kept.removeAll { $0.level >= position.level }
    let taken = Set(chunks[chunk].kept.map(\.place))
    guard
      let place = same?.place ?? (0..<DeltaPattern.levelCount).first(where: { !taken.contains($0) })
    else { return }
    if same == nil {
      guard let raw else { return }
      let offset = offset(of: chunk, place)
      var failure: StorageError?
      raw.withUnsafeBytes { bytes in
        do throws(StorageError) { try scratch.write(bytes, at: offset) } catch { failure = error }
      }
      if let failure { throw ArchiveError(failure) }
    }
    chunks[chunk].kept.append(
      Kept(level: position.level, digest: digest, stored: found, place: place))
  }

  /// The record is complete.
  func finish() {
    groups.finish(
      stored: storedByteCounts, trials: Array(repeating: [], count: storedByteCounts.count))
  }

  private func offset(of chunk: Int, _ place: Int) -> Int {
    (groups.slot(of: chunk) * DeltaPattern.levelCount + place) * chunkByteCount
  }
}
