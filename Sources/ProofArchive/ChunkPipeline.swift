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
/// over in their order.
///
/// Each thread encodes two chunks at a time, and when enough of them stand ready in order, whichever
/// thread is free hands them over: what was just encoded is still in its processor's cache. Memory: 1 MiB
/// for each two chunks of 256 KiB that are under way, which are at most `2 * workers + 6`: enough to go
/// on while one thread closes a pack.
///
/// What is stored depends on the windows and not on the number of threads.
final class ChunkPipeline {
  /// Equal chunks that are further apart are found before they are encoded.
  private static let windowByteCount = 128 << 20
  /// Four chunks are handed over at once: the system writes a mebibyte faster than its parts.
  private static let readyCount = 2

  private let workers: [PipelineWorker]
  private let pairs: [PipelinePair]
  private let windowCount: Int

  /// One chunk that is handed over; its bytes stand until the call returns.
  struct Chunk {
    let made: EncodedChunk
    let raw: UnsafeRawBufferPointer
    /// Empty when the content is known.
    let frame: UnsafeRawBufferPointer
  }

  /// - Parameter contentKey: Of an encrypted archive.
  init(chunkByteCount: Int, workers count: Int, archiveID: Digest, contentKey: ContentKey?) {
    workers = (0..<max(1, count)).map { _ in PipelineWorker(chunkByteCount, archiveID, contentKey) }
    pairs = (0..<2 * workers.count + 6).map { _ in PipelinePair(chunkByteCount) }
    windowCount = ChunkPipeline.windowByteCount / chunkByteCount / 2 * 2
  }

  /// Runs all chunks of `layout` through.
  ///
  /// - Parameters:
  ///   - store: Gets the chunks in their order, some at a time, from one thread at a time.
  ///   - settle: Called between windows, when no other thread runs.
  func run(
    _ layout: ChunkLayout, _ source: any StateSource, _ memory: any ChunkMemory,
    store: ([Chunk]) throws(ArchiveError) -> Void, settle: () -> Void
  ) throws(ArchiveError) {
    for start in stride(from: 0, to: layout.chunks.count, by: windowCount) {
      let window = start..<min(start + windowCount, layout.chunks.count)
      let line = OrderedLine<PipelinePair>(
        (window.count + 1) / 2, pairs, readyCount: ChunkPipeline.readyCount)
      var failure: ArchiveError?
      let workers = workers
      performTogether(workers.count, workers: workers.count) { _, worker in
        line.work(
          make: { number, pair in
            let first = window.lowerBound + 2 * number
            pair.count = min(2, window.upperBound - first)
            workers[worker].encode(first, pair.slots[..<pair.count], layout, source, memory)
          },
          take: { ready in
            do throws(ArchiveError) {
              try store(try ChunkPipeline.chunks(ready))
              return true
            } catch {
              failure = error
              return false
            }
          })
      }
      settle()
      if let failure { throw failure }
    }
  }

  private static func chunks(_ pairs: [PipelinePair]) throws(ArchiveError) -> [Chunk] {
    var chunks: [Chunk] = []
    for pair in pairs {
      for slot in pair.slots[..<pair.count] {
        guard let made = try slot.result?.get() else { continue }
        let frame = UnsafeRawBufferPointer(
          rebasing: UnsafeRawBufferPointer(slot.frame)[..<made.frameByteCount])
        chunks.append(Chunk(made: made, raw: slot.bytes, frame: frame))
      }
    }
    return chunks
  }
}

/// Room for two chunks, which are hashed side by side.
final class PipelinePair {
  let slots: [PipelineSlot]
  /// Slots in use.
  var count = 0

  init(_ chunkByteCount: Int) {
    slots = [PipelineSlot(chunkByteCount), PipelineSlot(chunkByteCount)]
  }
}
