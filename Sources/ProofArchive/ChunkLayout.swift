internal import ChunkStorage
internal import ProofPrimitives

/// The canonical way to cut a state into chunks (`spec/archive.md` §4): a function of names, types,
/// shapes and the two sizes of record 0 alone.
package struct ChunkLayout: Sendable {
  /// A run of bytes inside one tensor.
  package struct Piece: Sendable {
    /// Position in the canonical order of tensors.
    package let tensor: Int
    package let byteOffset: Int
    package let byteCount: Int
  }

  package struct Place: Equatable, Sendable {
    package let firstChunk: UInt32
    package let offset: UInt32
  }

  /// For each chunk, what it is made of, in order.
  package private(set) var chunks: [[Piece]] = []
  /// For each tensor, where its first byte is.
  package private(set) var places: [Place]
  package let specs: [TensorSpec]

  /// Ranges of chunks that hold one large tensor, or one run of small tensors of a role and type.
  package private(set) var groups: [Range<Int>] = []

  /// As many chunks as a checkpoint may have: 4 TiB of state in 256 KiB pieces.
  package static let chunkLimit = 1 << 24

  /// - Parameter specs: In canonical order. Nil when there are more than `chunkLimit` chunks.
  package init?(_ specs: [TensorSpec], sizes: ChunkSizes) {
    self.specs = specs
    places = Array(repeating: Place(firstChunk: 0, offset: 0), count: specs.count)
    for role in TensorRole.allCases {
      let own = specs.indices.filter { specs[$0].role == role }
      for index in own where specs[index].byteCount >= sizes.small {
        guard append([index], sizes.chunk) else { return nil }
      }
      for type in ElementType.allCases {
        let small = own.filter { specs[$0].type == type && specs[$0].byteCount < sizes.small }
        guard append(small, sizes.chunk) else { return nil }
      }
    }
  }

  /// Lays tensors out one after the other and cuts the run.
  private mutating func append(_ tensors: [Int], _ chunkSize: Int) -> Bool {
    let first = chunks.count
    var cursor = 0
    for tensor in tensors {
      places[tensor] = Place(
        firstChunk: UInt32(first + cursor / chunkSize), offset: UInt32(cursor % chunkSize))
      var done = 0
      while done < specs[tensor].byteCount {
        let chunk = first + cursor / chunkSize
        guard chunk < ChunkLayout.chunkLimit else { return false }
        if chunk == chunks.count { chunks.append([]) }
        let count = min(chunkSize - cursor % chunkSize, specs[tensor].byteCount - done)
        chunks[chunk].append(Piece(tensor: tensor, byteOffset: done, byteCount: count))
        done += count
        cursor += count
      }
    }
    if chunks.count > first { groups.append(first..<chunks.count) }
    return true
  }

  /// What a chunk's bytes are elements of: a chunk never mixes element types.
  func element(ofChunk chunk: Int) -> ChunkElement {
    (chunks[chunk].first.map { specs[$0.tensor].type } ?? .u8).chunkElement
  }

  package func byteCount(ofChunk chunk: Int) -> Int {
    chunks[chunk].reduce(0) { $0 + $1.byteCount }
  }

  /// Whether a chunk holds bytes of tensors with one of these roles; a chunk never mixes roles.
  package func role(ofChunk chunk: Int) -> TensorRole {
    chunks[chunk].first.map { specs[$0.tensor].role } ?? .weight
  }

  /// The raw bytes of one chunk of `state`, whose tensors are those of the layout.
  package func bytes(ofChunk chunk: Int, in state: TrainingState) -> [UInt8] {
    var out: [UInt8] = []
    out.reserveCapacity(byteCount(ofChunk: chunk))
    for piece in chunks[chunk] {
      out +=
        state.tensors[piece.tensor].bytes[
          piece.byteOffset..<piece.byteOffset + piece.byteCount]
    }
    return out
  }
}

/// The two sizes that record 0 fixes.
package struct ChunkSizes: Hashable, Sendable {
  package let chunk: Int
  package let small: Int
  static let chunkLimit: UInt32 = 1_048_576
  package static let standard = ChunkSizes(chunk: 262_144, small: 65_536)

  private init(chunk: Int, small: Int) {
    self.chunk = chunk
    self.small = small
  }

  /// Nil when they break the rules of `spec/archive.md` §3.2.
  package init?(checked chunk: UInt32, small: UInt32) {
    guard (65_536...ChunkSizes.chunkLimit).contains(chunk), chunk & (chunk - 1) == 0, small <= chunk
    else {
      return nil
    }
    self.init(chunk: Int(chunk), small: Int(small))
  }
}
