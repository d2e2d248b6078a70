package import ProofPrimitives

/// A checkpoint and the steps that led to it from the one before (`spec/archive.md` §3.3).
package struct CheckpointRecord: Equatable, Sendable {
  /// One training step as the trainer reported it.
  package struct Step: Equatable, Sendable {
    /// Float32 bits.
    package let learningRate: UInt32
    /// Float32 bits.
    package let loss: UInt32
    /// Data point indices in the order used.
    package let batch: [UInt32]

    package init(learningRate: UInt32, loss: UInt32, batch: [UInt32]) {
      self.learningRate = learningRate
      self.loss = loss
      self.batch = batch
    }
  }

  /// What could not be recorded between the checkpoint before and this one.
  package struct Gap: Equatable, Sendable {
    /// Steps of which nothing is known, the first ones of the segment; 0 when only checkpoints that
    /// the schedule wanted are missing.
    package let lostSteps: Int
    /// For people: why.
    package let cause: String

    /// A sentence.
    package static let causeLimit = 255

    /// Nil when the cause is empty, too long or holds a control character, or the count is no step.
    package init?(lostSteps: Int, cause: String) {
      guard (0...CheckpointRecord.stepLimit).contains(lostSteps),
        (1...Gap.causeLimit).contains(cause.utf8.count),
        !cause.unicodeScalars.contains(where: { $0.value < 32 || $0.value == 127 })
      else { return nil }
      self.lostSteps = lostSteps
      self.cause = cause
    }
  }

  package let sequence: UInt64
  package let previous: Digest
  /// Nil for a segment that was recorded as the schedule wants.
  package let gap: Gap?
  /// Training steps done.
  package let step: Int
  package let steps: [Step]
  package let signatureRoot: Digest
  package let norms: UpdateNorms
  /// In canonical order.
  package let specs: [TensorSpec]
  /// SHA-256 over the raw bytes of each chunk, in the order of the layout.
  package let chunks: [Digest]
  package let layout: ChunkLayout

  /// 2^20: a million tensors or samples a batch; no framework comes near.
  package static let tensorLimit = 1 << 20
  package static let batchLimit = 1 << 20
  /// 2^53 - 1, so that JSON carries every step number.
  package static let stepLimit = 1 << 53 - 1

  /// Bytes of the whole state, as claimed by the tensors' shapes.
  var stateByteCount: Int {
    specs.reduce(0) { sum, spec in
      let (total, overflow) = sum.addingReportingOverflow(spec.byteCount)
      return overflow ? Int.max : total
    }
  }

  /// The step of the checkpoint before.
  package var firstStep: Int { step - steps.count - (gap?.lostSteps ?? 0) }

  package static func == (left: CheckpointRecord, right: CheckpointRecord) -> Bool {
    left.encoded == right.encoded
  }

  /// Nil when the chunks are not as many as the layout has.
  package init?(
    sequence: UInt64, previous: Digest, step: Int, steps: [Step], gap: Gap? = nil,
    signatureRoot: Digest, norms: UpdateNorms, layout: ChunkLayout, chunks: [Digest]
  ) {
    guard chunks.count == layout.chunks.count else { return nil }
    self.gap = gap
    self.sequence = sequence
    self.previous = previous
    self.step = step
    self.steps = steps
    self.signatureRoot = signatureRoot
    self.norms = norms
    self.specs = layout.specs
    self.chunks = chunks
    self.layout = layout
  }

  package var encoded: [UInt8] {
    var writer = ByteWriter()
    if let gap {
      writer.u64(UInt64(gap.lostSteps))
      writer.string(gap.cause)
    }
    writer.u64(UInt64(step))
    writer.u32(UInt32(steps.count))
    for step in steps {
      writer.u32(step.learningRate)
      writer.u32(step.loss)
      writer.u32(UInt32(step.batch.count))
      for index in step.batch { writer.u32(index) }
    }
    writer.digest(signatureRoot)
    norms.write(to: &writer)
    writer.u32(UInt32(specs.count))
    for (spec, place) in zip(specs, layout.places) {
      writer.string(spec.name)
      writer.u8(spec.role.rawValue)
      writer.u8(spec.type.rawValue)
      writer.u8(UInt8(spec.shape.count))
      for dimension in spec.shape { writer.u64(UInt64(dimension)) }
      writer.u32(place.firstChunk)
      writer.u32(place.offset)
    }
    writer.u32(UInt32(chunks.count))
    for chunk in chunks { writer.digest(chunk) }
    return RecordHeader(
      kind: gap == nil ? .checkpoint : .gap, sequence: sequence, previous: previous
    ).record(body: writer.bytes)
  }

  /// Reads a record of an archive whose opening record is known.
  ///
  /// - Parameter previousStep: Step of the record before, for those who know it.
  package init(
    parsing record: ArraySlice<UInt8>, opening: OpeningRecord, after previousStep: Int? = nil
  ) throws(ParsingError) {
    var reader = ByteReader(record)
    let header = try RecordHeader(&reader)
    guard header.kind != .opening, header.sequence >= 1 else {
      throw ParsingError("not a checkpoint record", at: 0)
    }
    sequence = header.sequence
    previous = header.previous
    gap = header.kind == .gap ? try CheckpointRecord.gap(&reader, sequence: sequence) : nil
    let lost = gap?.lostSteps ?? 0
    let stepOffset = reader.offset
    let step = try reader.u64("step")
    guard step <= UInt64(CheckpointRecord.stepLimit) else {
      throw ParsingError("the step is over the limit", at: stepOffset)
    }
    self.step = Int(step)
    // Before the steps, which a false count would make something else of.
    var ahead = reader
    let count = Int(try ahead.u32("step count"))
    let expected = previousStep.map { Int(step) - $0 } ?? (lost + count)
    guard (sequence == 1) == (lost + count == 0), lost + count <= self.step,
      sequence > 1 || self.step == 0, lost + count == expected
    else { throw ParsingError("the step count does not fit the step", at: reader.offset) }
    steps = try CheckpointRecord.steps(&reader, datasetCount: opening.datasetCount)
    signatureRoot = try reader.digest("signature root")
    guard count > 0 || signatureRoot == ProofArchive.signatureRoot(of: []) else {
      throw ParsingError("no step used data points", at: reader.offset - Digest.byteCount)
    }
    norms = try UpdateNorms(&reader)
    guard sequence > 1 || norms == .zero else {
      throw ParsingError("the first state has norms", at: reader.offset - UpdateNorms.byteCount)
    }
    (specs, layout) = try CheckpointRecord.tensors(&reader, sizes: opening.sizes)
    let countOffset = reader.offset
    let chunkCount = try reader.count(
      "chunk count", itemByteCount: Digest.byteCount, limit: ChunkLayout.chunkLimit)
    guard chunkCount == layout.chunks.count else {
      throw ParsingError("the chunk count is not that of the tensors", at: countOffset)
    }
    var chunks: [Digest] = []
    chunks.reserveCapacity(chunkCount)
    for _ in 0..<chunkCount { chunks.append(try reader.digest("chunk digest")) }
    self.chunks = chunks
    try reader.finish("checkpoint record")
  }

  private static func gap(
    _ reader: inout ByteReader, sequence: UInt64
  ) throws(ParsingError) -> Gap {
    let start = reader.offset
    guard sequence > 1 else { throw ParsingError("a gap before the first state", at: 0) }
    let lost = try reader.u64("lost steps")
    guard lost <= UInt64(stepLimit) else {
      throw ParsingError("the lost steps are over the limit", at: start)
    }
    guard
      let gap = Gap(lostSteps: Int(lost), cause: try reader.string("cause", limit: Gap.causeLimit))
    else { throw ParsingError("a gap states no cause", at: start + 8) }
    return gap
  }

  private static func steps(
    _ reader: inout ByteReader, datasetCount: Int
  ) throws(ParsingError) -> [Step] {
    let count = try reader.count("step count", itemByteCount: 16)
    var steps: [Step] = []
    steps.reserveCapacity(count)
    for _ in 0..<count {
      let learningRate = try reader.u32("learning rate")
      let loss = try reader.u32("loss")
      let start = reader.offset
      let size = try reader.count("batch size", itemByteCount: 4, limit: batchLimit)
      guard size >= 1 else { throw ParsingError("a batch is empty", at: start) }
      var batch: [UInt32] = []
      batch.reserveCapacity(size)
      for _ in 0..<size {
        let index = try reader.u32("data point index")
        guard Int(index) < datasetCount else {
          throw ParsingError("a data point index is beyond the dataset", at: reader.offset - 4)
        }
        batch.append(index)
      }
      steps.append(Step(learningRate: learningRate, loss: loss, batch: batch))
    }
    return steps
  }

  private static func tensors(
    _ reader: inout ByteReader, sizes: ChunkSizes
  ) throws(ParsingError) -> ([TensorSpec], ChunkLayout) {
    let start = reader.offset
    let count = try reader.count("tensor count", itemByteCount: 14, limit: tensorLimit)
    var specs: [TensorSpec] = []
    var places: [ChunkLayout.Place] = []
    specs.reserveCapacity(count)
    for _ in 0..<count {
      let rowOffset = reader.offset
      let name = try reader.string("tensor name", limit: TensorSpec.nameLimit)
      guard let role = TensorRole(rawValue: try reader.u8("role")),
        let type = ElementType(rawValue: try reader.u8("element type"))
      else { throw ParsingError("a role or element type is unknown", at: reader.offset - 1) }
      let rank = Int(try reader.u8("rank"))
      guard rank <= TensorSpec.rankLimit else {
        throw ParsingError("a tensor has \(rank) dimensions", at: reader.offset - 1, kind: .limit)
      }
      var shape: [Int] = []
      for _ in 0..<rank { shape.append(Int(clamping: try reader.u64("dimension"))) }
      guard TensorSpec.byteCount(type, shape) != nil else {
        throw ParsingError("a tensor's size is over the limit", at: rowOffset, kind: .limit)
      }
      guard let spec = TensorSpec(name: name, role: role, type: type, shape: shape) else {
        throw ParsingError("a tensor has no name", at: rowOffset)
      }
      if let last = specs.last, !TensorSpec.precedes(last, spec) {
        throw ParsingError("the tensors are not in order", at: rowOffset)
      }
      specs.append(spec)
      places.append(
        ChunkLayout.Place(
          firstChunk: try reader.u32("first chunk"), offset: try reader.u32("offset")))
    }
    guard !TensorSpec.modelNamesRepeat(specs) else {
      throw ParsingError("a weight and a buffer have one name", at: start)
    }
    // A count above the limit is that, whatever else it makes wrong.
    var ahead = reader
    _ = try ahead.count(
      "chunk count", itemByteCount: Digest.byteCount, limit: ChunkLayout.chunkLimit)
    // Before the layout is made, so that a claimed size cannot make it large: every chunk needs a
    // digest of 32 bytes that is still to come.
    let room = reader.remaining / Digest.byteCount
    let claimed = specs.reduce(0) { $0 + $1.byteCount / sizes.chunk }
    guard claimed <= room else {
      throw ParsingError("the tensors need more chunks than are listed", at: start)
    }
    guard let layout = ChunkLayout(specs, sizes: sizes), layout.places == places else {
      throw ParsingError("the tensors' places are not the canonical ones", at: start)
    }
    return (specs, layout)
  }
}
