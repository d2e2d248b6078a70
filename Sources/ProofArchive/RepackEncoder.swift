internal import ChunkStorage
internal import ProofPrimitives

/// Encodes chunks that are written again, several at a time, each in the smallest way.
///
/// All encodings are tried: a repack is done once and read often. `@unchecked Sendable`: each result slot
/// belongs to one item and each worker to one thread.
final class RepackEncoder: @unchecked Sendable {
  struct Item {
    let chunk: Int
    let digest: Digest
    let raw: [UInt8]
  }

  struct Made {
    let frame: ChunkFramer.Frame
    /// What the frame is a delta against; nil when it stands alone.
    let parent: StoredChunk?
  }

  private final class Worker {
    let encoder = ChunkEncoder()
    let framer: ChunkFramer
    let parent: UnsafeMutableRawBufferPointer

    init(_ framer: ChunkFramer, chunkByteCount: Int) {
      self.framer = framer
      parent = .allocate(byteCount: chunkByteCount, alignment: 64)
    }
    deinit { parent.deallocate() }
  }

  private final class Slot {
    var result: Result<Made, ArchiveError>?
  }

  private let workers: [Worker]

  /// - Parameter contentKey: Of an encrypted archive.
  init(chunkByteCount: Int, workers count: Int, archiveID: Digest, contentKey: ContentKey?) {
    workers = (0..<max(1, count)).map { _ in
      // Neither a cipher nor an encoder is for two threads.
      Worker(
        ChunkFramer(archiveID: archiveID, sealer: contentKey.map { ArchiveSealer($0) }),
        chunkByteCount: chunkByteCount)
    }
  }

  /// The frames of `items`, in their order.
  func encode(_ items: [Item], _ memory: RepackMemory) throws(ArchiveError) -> [Made] {
    let slots = items.map { _ in Slot() }
    performTogether(items.count, workers: workers.count) { item, worker in
      do throws(ArchiveError) {
        slots[item].result = .success(try encode(items[item], memory, workers[worker]))
      } catch {
        slots[item].result = .failure(error)
      }
    }
    var made: [Made] = []
    made.reserveCapacity(items.count)
    for slot in slots {
      if let result = slot.result { made.append(try result.get()) }
    }
    return made
  }

  private func encode(
    _ item: Item, _ memory: RepackMemory, _ worker: Worker
  ) throws(ArchiveError) -> Made {
    let element = memory.element(of: item.chunk)
    let kept = memory.parent(of: item.chunk)
    let space = UnsafeMutableRawBufferPointer(rebasing: worker.parent[..<item.raw.count])
    if let kept { try memory.read(kept, of: item.chunk, into: space) }
    let (best, isDelta) = item.raw.withUnsafeBytes { raw in
      let alone = RepackEncoder.smallest([.bits, .lz4], worker.encoder, raw, element, nil)
      guard kept != nil, alone.codec != .constant else { return (alone, false) }
      let delta = RepackEncoder.smallest(
        [.deltaBits, .deltaPlanes], worker.encoder, raw, element, UnsafeRawBufferPointer(space))
      let isWorth =
        delta.codec.isDelta
        && Double(delta.payload.count) < ChunkGroup.leastGain * Double(alone.payload.count)
      return isWorth ? (delta, true) : (alone, false)
    }
    return Made(
      frame: worker.framer.frame(best, item.digest), parent: isDelta ? kept?.stored : nil)
  }

  private static func smallest(
    _ codecs: [ChunkCodec], _ encoder: ChunkEncoder, _ raw: UnsafeRawBufferPointer,
    _ element: ChunkElement, _ parent: UnsafeRawBufferPointer?
  ) -> ChunkEncoding {
    var best = encoder.encode(raw, as: element, codec: codecs[0], parent: parent)
    for codec in codecs.dropFirst() {
      let made = encoder.encode(raw, as: element, codec: codec, parent: parent)
      if made.payload.count < best.payload.count { best = made }
    }
    return best
  }
}
