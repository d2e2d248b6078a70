internal import ProofPrimitives

/// A chunk as it stands in the packs, with everything that has to be decoded before it.
struct StoredChunk: Equatable, Sendable {
  let frame: Envelope.Frame
  /// The frames that it is a delta against, the nearest first.
  let ancestors: [Envelope.Frame]

  init(_ frame: Envelope.Frame, ancestors: [Envelope.Frame] = []) {
    self.frame = frame
    self.ancestors = ancestors
  }
}

/// Builds the envelope of one record.
struct EnvelopeBuilder {
  private var rows: [Envelope.Row] = []
  private var ancestors: [Envelope.Row] = []
  private var positions: [Ancestor: Int] = [:]

  /// Under encryption two chunks whose differences from their parents are the same share a frame: with
  /// another parent it is another ancestor.
  private struct Ancestor: Hashable {
    let place: Envelope.Place
    let parent: Int?
  }

  /// Adds the next distinct chunk of the record.
  mutating func add(_ chunk: StoredChunk) {
    var parent: Int?
    // The furthest first, so that a parent stands before its children.
    for frame in chunk.ancestors.reversed() {
      let ancestor = Ancestor(place: frame.place, parent: parent)
      if let known = positions[ancestor] {
        parent = known
        continue
      }
      positions[ancestor] = ancestors.count
      ancestors.append(Envelope.Row(frame, parent: parent))
      parent = ancestors.count - 1
    }
    rows.append(Envelope.Row(chunk.frame, parent: parent))
  }

  func envelope(suite: UInt16) -> Envelope {
    Envelope(rows: rows, ancestors: ancestors, suite: suite)
  }
}

/// Where chunks that were stored before can be found again. Bounded: the oldest are forgotten, and a
/// forgotten chunk that comes again is stored again, in another pack (`PackWriter` sees to that).
struct KnownChunks {
  /// About 8 MiB in each of two generations: the chunks of the last 16 GiB of distinct content.
  static let standardLimit = 1 << 16

  private let generationLimit: Int
  private var recent: [Digest: StoredChunk] = [:]
  private var older: [Digest: StoredChunk] = [:]

  /// - Parameter limit: Chunks of one generation, of which there are two.
  init(limit: Int = standardLimit) { generationLimit = max(1, limit) }

  subscript(digest: Digest) -> StoredChunk? { recent[digest] ?? older[digest] }

  mutating func remember(_ digest: Digest, _ chunk: StoredChunk) {
    if recent.count >= generationLimit {
      older = recent
      recent = [:]
    }
    recent[digest] = chunk
  }
}
