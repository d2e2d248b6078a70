internal import ChunkStorage
internal import Cryptography
internal import ProofPrimitives

/// What became of one chunk before it is stored.
struct EncodedChunk: Sendable {
  let chunk: Int
  let digest: Digest
  /// What names the frame in its pack.
  let storedID: Digest
  /// What opens the frame; nil in an archive that is not encrypted.
  let key: ObjectKey?
  /// Where the same content stands already; nil when `frame` has to be stored.
  let known: StoredChunk?
  /// The whole frame with its header; empty when the content is known.
  let frame: [UInt8]
  /// Whether the frame is a delta against the chunk's key frame.
  let isDelta: Bool
  let trials: [ChunkGroup.Trial]
}

/// What the pipeline asks its owner for while it encodes, from several threads at once. Nothing of it
/// changes while a window is being encoded.
protocol ChunkMemory: AnyObject {
  func group(of chunk: Int) -> ChunkGroup
  /// Where a chunk with this content stands, if it was stored before.
  func stored(_ digest: Digest, at chunk: Int) -> StoredChunk?
  /// Stored bytes of the chunk's key frame; nil when there is none to go against.
  func keyByteCount(of chunk: Int) -> Int?
  /// Fills `out` with the raw bytes of the chunk's key frame.
  func readKey(of chunk: Int, into out: UnsafeMutableRawBufferPointer) throws(ArchiveError)
}

/// Reads, hashes, filters and compresses the chunks of a checkpoint on several threads, and hands them
/// over one after the other in their order.
///
/// Windows of chunks overlap: while one is encoded, the one before is handed over. What is stored
/// depends on the windows and not on the number of threads. Memory: two windows of 4 MiB raw, their
/// frames, and a little for each thread.
///
/// `@unchecked Sendable`: between barriers each slot belongs to the one item that fills or drains it,
/// and each encoder to one thread.
final class ChunkPipeline: @unchecked Sendable {
  private static let windowByteCount = 4 << 20

  private final class Slot {
    let raw: UnsafeMutableRawBufferPointer
    var count = 0
    var result: Result<EncodedChunk, ArchiveError>?

    init(_ byteCount: Int) { raw = .allocate(byteCount: byteCount, alignment: 64) }
    deinit { raw.deallocate() }
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: raw[..<count]) }
  }

  private final class Worker {
    let encoder = ChunkEncoder()
    let sealer: ArchiveSealer?
    let parent: UnsafeMutableRawBufferPointer

    init(_ byteCount: Int, _ key: ContentKey?) {
      parent = .allocate(byteCount: byteCount, alignment: 64)
      sealer = key.map { ArchiveSealer($0) }
    }
    deinit { parent.deallocate() }
  }

  private let workers: [Worker]
  private let windows: [[Slot]]

  private let archiveID: Digest

  /// - Parameter contentKey: Of an encrypted archive.
  init(chunkByteCount: Int, workers count: Int, archiveID: Digest, contentKey: ContentKey?) {
    self.archiveID = archiveID
    workers = (0..<max(1, count)).map { _ in Worker(chunkByteCount, contentKey) }
    let width = max(2, ChunkPipeline.windowByteCount / chunkByteCount)
    windows = (0..<2).map { _ in (0..<width).map { _ in Slot(chunkByteCount) } }
  }

  /// Runs all chunks of `layout` through. `store` gets each with its raw bytes, in order, from one thread
  /// at a time; `barrier` is called when no other thread runs.
  func run(
    _ layout: ChunkLayout, _ source: any StateSource, _ memory: any ChunkMemory,
    store: (EncodedChunk, UnsafeRawBufferPointer) throws(ArchiveError) -> Void,
    barrier: () -> Void
  ) throws(ArchiveError) {
    let width = windows[0].count
    var start = 0
    var parity = 0
    var waiting: ArraySlice<Slot> = []
    while start < layout.chunks.count || !waiting.isEmpty {
      let window = windows[parity][..<min(width, layout.chunks.count - start)]
      var failure: ArchiveError?
      let draining = waiting
      // Item 0 hands the window before over; the others encode one chunk each.
      performTogether(1 + window.count, workers: workers.count) { item, worker in
        if item == 0 {
          do throws(ArchiveError) {
            for slot in draining {
              guard let result = slot.result else { continue }
              try store(try result.get(), slot.bytes)
            }
          } catch {
            failure = error
          }
          return
        }
        self.encode(
          start + item - 1, window[item - 1], layout, source, memory, self.workers[worker])
      }
      barrier()
      if let failure { throw failure }
      waiting = window
      start += window.count
      parity = 1 - parity
    }
  }

  private func encode(
    _ chunk: Int, _ slot: Slot, _ layout: ChunkLayout, _ source: any StateSource,
    _ memory: any ChunkMemory, _ worker: Worker
  ) {
    do throws(ArchiveError) {
      var cursor = 0
      for piece in layout.chunks[chunk] {
        try source.read(
          tensor: piece.tensor, at: piece.byteOffset,
          into: UnsafeMutableRawBufferPointer(
            rebasing: slot.raw[cursor..<cursor + piece.byteCount]))
        cursor += piece.byteCount
      }
      slot.count = cursor
      slot.result = .success(try encoded(chunk, slot.bytes, memory, worker))
    } catch {
      slot.result = .failure(error)
    }
  }

  private func encoded(
    _ chunk: Int, _ raw: UnsafeRawBufferPointer, _ memory: any ChunkMemory, _ worker: Worker
  ) throws(ArchiveError) -> EncodedChunk {
    let digest = SHA256.hash(raw)
    if let known = memory.stored(digest, at: chunk) {
      return EncodedChunk(
        chunk: chunk, digest: digest, storedID: .zero, key: nil, known: known, frame: [],
        isDelta: false, trials: [])
    }
    let group = memory.group(of: chunk)
    var parent: UnsafeRawBufferPointer?
    let keyByteCount = group.plan == .delta ? memory.keyByteCount(of: chunk) : nil
    if keyByteCount != nil {
      let space = UnsafeMutableRawBufferPointer(rebasing: worker.parent[..<raw.count])
      try memory.readKey(of: chunk, into: space)
      parent = UnsafeRawBufferPointer(space)
    }
    var trials: [ChunkGroup.Trial] = []
    var best: ChunkEncoding?
    func attempt(_ codec: ChunkCodec) -> Int {
      let made = worker.encoder.encode(raw, as: group.element, codec: codec, parent: parent)
      if made.payload.count < best?.payload.count ?? .max { best = made }
      return made.payload.count
    }
    if group.isSampled(chunk), group.plan != .delta || parent != nil {
      for codec in group.candidates {
        trials.append(ChunkGroup.Trial(codec: codec, byteCount: attempt(codec)))
      }
    } else {
      _ = attempt(parent == nil ? group.intra : group.delta)
    }
    if let keyByteCount, let made = best,
      Double(made.payload.count) >= ChunkGroup.leastGain * Double(keyByteCount)
    {
      _ = attempt(group.intra)
    }
    guard let best else {
      throw ArchiveError(.malformed, at: "chunk \(chunk)", "there is nothing to store")
    }
    let framed = ChunkFramer(archiveID: archiveID, sealer: worker.sealer).frame(best, digest)
    return EncodedChunk(
      chunk: chunk, digest: digest, storedID: framed.storedID, key: framed.key, known: nil,
      frame: framed.bytes, isDelta: framed.isDelta, trials: trials)
  }
}
