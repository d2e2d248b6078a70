internal import ChunkStorage

/// Raw bytes of the key frames that a reader of whole checkpoints decoded last. Checkpoints of one period
/// share them, so for each chunk of the layout one is kept.
///
/// When there is no more room, those that came first stay: readers go through the chunks in order, and
/// whoever drops the oldest then drops each one just before it is wanted again.
struct KeyFrameCache {
  /// 48 MiB.
  private static let byteLimit = 48 << 20

  private var frames: [Int: (place: Envelope.Place, raw: [UInt8])] = [:]
  private var byteCount = 0

  /// The key frame at this place, if it is the one that chunk `chunk` was read with last.
  func raw(of place: Envelope.Place, chunk: Int) -> [UInt8]? {
    guard let kept = frames[chunk], kept.place == place else { return nil }
    return kept.raw
  }

  mutating func keep(_ raw: [UInt8], of place: Envelope.Place, chunk: Int) {
    let old = frames[chunk]?.raw.count ?? 0
    guard byteCount - old + raw.count <= KeyFrameCache.byteLimit else {
      byteCount -= old
      frames[chunk] = nil
      return
    }
    byteCount += raw.count - old
    frames[chunk] = (place, raw)
  }
}
