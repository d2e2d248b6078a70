internal import ChunkStorage
internal import Cryptography
internal import ProofPrimitives

/// Fetches the chunks of a checkpoint and puts the tensors together, each chunk checked by its
/// digest before a byte of it is used.
package final class StateLoader {
  private let source: any ObjectSource
  private let opening: OpeningRecord
  private var indexes: [UInt32: PackIndex]
  /// Frames closer than this are fetched in one request.
  private static let gapLimit = 16_384
  /// 8 MiB in one request: what is held twice at most while decoding.
  private static let runLimit = 8 << 20
  /// About 64 MiB of indexes of packs full of the smallest usual chunks.
  private static let indexLimit = 256

  init(source: any ObjectSource, opening: OpeningRecord, indexes: [UInt32: PackIndex] = [:]) {
    self.source = source
    self.opening = opening
    self.indexes = indexes
  }

  /// The tensors of `roles` only; chunks of other roles are not fetched.
  func state(
    of checkpoint: CheckpointRecord, envelope: Envelope, roles: Set<TensorRole>
  ) throws(ArchiveError) -> TrainingState {
    let layout = checkpoint.layout
    let wanted = layout.chunks.indices.filter { roles.contains(layout.role(ofChunk: $0)) }
    let raw = try chunks(
      Set(wanted.map { checkpoint.chunks[$0] }), of: checkpoint, envelope: envelope)
    var buffers = checkpoint.specs.map { spec in
      roles.contains(spec.role) ? [UInt8](repeating: 0, count: spec.byteCount) : []
    }
    for chunk in wanted {
      guard let bytes = raw[checkpoint.chunks[chunk]],
        bytes.count == layout.byteCount(ofChunk: chunk)
      else {
        throw StateLoader.wrongLength(checkpoint, chunk)
      }
      var cursor = 0
      for piece in layout.chunks[chunk] {
        buffers[piece.tensor].replaceSubrange(
          piece.byteOffset..<piece.byteOffset + piece.byteCount,
          with: bytes[cursor..<cursor + piece.byteCount])
        cursor += piece.byteCount
      }
    }
    let tensors = zip(checkpoint.specs, buffers).compactMap { spec, bytes in
      roles.contains(spec.role) ? Tensor(spec, bytes: bytes) : nil
    }
    guard let state = TrainingState(tensors) else {
      throw ArchiveError(
        .malformed, at: "\(ArchiveFiles.records), record \(checkpoint.sequence)",
        "two tensors share a name", isSigned: true)
    }
    return state
  }

  /// Whether every chunk of a checkpoint is there and as long as its tensors want it. The state is
  /// not put together: a record may claim far more than the archive stores.
  func check(_ checkpoint: CheckpointRecord, envelope: Envelope) throws(ArchiveError) {
    let raw = try chunks(Set(checkpoint.chunks), of: checkpoint, envelope: envelope)
    for (chunk, digest) in checkpoint.chunks.enumerated()
    where raw[digest]?.count != checkpoint.layout.byteCount(ofChunk: chunk) {
      throw StateLoader.wrongLength(checkpoint, chunk)
    }
  }

  private static func wrongLength(_ checkpoint: CheckpointRecord, _ chunk: Int) -> ArchiveError {
    ArchiveError(
      .malformed, at: "\(ArchiveFiles.records), record \(checkpoint.sequence), chunk \(chunk)",
      "the chunk is not as long as its tensors", isSigned: true)
  }

  /// Raw bytes by digest.
  private func chunks(
    _ wanted: Set<Digest>, of checkpoint: CheckpointRecord, envelope: Envelope
  ) throws(ArchiveError) -> [Digest: [UInt8]] {
    var places: [(digest: Digest, pack: UInt32, row: PackIndex.Row)] = []
    var seen = Set<Digest>()
    var position = 0
    for digest in checkpoint.chunks where seen.insert(digest).inserted {
      defer { position += 1 }
      guard wanted.contains(digest) else { continue }
      // The envelope was parsed against the record's chunks: it has a row for each.
      guard position < envelope.rows.count else { break }
      let row = envelope.rows[position]
      guard let found = try index(row.packNumber)[row.storedID] else {
        throw ArchiveError(
          .missing, at: ArchiveFiles.pack(row.packNumber),
          "it does not hold chunk \(digest.short)… of record \(checkpoint.sequence)")
      }
      places.append((digest, row.packNumber, found))
    }
    places.sort { ($0.pack, $0.row.offset) < ($1.pack, $1.row.offset) }
    var out: [Digest: [UInt8]] = [:]
    var start = 0
    while start < places.count {
      var end = start + 1
      while end < places.count, places[end].pack == places[start].pack,
        places[end].row.offset - (places[end - 1].row.offset + places[end - 1].row.byteCount)
          <= StateLoader.gapLimit,
        places[end].row.offset + places[end].row.byteCount - places[start].row.offset
          <= StateLoader.runLimit
      { end += 1 }
      try decode(places[start..<end], into: &out)
      start = end
    }
    return out
  }

  private func decode(
    _ run: ArraySlice<(digest: Digest, pack: UInt32, row: PackIndex.Row)>,
    into out: inout [Digest: [UInt8]]
  ) throws(ArchiveError) {
    guard let first = run.first else { return }
    let name = ArchiveFiles.pack(first.pack)
    let base = first.row.offset
    // A hostile index may list frames that overlap: the last one need not end last.
    let end = run.reduce(base) { max($0, $1.row.offset + $1.row.byteCount) }
    let bytes = try source.bytes(of: name, base..<end)
    for item in run {
      let place = "\(source.location)/\(name), byte \(item.row.offset)"
      let from = item.row.offset - base
      let raw = try storing { () throws(StorageError) in
        try ChunkFrame.decode(
          Array(bytes[from..<from + item.row.byteCount]), rawLimit: opening.sizes.chunk, at: place)
      }
      guard SHA256.hash(raw) == item.digest else {
        throw ArchiveError(.damaged, at: place, "the chunk is not \(item.digest.short)…")
      }
      out[item.digest] = raw
    }
  }

  private func index(_ number: UInt32) throws(ArchiveError) -> PackIndex {
    if let known = indexes[number] { return known }
    let index = try StateLoader.packIndex(number, source)
    if indexes.count >= StateLoader.indexLimit { indexes = [:] }
    indexes[number] = index
    return index
  }

  /// The index of one pack as it stands in its file.
  static func packIndex(
    _ number: UInt32, _ source: any ObjectSource
  ) throws(ArchiveError) -> PackIndex {
    let name = ArchiveFiles.packIndex(number)
    let bytes = try storing { () throws(StorageError) in
      try source.readWhole(name, limit: PackIndex.byteLimit)
    }
    guard let bytes else {
      let pack = ArchiveFiles.pack(number)
      let isPackThere = try storing { () throws(StorageError) in
        try source.byteCount(of: pack) != nil
      }
      throw ArchiveError(
        .missing, at: "\(source.location)/\(isPackThere ? name : pack)", "the file is not there")
    }
    let index: PackIndex
    do throws(ArchiveError) {
      index = try parsing(name) { () throws(ParsingError) in try PackIndex(parsing: bytes) }
    } catch {
      // Its rows may be beyond the pack's end because the pack's length is another (§8): asked only
      // now, because a server would be asked once more for every pack.
      if error.code == .malformed, let claimed = PackIndex.claimedPackByteCount(bytes, of: number) {
        try comparePack(number, claimed, source)
      }
      throw error
    }
    guard index.packNumber == number else {
      throw ArchiveError(.malformed, at: name, "it is the index of another pack")
    }
    return index
  }

  /// Compares a pack's length with what its index says; a pack that is not there says nothing.
  static func comparePack(
    _ number: UInt32, _ claimed: Int, _ source: any ObjectSource
  ) throws(ArchiveError) {
    let name = ArchiveFiles.pack(number)
    let found = try storing { () throws(StorageError) in try source.byteCount(of: name) }
    if let found, found != claimed {
      throw ArchiveError(
        .damaged, at: name, "it has \(found) bytes, its index says \(claimed)")
    }
  }
}
