internal import ChunkStorage
internal import ProofPrimitives

/// A checkpoint on its way into the packs: the digests of its chunks, and where each of them stands.
final class CheckpointAssembly {
  private let packs: PackWriter
  private let memory: CheckpointMemory
  /// Of the chunks so far, in their order.
  private(set) var digests: [Digest] = []
  private var envelope = EnvelopeBuilder()
  private var places: [Digest: StoredChunk] = [:]

  init(_ packs: PackWriter, _ memory: CheckpointMemory, chunkCount: Int) {
    self.packs = packs
    self.memory = memory
    digests.reserveCapacity(chunkCount)
  }

  func envelope(suite: UInt16) -> Envelope { envelope.envelope(suite: suite) }

  /// Stores what is new of the next chunks, in one call for each pack, and only then takes note of any:
  /// when it fails, nothing refers to what may not have been written.
  func add(_ window: [ChunkPipeline.Chunk]) throws(ArchiveError) {
    let new = new(in: window)
    let found = try storing { () throws(StorageError) in
      try packs.append(new.map { ($0.frame, $0.made.storedID) })
    }
    var added: [Int: StoredChunk] = [:]
    for (chunk, place) in zip(new, found) {
      let key = chunk.made.isDelta ? memory.key(of: chunk.made.chunk) : nil
      added[chunk.made.chunk] = StoredChunk(
        Envelope.Frame(place, key: chunk.made.key), ancestors: key.map { [$0] } ?? [])
    }
    for chunk in window {
      let made = chunk.made
      digests.append(made.digest)
      let own = added[made.chunk]
      guard let stored = places[made.digest] ?? made.known ?? own else { continue }
      if places.updateValue(stored, forKey: made.digest) == nil { envelope.add(stored) }
      try memory.note(
        made, stored, frameByteCount: own == nil ? 0 : chunk.frame.count, raw: chunk.raw)
    }
  }

  /// Those whose content stands nowhere yet; of equal ones the first.
  private func new(in window: [ChunkPipeline.Chunk]) -> [ChunkPipeline.Chunk] {
    var seen: Set<Digest> = []
    return window.filter { chunk in
      let isFirst = places[chunk.made.digest] == nil && seen.insert(chunk.made.digest).inserted
      return isFirst && chunk.made.known == nil
    }
  }
}
