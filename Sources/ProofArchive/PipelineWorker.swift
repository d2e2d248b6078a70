internal import ChunkStorage
internal import Cryptography
internal import ProofPrimitives

/// Room for one chunk of a window, and what became of it.
final class PipelineSlot {
  let raw: UnsafeMutableRawBufferPointer
  /// Room for a header, a payload and the tag of an encrypted one.
  var frame: UnsafeMutableRawBufferPointer
  var count = 0
  var result: Result<EncodedChunk, ArchiveError>?

  init(_ byteCount: Int) {
    raw = .allocate(byteCount: byteCount, alignment: 64)
    frame = PipelineSlot.frameBuffer(byteCount)
  }

  deinit {
    raw.deallocate()
    frame.deallocate()
  }

  static func frameBuffer(_ chunkByteCount: Int) -> UnsafeMutableRawBufferPointer {
    .allocate(
      byteCount: ChunkFrame.headerByteCount + chunkByteCount + ObjectCipher.tagByteCount,
      alignment: 64)
  }

  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: raw[..<count]) }

  /// Of a frame with so many bytes of payload.
  func payload(_ byteCount: Int) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(
      rebasing: frame[ChunkFrame.headerByteCount..<ChunkFrame.headerByteCount + byteCount])
  }
}

/// What encodes chunks, two at a time. One for each thread.
final class PipelineWorker {
  private let archiveID: Digest
  private let encoder = ChunkEncoder()
  private let sealer: ArchiveSealer?
  private let hashers = SHA256Pair()
  private let parent: UnsafeMutableRawBufferPointer
  /// For a second encoding, which may be the better one.
  private var other: UnsafeMutableRawBufferPointer

  /// - Parameter contentKey: Of an encrypted archive.
  init(_ chunkByteCount: Int, _ archiveID: Digest, _ contentKey: ContentKey?) {
    self.archiveID = archiveID
    parent = .allocate(byteCount: chunkByteCount, alignment: 64)
    other = PipelineSlot.frameBuffer(chunkByteCount)
    sealer = contentKey.map { ArchiveSealer($0) }
  }

  deinit {
    parent.deallocate()
    other.deallocate()
  }

  /// A chunk that is new, with its payload in the slot.
  private struct Payload {
    let slot: PipelineSlot
    let chunk: Int
    let digest: Digest
    let codec: ChunkCodec
    let parameter: UInt8
    let byteCount: Int
    let trials: [ChunkGroup.Trial]

    var shape: ObjectShape {
      .chunk(
        codec: codec.rawValue, parameter: parameter, rawByteCount: UInt32(slot.count))
    }
  }

  /// Fills one or two slots with the chunks from `first` on; each has a result then.
  func encode(
    _ first: Int, _ slots: ArraySlice<PipelineSlot>, _ layout: ChunkLayout,
    _ source: any StateSource, _ memory: any ChunkMemory
  ) {
    for slot in slots { slot.result = nil }
    do throws(ArchiveError) {
      for (chunk, slot) in zip(first..., slots) {
        try PipelineWorker.read(chunk, slot, layout, source)
      }
      let digests = digests(slots.map(\.bytes))
      var payloads: [Payload] = []
      for (chunk, (slot, digest)) in zip(first..., zip(slots, digests)) {
        if let known = memory.stored(digest, at: chunk) {
          slot.result = .success(
            EncodedChunk(
              chunk: chunk, digest: digest, storedID: .zero, key: nil, known: known,
              frameByteCount: 0, isDelta: false, trials: []))
        } else {
          payloads.append(try payload(chunk, digest, slot, memory, after: payloads.last))
        }
      }
      finish(payloads)
    } catch {
      // The first of them stops the checkpoint: which one says it makes no difference.
      for slot in slots where slot.result == nil { slot.result = .failure(error) }
    }
  }

  private static func read(
    _ chunk: Int, _ slot: PipelineSlot, _ layout: ChunkLayout, _ source: any StateSource
  ) throws(ArchiveError) {
    var cursor = 0
    for piece in layout.chunks[chunk] {
      try source.read(
        tensor: piece.tensor, at: piece.byteOffset,
        into: UnsafeMutableRawBufferPointer(
          rebasing: slot.raw[cursor..<cursor + piece.byteCount]))
      cursor += piece.byteCount
    }
    slot.count = cursor
  }

  private func digests(_ raw: [UnsafeRawBufferPointer]) -> [Digest] {
    guard raw.count == 2 else { return raw.map { SHA256.hash($0) } }
    hashers.update(raw[0], raw[1])
    let pair = hashers.finish()
    return [pair.0, pair.1]
  }

  private func payload(
    _ chunk: Int, _ digest: Digest, _ slot: PipelineSlot, _ memory: any ChunkMemory,
    after neighbour: Payload?
  ) throws(ArchiveError) -> Payload {
    let raw = slot.bytes
    let group = memory.group(of: chunk)
    var older: UnsafeRawBufferPointer?
    let keyByteCount = group.plan == .delta ? memory.keyByteCount(of: chunk) : nil
    if keyByteCount != nil {
      let space = UnsafeMutableRawBufferPointer(rebasing: parent[..<raw.count])
      try memory.readKey(of: chunk, into: space)
      older = UnsafeRawBufferPointer(space)
    }
    var codec = older == nil ? group.intra : group.delta
    var trials: [ChunkGroup.Trial] = []
    if group.isSampled(chunk), group.plan != .delta || older != nil {
      // The second of a pair goes by what was found for the first.
      if let neighbour, group.chunks.contains(neighbour.chunk), !neighbour.trials.isEmpty {
        codec = PipelineWorker.best(neighbour.trials) ?? codec
      } else {
        trials = self.trials(raw, older, group)
        codec = PipelineWorker.best(trials) ?? codec
      }
    }
    var best = encode(codec, raw, older, group.element, into: slot.frame)
    if let keyByteCount, Double(best.byteCount) >= ChunkGroup.leastGain * Double(keyByteCount) {
      let alone = encode(group.intra, raw, nil, group.element, into: other)
      if alone.byteCount < best.byteCount {
        best = alone
        swap(&slot.frame, &other)
      }
    }
    return Payload(
      slot: slot, chunk: chunk, digest: digest, codec: best.codec,
      parameter: best.codec.hasElement ? group.element.parameter : 0, byteCount: best.byteCount,
      trials: trials)
  }

  private static func best(_ trials: [ChunkGroup.Trial]) -> ChunkCodec? {
    trials.min { $0.byteCount < $1.byteCount }?.codec
  }

  /// Sizes of a part of the chunk under each codec that comes into question: half of the work of encoding it.
  private func trials(
    _ raw: UnsafeRawBufferPointer, _ older: UnsafeRawBufferPointer?, _ group: ChunkGroup
  ) -> [ChunkGroup.Trial] {
    let part = ChunkEncoder.sample(ofByteCount: raw.count)
    let parent = older.map { UnsafeRawBufferPointer(rebasing: $0[part]) }
    return group.candidates.map { codec in
      ChunkGroup.Trial(
        codec: codec,
        byteCount: encoder.encodedByteCount(
          UnsafeRawBufferPointer(rebasing: raw[part]), as: group.element, codec: codec,
          parent: codec.isDelta ? parent : nil))
    }
  }

  private func encode(
    _ codec: ChunkCodec, _ raw: UnsafeRawBufferPointer, _ older: UnsafeRawBufferPointer?,
    _ element: ChunkElement, into frame: UnsafeMutableRawBufferPointer
  ) -> (codec: ChunkCodec, byteCount: Int) {
    encoder.encode(
      raw, as: element, codec: codec, parent: older,
      into: UnsafeMutableRawBufferPointer(
        rebasing: frame[ChunkFrame.headerByteCount...].prefix(raw.count)))
  }

  /// Encrypts payloads where they stand, and puts the headers before them.
  private func finish(_ payloads: [Payload]) {
    let sealed = sealer.map { sealer in
      sealer.cipher.seal(
        inPlace: payloads.map {
          (buffer: $0.slot.payload($0.byteCount + ObjectCipher.tagByteCount), shape: $0.shape)
        }, with: sealer.key)
    }
    let tagByteCount = sealed == nil ? 0 : ObjectCipher.tagByteCount
    for (number, payload) in payloads.enumerated() {
      let slot = payload.slot
      let byteCount = ChunkFrame.headerByteCount + payload.byteCount + tagByteCount
      ChunkFrame.writeHeader(
        UnsafeMutableRawBufferPointer(rebasing: slot.frame[..<byteCount]), codec: payload.codec,
        parameter: payload.parameter, rawByteCount: slot.count)
      slot.result = .success(
        EncodedChunk(
          chunk: payload.chunk, digest: payload.digest,
          storedID: sealed?[number].id ?? PackWriter.storedID(of: payload.digest, in: archiveID),
          key: sealed?[number].key, known: nil, frameByteCount: byteCount,
          isDelta: payload.codec.isDelta, trials: payload.trials))
    }
  }
}
