package import ChunkStorage
internal import Cryptography
package import ProofPrimitives

/// Writes one archive: prepared once, appended to while a model trains, sealed at the end.
///
/// Order of system calls (`spec/archive.md` §7). Append: (1) chunk frames to the open pack, (2) one
/// frame to `records`. Acknowledge (`sync`): (3) fdatasync the pack, (4) fdatasync `records`. A frame
/// of `records` that reached the disk before its chunks did is found on reopening and cut, and
/// nothing was acknowledged before (4) returned.
///
/// Memory: about 200 bytes a chunk of the state and a few MiB, whatever the state's size.
/// Not thread-safe: one owner, which holds the directory's lock for as long as this lives.
///
/// After a sync that failed, or a write that could not be taken back, nothing that was not synced
/// before is believed: files and lock are let go of, `lastStep` falls back to `durableStep`, and every
/// use fails until `reopen` has found the archive again.
package final class ArchiveWriter {
  package let path: String
  package let opening: OpeningRecord
  package let dataset: DatasetManifest
  /// Training steps of the last checkpoint.
  package private(set) var lastStep = 0
  /// Steps of the last checkpoint that is known to be on disk; nil before the first.
  package private(set) var durableStep: Int?

  let header: RecordsHeader
  /// Nil after a failure that nothing written before is believed of, until `reopen`.
  private(set) var files: Files?
  private(set) var rows: [RecordIndex.Row]
  private(set) var norms: [NormsTable.Row]
  /// Segments between whose ends something is missing.
  package private(set) var gaps: [RecordedGap] = []
  /// Records that are known to be on disk.
  private var durableCount: Int
  /// The last record and where its chunks stand; nil before the first checkpoint.
  private(set) var last: (record: CheckpointRecord, envelope: Envelope)?

  /// Nil for an archive that is not encrypted.
  let sealer: ArchiveSealer?
  let options: Options
  private var openChunks: [(digest: Digest, stored: StoredChunk)]
  private var layout: ChunkLayout?
  // Made with the first checkpoint: a writer that only seals needs neither.
  private var memory: CheckpointMemory?
  private var pipeline: ChunkPipeline?
  /// Whether the scratch file holds the weights of the last checkpoint.
  private var holdsPrevious = false

  /// What stands in the folder, as `create` made or `open` found it.
  struct Parts {
    let scan: RecordScan
    let files: Files
    /// What stands in the open pack.
    let openChunks: [(digest: Digest, stored: StoredChunk)]
  }

  /// What is open while the archive can be written.
  struct Files {
    let lock: DirectoryLock
    let records: AppendFile
    let packs: PackWriter
  }

  /// How an archive is written; none of it changes a digest.
  package struct Options: Sendable {
    /// Threads that hash and compress.
    package var workers = 1
    /// Whether chunks are stored as deltas where that is smaller. Reading then fetches two frames.
    package var usesDeltas = true
    /// Encrypts the archive; its owner keeps the key.
    package var epochKey: EpochKey?
    /// For tests.
    package var fault: AppendFile.Fault?
    /// For tests: what `KnownChunks` and `PackWriter` hold of chunks that were stored before.
    var knownChunkLimit = KnownChunks.standardLimit

    package init() {}
  }

  init(path: String, _ parts: Parts, _ dataset: DatasetManifest, _ options: Options) {
    self.options = options
    self.path = path
    header = parts.scan.header
    opening = parts.scan.opening
    self.dataset = dataset
    files = parts.files
    rows = parts.scan.rows
    norms = parts.scan.norms
    durableCount = rows.count
    openChunks = parts.openChunks
    let header = header
    sealer =
      header.keyEpoch == 0
      ? nil
      : options.epochKey.map {
        ArchiveSealer(ContentKey($0, epoch: header.keyEpoch, archiveID: header.archiveID))
      }
    take(parts.scan)
  }

  private func take(_ scan: RecordScan) {
    rows = scan.rows
    norms = scan.norms
    gaps = scan.gaps
    durableCount = rows.count
    last = nil
    lastStep = 0
    durableStep = nil
    if let record = scan.lastCheckpoint, let envelope = scan.lastEnvelope {
      last = (record, envelope)
      lastStep = record.step
      durableStep = record.step
    }
  }

  /// Whether the archive can be written; false after a failure that asks for `reopen`.
  package var isOpen: Bool { files != nil }

  func opened() throws(ArchiveError) -> Files {
    guard let files else {
      throw ArchiveError(
        .io, at: path,
        "an earlier write could not be made to last, so the archive was let go of",
        remedy: "check the disk, then go on from the last checkpoint that is durable")
    }
    return files
  }

  /// Gives files and lock back to the system and forgets what is not known to be on disk. A file system
  /// that is to be mounted again can be unmounted then.
  private func letGo() {
    files = nil
    memory = nil
    holdsPrevious = false
    last = nil
    rows.removeSubrange(durableCount...)
    norms.removeSubrange(min(norms.count, max(0, durableCount - 2))...)
    lastStep = durableStep ?? 0
    gaps.removeAll { $0.endStep > lastStep }
  }

  /// Opens the archive again after it was let go of, at the last checkpoint that was durable then; what
  /// was written after it is cut off, even where it can be read. Does nothing to an open one.
  ///
  /// - Complexity: reads every record, and the packs that have no index yet.
  package func reopen() throws(ArchiveError) {
    guard files == nil else { return }
    let parts = try ArchiveWriter.parts(
      at: path, options, keeping: durableCount, of: rows.first?.hash)
    files = parts.files
    openChunks = parts.openChunks
    take(parts.scan)
  }

  /// Checkpoints written so far.
  package var checkpointCount: Int { rows.count - 1 }
  package var hasCheckpoint: Bool { rows.count > 1 }

  /// The archive root over the records so far.
  package var root: Digest { RecordIndex.root(ofHashes: rows.map(\.hash)) }

  /// Reads the state of the last checkpoint back; nil before the first.
  package func lastState(
    roles: Set<TensorRole> = Set(TensorRole.allCases)
  ) throws(ArchiveError) -> TrainingState? {
    guard let last else { return nil }
    return try loader().state(of: last.record, envelope: last.envelope, roles: roles)
  }

  func loader() throws(ArchiveError) -> ChunkLoader {
    let source = try storing { () throws(StorageError) in try DirectoryObjectSource(path) }
    let index = try opened().packs.index
    let keys = sealer.map { sealer in
      ArchiveKeys(.all(sealer.key), archiveID: header.archiveID, epoch: header.keyEpoch)
    }
    return ChunkLoader(
      source: source, opening: opening, header: header, keys: keys,
      open: [index.packNumber: OpenPack(index: index)])
  }

  /// Appends a checkpoint. Not durable before `sync`.
  ///
  /// When it fails nothing was appended that a record names, and the same call may be made again.
  /// - Parameters:
  ///   - state: The whole state after `lastStep`, the lost steps and `steps`.
  ///   - steps: The steps since the last checkpoint, in order; none for the first.
  ///   - gap: What could not be recorded since the last checkpoint.
  package func append(
    _ state: any StateSource, steps: [CheckpointRecord.Step], gap: CheckpointRecord.Gap? = nil
  ) throws(ArchiveError) {
    let files = try opened()
    try check(steps, gap)
    let layout = try self.layout(for: state)
    let memory = try preparedMemory()
    let contents: (chunks: [Digest], envelope: Envelope, norms: UpdateNorms)
    do throws(ArchiveError) {
      contents = try store(state, layout, memory, files)
      let record = CheckpointRecord(
        sequence: UInt64(rows.count), previous: rows.last?.hash ?? .zero,
        step: lastStep + (gap?.lostSteps ?? 0) + steps.count, steps: steps, gap: gap,
        signatureRoot: dataset.signatureRoot(of: steps.lazy.flatMap(\.batch)),
        norms: contents.norms, layout: layout, chunks: contents.chunks)
      guard let record else {
        throw ArchiveError(.malformed, at: path, "the chunks do not fit the layout")
      }
      try write(record, contents.envelope, files)
      last = (record, contents.envelope)
      lastStep = record.step
      if let gap = RecordedGap(record) { gaps.append(gap) }
    } catch {
      // A part of the new weights may stand in the scratch file.
      memory.forgetKeys()
      holdsPrevious = false
      if files.records.isBroken || files.packs.isBroken { letGo() }
      throw error
    }
    memory.finish()
    holdsPrevious = true
  }

  /// Memory with the weights of the last checkpoint in it.
  private func preparedMemory() throws(ArchiveError) -> CheckpointMemory {
    let memory: CheckpointMemory
    if let known = self.memory {
      memory = known
    } else {
      memory = try storing { () throws(StorageError) in
        try CheckpointMemory(
          chunkByteCount: opening.sizes.chunk, folder: path,
          usesDeltas: options.usesDeltas && header.depth > 0,
          knownLimit: options.knownChunkLimit)
      }
      memory.remember(openChunks)
      if let last { memory.remember(last.record, last.envelope) }
      self.memory = memory
    }
    if let last, !holdsPrevious {
      let layout = last.record.layout
      memory.begin(layout)
      let weights = layout.chunks.indices.filter { ArchiveWriter.countsForNorms(layout, $0) }
      try loader().forEach(
        weights, of: last.record, envelope: last.envelope, .streaming
      ) { chunk, raw throws(ArchiveError) in
        var failure: ArchiveError?
        raw.withUnsafeBytes { bytes in
          do throws(ArchiveError) {
            try memory.writePrevious(of: chunk, bytes)
          } catch {
            failure = error
          }
        }
        if let failure { throw failure }
      }
      holdsPrevious = true
    }
    return memory
  }

  private static func countsForNorms(_ layout: ChunkLayout, _ chunk: Int) -> Bool {
    guard let tensor = layout.chunks[chunk].first?.tensor else { return false }
    return layout.specs[tensor].role == .weight && UpdateNormSums.counts(layout.specs[tensor].type)
  }

  /// Stores what is new of a state.
  private func store(
    _ state: any StateSource, _ layout: ChunkLayout, _ memory: CheckpointMemory, _ files: Files
  ) throws(ArchiveError) -> (chunks: [Digest], envelope: Envelope, norms: UpdateNorms) {
    let pipeline =
      self.pipeline
      ?? ChunkPipeline(
        chunkByteCount: opening.sizes.chunk, workers: options.workers, archiveID: opening.archiveID,
        contentKey: sealer?.key)
    self.pipeline = pipeline
    memory.begin(layout)
    let assembly = CheckpointAssembly(files.packs, memory, chunkCount: layout.chunks.count)
    var sums = UpdateNormSums(tensorCount: layout.specs.prefix { $0.role == .weight }.count)
    let before = UnsafeMutableRawBufferPointer.allocate(
      byteCount: opening.sizes.chunk, alignment: 64)
    defer { before.deallocate() }

    try pipeline.run(
      layout, state, memory,
      store: { ready throws(ArchiveError) in
        try assembly.add(ready)
        for chunk in ready where ArchiveWriter.countsForNorms(layout, chunk.made.chunk) {
          let number = chunk.made.chunk
          if self.last != nil {
            let old = UnsafeMutableRawBufferPointer(rebasing: before[..<chunk.raw.count])
            try memory.readPrevious(of: number, into: old)
            sums.add(layout, number, before: UnsafeRawBufferPointer(old), after: chunk.raw)
          }
          try memory.writePrevious(of: number, chunk.raw)
        }
      },
      settle: { memory.settle() })
    return (
      assembly.digests, assembly.envelope(suite: header.suite), last == nil ? .zero : sums.norms
    )
  }

  private func check(
    _ steps: [CheckpointRecord.Step], _ gap: CheckpointRecord.Gap?
  ) throws(ArchiveError) {
    guard (steps.isEmpty && gap?.lostSteps ?? 0 == 0) == (last == nil), gap == nil || last != nil
    else {
      throw ArchiveError(
        .malformed, at: path,
        last == nil
          ? "the first checkpoint is the state before any step" : "a checkpoint without steps",
        remedy: "report every training step once, and the state before the first one first")
    }
    for step in steps {
      guard (1...CheckpointRecord.batchLimit).contains(step.batch.count),
        step.batch.allSatisfy({ Int($0) < dataset.count })
      else {
        throw ArchiveError(
          .malformed, at: path, "a batch is empty, too large or names a point beyond the dataset",
          remedy: "report the indices of the data points that the step used, counted from 0")
      }
    }
  }

  private func layout(for state: any StateSource) throws(ArchiveError) -> ChunkLayout {
    let specs = state.specs
    if let layout, layout.specs == specs { return layout }
    if let last {
      guard
        specs.prefix(while: { $0.role == .weight }).elementsEqual(
          last.record.specs.prefix { $0.role == .weight })
      else {
        throw ArchiveError(
          .malformed, at: path, "the weights' names, types or shapes changed during the run",
          remedy: "start a new archive for the new architecture")
      }
      if last.record.specs == specs {
        layout = last.record.layout
        return last.record.layout
      }
    }
    guard let made = ChunkLayout(specs, sizes: opening.sizes),
      specs.count <= CheckpointRecord.tensorLimit
    else {
      throw ArchiveError(
        .limit, at: path, "the state has more tensors or chunks than a checkpoint holds",
        remedy: "record a smaller state")
    }
    // Said at the first checkpoint, not after weeks when the seal wants the model digest.
    guard !TensorSpec.modelNamesRepeat(specs) else {
      throw ArchiveError(
        .malformed, at: path, "a weight and a buffer share a name",
        remedy: "give every weight and buffer a name of its own")
    }
    layout = made
    return made
  }

  private func write(
    _ record: CheckpointRecord, _ envelope: Envelope, _ files: Files
  ) throws(ArchiveError) {
    let bytes = record.encoded
    guard bytes.count <= RecordFrame.recordLimit else {
      throw ArchiveError(
        .limit, at: path, "a segment's indices need more than 64 MiB",
        remedy: "write checkpoints more often")
    }
    let frame = RecordFrame.encode(
      record: bytes, envelope: envelope.encoded, sealer: sealer)
    let offset = try storing { () throws(StorageError) in
      try files.records.append(frame)
    }
    rows.append(
      RecordIndex.Row(
        hash: RecordHeader.hash(bytes[...]), offset: offset, frameByteCount: frame.count,
        step: record.step))
    if record.sequence > 1 {
      norms.append(NormsTable.Row(endStep: record.step, norms: record.norms))
    }
  }

  /// Returns when everything appended so far survives a power cut.
  ///
  /// When it fails the archive is let go of.
  package func sync() throws(ArchiveError) {
    let files = try opened()
    do throws(StorageError) {
      try files.packs.sync()
      try files.records.sync()
    } catch {
      letGo()
      throw ArchiveError(error)
    }
    durableCount = rows.count
    if hasCheckpoint { durableStep = lastStep }
  }

  /// The newest record that is known to be on disk, and how many there are up to it; nil before the first
  /// checkpoint is. No crash and no failure of the store cuts it off again.
  package var durableHead: (recordCount: Int, hash: Digest)? {
    guard durableStep != nil, rows.indices.contains(durableCount - 1) else { return nil }
    return (durableCount, rows[durableCount - 1].hash)
  }

  /// Adds a note to the journal, which nothing hashes: times, resumes, hosts.
  ///
  /// An encrypted archive has no journal: its lines would be in clear.
  package func note(_ event: [(String, JSONValue)]) throws(ArchiveError) {
    guard sealer == nil else { return }
    try storing { () throws(StorageError) in
      let journal = try AppendFile("\(path)/\(ArchiveFiles.journal)")
      try journal.append(JSONValue.map(event).encoded + [10])
    }
  }
}
