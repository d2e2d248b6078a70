internal import ChunkStorage
internal import Cryptography
package import ProofPrimitives

/// Writes one archive: prepared once, appended to while a model trains, sealed at the end.
///
/// Order of system calls (`spec/archive.md` §7). Append: (1) chunk frames to the open pack, (2) one
/// frame to `records`. Acknowledge (`sync`): (3) fdatasync the pack, (4) fdatasync `records`. A frame
/// of `records` that reached the disk before its chunks did is found on reopening and cut, and
/// nothing was acknowledged before (4) returned.
///
/// Not thread-safe: one owner, which holds the directory's lock for as long as this lives.
package final class ArchiveWriter {
  package let path: String
  package let opening: OpeningRecord
  package let dataset: DatasetManifest
  /// The state of the last checkpoint; nil before the first.
  package private(set) var lastState: TrainingState?
  /// Training steps of the last checkpoint.
  package private(set) var lastStep = 0
  /// Steps of the last checkpoint that is known to be on disk; nil before the first.
  package private(set) var durableStep: Int?

  let lock: DirectoryLock
  let records: AppendFile
  var packs: PackWriter
  var rows: [RecordIndex.Row]
  var norms: [NormsTable.Row]
  private var layout: ChunkLayout?

  init(
    path: String, opening: OpeningRecord, dataset: DatasetManifest, lock: DirectoryLock,
    records: AppendFile, packs: PackWriter, rows: [RecordIndex.Row], norms: [NormsTable.Row],
    lastState: TrainingState?
  ) {
    self.path = path
    self.opening = opening
    self.dataset = dataset
    self.lock = lock
    self.records = records
    self.packs = packs
    self.rows = rows
    self.norms = norms
    self.lastState = lastState
    lastStep = rows.last?.step ?? 0
    durableStep = lastState == nil ? nil : lastStep
  }

  /// Checkpoints written so far.
  package var checkpointCount: Int { rows.count - 1 }

  /// The archive root over the records so far.
  package var root: Digest { RecordIndex.root(ofHashes: rows.map(\.hash)) }

  /// Appends a checkpoint. Not durable before `sync`.
  ///
  /// - Parameters:
  ///   - state: The whole state after `lastStep + steps.count` steps.
  ///   - steps: The steps since the last checkpoint, in order; none for the first.
  package func append(
    _ state: TrainingState, steps: [CheckpointRecord.Step]
  ) throws(ArchiveError) {
    try check(steps)
    let layout = try self.layout(for: state)
    var chunks: [Digest] = []
    var envelope: [Envelope.Row] = []
    var seen = Set<Digest>()
    for chunk in layout.chunks.indices {
      let raw = layout.bytes(ofChunk: chunk, in: state)
      let digest = SHA256.hash(raw)
      chunks.append(digest)
      if seen.insert(digest).inserted {
        envelope.append(
          try storing { () throws(StorageError) in try packs.store(raw, digest: digest) })
      }
    }
    var update = UpdateNorms.zero
    if let lastState {
      guard let norms = UpdateNorms(from: lastState, to: state) else {
        throw ArchiveError(
          .malformed, at: path, "the weights' names, types or shapes changed during the run",
          remedy: "start a new archive for the new architecture")
      }
      update = norms
    }
    let record = CheckpointRecord(
      sequence: UInt64(rows.count), previous: rows.last?.hash ?? .zero,
      step: lastStep + steps.count, steps: steps,
      signatureRoot: dataset.signatureRoot(of: steps.lazy.flatMap(\.batch)), norms: update,
      layout: layout, chunks: chunks)
    guard let record else {
      throw ArchiveError(.malformed, at: path, "the chunks do not fit the layout")
    }
    try write(record, Envelope(rows: envelope))
    lastState = state
    lastStep = record.step
  }

  private func check(_ steps: [CheckpointRecord.Step]) throws(ArchiveError) {
    guard steps.isEmpty == (lastState == nil) else {
      throw ArchiveError(
        .malformed, at: path,
        lastState == nil
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

  private func layout(for state: TrainingState) throws(ArchiveError) -> ChunkLayout {
    let specs = state.tensors.map(\.spec)
    if let layout, layout.specs == specs { return layout }
    guard let made = ChunkLayout(specs, sizes: opening.sizes),
      specs.count <= CheckpointRecord.tensorLimit
    else {
      throw ArchiveError(
        .limit, at: path, "the state has more tensors or chunks than a checkpoint holds",
        remedy: "record a smaller state")
    }
    // Said at the first checkpoint, not after weeks when the seal wants the model digest.
    let model = specs.filter { $0.role == .weight || $0.role == .buffer }.map(\.name)
    guard Set(model).count == model.count else {
      throw ArchiveError(
        .malformed, at: path, "a weight and a buffer share a name",
        remedy: "give every weight and buffer a name of its own")
    }
    layout = made
    return made
  }

  private func write(_ record: CheckpointRecord, _ envelope: Envelope) throws(ArchiveError) {
    let bytes = record.encoded
    guard bytes.count <= RecordFrame.recordLimit else {
      throw ArchiveError(
        .limit, at: path, "a segment's indices need more than 64 MiB",
        remedy: "write checkpoints more often")
    }
    let frame = RecordFrame(record: bytes, envelope: envelope.encoded)
    let offset = try storing { () throws(StorageError) in try records.append(frame.encoded) }
    rows.append(
      RecordIndex.Row(
        hash: RecordHeader.hash(bytes[...]), offset: offset, recordByteCount: bytes.count,
        envelopeByteCount: frame.envelope.count, step: record.step))
    if record.sequence > 1 {
      norms.append(NormsTable.Row(endStep: record.step, norms: record.norms))
    }
  }

  /// Returns when everything appended so far survives a power cut.
  package func sync() throws(ArchiveError) {
    try storing { () throws(StorageError) in
      try packs.sync()
      try records.sync()
    }
    if lastState != nil { durableStep = lastStep }
  }

  /// Adds a note to the journal, which nothing hashes: times, resumes, hosts.
  package func note(_ event: [(String, JSONValue)]) throws(ArchiveError) {
    try storing { () throws(StorageError) in
      let journal = try AppendFile("\(path)/\(ArchiveFiles.journal)")
      try journal.append(JSONValue.map(event).encoded + [10])
    }
  }
}
