internal import ChunkStorage
internal import ProofPrimitives
internal import Synchronization

/// The state of a recorded checkpoint, read a piece at a time: each chunk is fetched when a byte of it is
/// asked for, and checked before that byte is given.
///
/// Memory: at most 24 MiB of chunks. Reading in order fetches 8 MiB at a time; a piece from anywhere costs
/// its chunks and what they are deltas against.
///
/// `@unchecked Sendable`: the loader is used under the lock alone.
final class CheckpointStateSource: StateSource, @unchecked Sendable {
  private let record: CheckpointRecord
  private let envelope: Envelope
  private let loader: ChunkLoader
  private let chunkByteCount: Int
  /// Chunks that will be asked for; nil for all. No other is read ahead.
  private let expected: [Bool]?
  private let readsAhead: Bool
  private let cache = Mutex(Cache())

  private struct Cache {
    var raw: [Int: [UInt8]] = [:]
    /// Loaded last, oldest first.
    var order: [Int] = []
    /// The chunk after the last one that was read.
    var next = -1
  }

  private static let readAheadByteCount = 8 << 20
  private static let heldByteCount = 24 << 20

  /// - Parameter readsAhead: Whether who reads in order gets chunks before he asks for them.
  init(
    _ record: CheckpointRecord, _ envelope: Envelope, _ loader: ChunkLoader, chunkByteCount: Int,
    readsAhead: Bool, expected: [Bool]? = nil
  ) {
    self.expected = expected
    self.readsAhead = readsAhead
    self.record = record
    self.envelope = envelope
    self.loader = loader
    self.chunkByteCount = chunkByteCount
  }

  var specs: [TensorSpec] { record.specs }

  func read(
    tensor index: Int, at offset: Int, into out: UnsafeMutableRawBufferPointer
  ) throws(ArchiveError) {
    let place = record.layout.places[index]
    let begin = Int(place.offset) + offset
    try cache.withLock { cache throws(ArchiveError) in
      var done = 0
      while done < out.count {
        let position = begin + done
        let chunk = Int(place.firstChunk) + position / chunkByteCount
        let last = Int(place.firstChunk) + (begin + out.count - 1) / chunkByteCount
        let raw = try self.raw(chunk, upTo: last, &cache)
        let from = position % chunkByteCount
        let count = min(raw.count - from, out.count - done)
        raw.withUnsafeBytes {
          UnsafeMutableRawBufferPointer(rebasing: out[done..<done + count]).copyMemory(
            from: UnsafeRawBufferPointer(rebasing: $0[from..<from + count]))
        }
        done += count
      }
    }
  }

  private func raw(
    _ chunk: Int, upTo last: Int, _ cache: inout Cache
  ) throws(ArchiveError) -> [UInt8] {
    defer { cache.next = following(chunk) }
    if let known = cache.raw[chunk] { return known }
    let ahead = max(1, CheckpointStateSource.readAheadByteCount / chunkByteCount)
    // Who reads on from where the last read ended will go on.
    let end = readsAhead && cache.next == chunk ? chunk + ahead : min(last + 1, chunk + ahead)
    let wanted = (chunk..<min(end, record.chunks.count)).filter {
      cache.raw[$0] == nil && ($0 <= last || expected?[$0] ?? true)
    }
    var loaded: [(Int, [UInt8])] = []
    try loader.forEach(
      wanted, of: record, envelope: envelope, .streaming
    ) { number, bytes throws(ArchiveError) in loaded.append((number, bytes)) }
    for (number, bytes) in loaded {
      cache.raw[number] = bytes
      cache.order.append(number)
    }
    let held = max(2 * ahead, CheckpointStateSource.heldByteCount / chunkByteCount)
    while cache.order.count > held { cache.raw[cache.order.removeFirst()] = nil }
    guard let found = cache.raw[chunk] else {
      throw ArchiveError(
        .missing, at: "\(ArchiveFiles.records), record \(record.sequence)",
        "chunk \(chunk) is not there")
    }
    return found
  }

  private func following(_ chunk: Int) -> Int {
    guard let expected else { return chunk + 1 }
    return expected[(chunk + 1)...].firstIndex(of: true) ?? chunk + 1
  }
}

extension ArchiveReader {
  /// The state of checkpoint record `number`, to be read piece by piece while the reader lives. Only the
  /// record is fetched now.
  ///
  /// - Parameter readsAhead: False fetches no chunk but those that are asked for: for a slice.
  package func source(
    _ number: Int, readsAhead: Bool = true
  ) throws(ArchiveError) -> any StateSource {
    CheckpointStateSource(
      try checkpoint(number), try envelope(number), loader, chunkByteCount: opening.sizes.chunk,
      readsAhead: readsAhead)
  }
}
