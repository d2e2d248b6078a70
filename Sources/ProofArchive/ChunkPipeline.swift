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
  /// Bytes of the whole frame with its header; 0 when the content is known.
  let frameByteCount: Int
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
    /// Room for a header, a payload and the tag of an encrypted one.
    var frame: UnsafeMutableRawBufferPointer
    var count = 0
    var result: Result<EncodedChunk, ArchiveError>?

    init(_ byteCount: Int) {
      raw = .allocate(byteCount: byteCount, alignment: 64)
      frame = ChunkPipeline.frameBuffer(byteCount)
    }

    deinit {
      raw.deallocate()
      frame.deallocate()
    }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: raw[..<count]) }
  }

  private static func frameBuffer(_ chunkByteCount: Int) -> UnsafeMutableRawBufferPointer {
    .allocate(
      byteCount: ChunkFrame.headerByteCount + chunkByteCount + ObjectCipher.tagByteCount,
      alignment: 64)
  }

  private final class Worker {
    let encoder = ChunkEncoder()
    let sealer: ArchiveSealer?
    let parent: UnsafeMutableRawBufferPointer
    /// For a second encoding, which may be the better one.
    var other: UnsafeMutableRawBufferPointer

    init(_ byteCount: Int, _ key: ContentKey?) {
      parent = .allocate(byteCount: byteCount, alignment: 64)
      other = ChunkPipeline.frameBuffer(byteCount)
      sealer = key.map { ArchiveSealer($0) }
    }

    deinit {
      parent.deallocate()
      other.deallocate()
    }
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
    store: (EncodedChunk, _ raw: UnsafeRawBufferPointer, _ frame: UnsafeRawBufferPointer)
      throws(ArchiveError) -> Void,
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
              let made = try result.get()
              let frame = UnsafeRawBufferPointer(
                rebasing: UnsafeRawBufferPointer(slot.frame)[..<made.frameByteCount])
              try store(made, slot.bytes, frame)
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
      slot.result = .success(try encoded(chunk, slot, memory, worker))
    } catch {
      slot.result = .failure(error)
    }
  }

  private func encoded(
    _ chunk: Int, _ slot: Slot, _ memory: any ChunkMemory, _ worker: Worker
  ) throws(ArchiveError) -> EncodedChunk {
    let raw = slot.bytes
    let digest = SHA256.hash(raw)
    if let known = memory.stored(digest, at: chunk) {
      return EncodedChunk(
        chunk: chunk, digest: digest, storedID: .zero, key: nil, known: known, frameByteCount: 0,
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
    var codec = parent == nil ? group.intra : group.delta
    var trials: [ChunkGroup.Trial] = []
    if group.isSampled(chunk), group.plan != .delta || parent != nil {
      trials = ChunkPipeline.trials(raw, parent, group, worker.encoder)
      codec = trials.min { $0.byteCount < $1.byteCount }?.codec ?? codec
    }
    var best = encode(codec, raw, parent, group.element, worker, into: slot.frame)
    if let keyByteCount, Double(best.byteCount) >= ChunkGroup.leastGain * Double(keyByteCount) {
      let alone = encode(group.intra, raw, nil, group.element, worker, into: worker.other)
      if alone.byteCount < best.byteCount {
        best = alone
        swap(&slot.frame, &worker.other)
      }
    }
    return finish(chunk, digest, best, trials, slot, group.element, worker.sealer)
  }

  /// Sizes of a part of the chunk under each codec that comes into question: half of the work of encoding it.
  private static func trials(
    _ raw: UnsafeRawBufferPointer, _ parent: UnsafeRawBufferPointer?, _ group: ChunkGroup,
    _ encoder: ChunkEncoder
  ) -> [ChunkGroup.Trial] {
    let part = ChunkEncoder.sample(ofByteCount: raw.count)
    let older = parent.map { UnsafeRawBufferPointer(rebasing: $0[part]) }
    return group.candidates.map { codec in
      ChunkGroup.Trial(
        codec: codec,
        byteCount: encoder.encodedByteCount(
          UnsafeRawBufferPointer(rebasing: raw[part]), as: group.element, codec: codec,
          parent: codec.isDelta ? older : nil))
    }
  }

  private func encode(
    _ codec: ChunkCodec, _ raw: UnsafeRawBufferPointer, _ parent: UnsafeRawBufferPointer?,
    _ element: ChunkElement, _ worker: Worker, into frame: UnsafeMutableRawBufferPointer
  ) -> (codec: ChunkCodec, byteCount: Int) {
    worker.encoder.encode(
      raw, as: element, codec: codec, parent: parent,
      into: UnsafeMutableRawBufferPointer(
        rebasing: frame[ChunkFrame.headerByteCount...].prefix(raw.count)))
  }

  /// Encrypts the payload where it stands, and puts the header before it.
  private func finish(
    _ chunk: Int, _ digest: Digest, _ made: (codec: ChunkCodec, byteCount: Int),
    _ trials: [ChunkGroup.Trial], _ slot: Slot, _ element: ChunkElement, _ sealer: ArchiveSealer?
  ) -> EncodedChunk {
    let parameter = made.codec.hasElement ? element.parameter : 0
    var byteCount = ChunkFrame.headerByteCount + made.byteCount
    var sealed: (id: Digest, key: ObjectKey)?
    if let sealer {
      byteCount += ObjectCipher.tagByteCount
      sealed = sealer.cipher.seal(
        inPlace: UnsafeMutableRawBufferPointer(
          rebasing: slot.frame[ChunkFrame.headerByteCount..<byteCount]),
        .chunk(
          codec: made.codec.rawValue, parameter: parameter, rawByteCount: UInt32(slot.count)),
        with: sealer.key)
    }
    ChunkFrame.writeHeader(
      UnsafeMutableRawBufferPointer(rebasing: slot.frame[..<byteCount]), codec: made.codec,
      parameter: parameter, rawByteCount: slot.count)
    return EncodedChunk(
      chunk: chunk, digest: digest,
      storedID: sealed?.id ?? PackWriter.storedID(of: digest, in: archiveID), key: sealed?.key,
      known: nil, frameByteCount: byteCount, isDelta: made.codec.isDelta, trials: trials)
  }
}
