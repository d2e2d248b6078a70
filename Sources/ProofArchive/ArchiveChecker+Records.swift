internal import ChunkStorage
internal import Cryptography
internal import ProofPrimitives

/// What the pass over the records of one archive knows.
struct RecordsPass {
  var walk: RecordWalk
  let seal: Seal?
  let index: RecordIndex?
  let opening: OpeningRecord
  /// Of an encrypted archive.
  let keys: ArchiveKeys?
  /// Leaf hashes of the dataset's tree; nil when they are not those of record 0.
  let leaves: [Digest]?

  var norms: NormsTable?
  var previousHash = Digest.zero
  /// The record before and its state, as far as they could be read.
  var previous: CheckpointRecord?
  var previousState: TrainingState?

  /// Checkpoints whose chunks are read; nil for all.
  var drawn: Set<Int>?

  var place: (Int) -> String { ArchiveReader.recordPlace }
}

/// Records in order, one checkpoint's state at a time (`spec/archive.md` §9, steps 3 to 8).
extension ArchiveChecker {
  /// 1 GiB: a larger state is checked chunk by chunk and its norms are left to the verifier, because a
  /// record can claim a state of any size out of one stored chunk.
  private static let assembledLimit = 1 << 30

  /// Record 0, and that the seal is its prover's.
  func opening(
    _ walk: inout RecordWalk, _ seal: Seal?, _ index: RecordIndex?
  ) throws(ArchiveError) -> OpeningRecord {
    let frame = try walk.next(0)
    try ArchiveChecker.compare(frame, 0, index)
    let opening = try parsing(ArchiveReader.recordPlace(0), isSigned: seal != nil) {
      () throws(ParsingError) in try OpeningRecord(parsing: frame.record[...])
    }
    if let seal, seal.archiveID != opening.archiveID {
      throw ArchiveReader.falseSeal("the archive id is not that of record 0")
    }
    try walk.header.check(opening)
    if let seal, seal.proverKey != opening.proverKey {
      throw ArchiveReader.falseSeal("it is signed by another key than record 0 names")
    }
    _ = try parsing("\(ArchiveReader.recordPlace(0)), envelope") { () throws(ParsingError) in
      try Envelope(parsing: frame.envelope[...], chunks: [], header: walk.header)
    }
    return opening
  }

  private static func compare(
    _ frame: RecordFrame, _ number: Int, _ index: RecordIndex?
  ) throws(ArchiveError) {
    guard let index else { return }
    guard index.rows[number].hash == RecordHeader.hash(frame.record[...]) else {
      throw ArchiveError(
        .damaged, at: ArchiveReader.recordPlace(number),
        "the record is not the one in the archive root")
    }
  }

  mutating func records(_ start: RecordsPass) {
    var pass = start
    if pass.seal != nil {
      attempt("the largest updates cannot be found") { checker throws(ArchiveError) in
        pass.norms = try ArchiveReader.normsTable(checker.source, pass.seal, pass.keys)
      }
    }
    let loader = loader(pass)
    pass.drawn = draw(pass)
    if let index = pass.index {
      pass.previousHash = index.rows[0].hash
      arePlacesRight(
        index.rows[0], RecordsHeader.byteCount, pass.walk.offset, step: 0)
      for number in 1..<index.rows.count {
        progress(0.8 * Double(number) / Double(index.rows.count))
        record(number, &pass, loader)
      }
      if pass.walk.offset < pass.walk.total {
        add(
          ArchiveError(
            .malformed, at: ArchiveFiles.records,
            "\(pass.walk.total - pass.walk.offset) bytes stand after the last record"),
          "nothing; readers ignore them")
      }
    } else {
      unsealedRecords(&pass, loader)
    }
    sealed(pass)
  }

  private mutating func loader(_ pass: RecordsPass) -> ChunkLoader {
    var packs: [UInt32: OpenPack] = [:]
    if !report.isSealed {
      attempt("chunks in packs without an index cannot be found") { checker throws(ArchiveError) in
        packs = try KeptPacks(checker.source, pass.walk.header).openPacks
      }
    }
    return ChunkLoader(
      source: source, opening: pass.opening, header: pass.walk.header, keys: pass.keys,
      open: packs)
  }

  /// Up to the first frame that is torn, which is what a crash leaves at the end (§7).
  private mutating func unsealedRecords(_ pass: inout RecordsPass, _ loader: ChunkLoader) {
    var zero = pass.walk
    zero.offset = RecordsHeader.byteCount
    if let frame = try? zero.next(0) { pass.previousHash = RecordHeader.hash(frame.record[...]) }
    var number = 1
    while pass.walk.offset < pass.walk.total {
      let start = pass.walk.offset
      record(number, &pass, loader)
      // Nothing after a record that could not be read is known to be one.
      guard pass.walk.offset > start, pass.previous != nil else {
        // Whole records after it say that no crash tore it, and then training does not go on here.
        let isTorn =
          (try? RecordScan.holdsFrame(
            from: start + 1, in: source, isEncrypted: pass.walk.header.suite == 1)) != true
        if isTorn, let torn = faults.popLast()?.error {
          add(
            torn, "checkpoint \(number), which was being written, is lost",
            next: "go on with the training, which cuts off what is torn")
        }
        return
      }
      number += 1
    }
  }

  /// Reads one record and judges it; moves the pass on to the next.
  private mutating func record(_ number: Int, _ pass: inout RecordsPass, _ loader: ChunkLoader) {
    let before = number == 1 ? "the segment after it" : "the segments on both sides of it"
    let (last, lastState) = (pass.previous, pass.previousState)
    let lastHash = pass.index?.rows[number - 1].hash ?? pass.previousHash
    pass.previous = nil
    pass.previousState = nil
    let start = pass.walk.offset
    attempt("checkpoint \(number) and \(before) cannot be verified", checkpoint: number) {
      checker throws(ArchiveError) in
      let frame: RecordFrame
      do throws(ArchiveError) {
        frame = try pass.walk.next(number)
      } catch {
        if let rows = pass.index?.rows {
          pass.walk.offset = number + 1 < rows.count ? rows[number + 1].offset : pass.walk.total
        }
        throw error
      }
      try ArchiveChecker.compare(frame, number, pass.index)
      pass.previousHash = RecordHeader.hash(frame.record[...])
      let record = try ArchiveChecker.parse(frame, number, lastHash, last, pass)
      checker.report.records += 1
      pass.previous = record
      checker.arePlacesRight(
        pass.index?.rows[number], start, pass.walk.offset, step: record.step)
      try ArchiveChecker.judge(record, after: last, pass)
      let envelope = try parsing("\(pass.place(number)), envelope") { () throws(ParsingError) in
        try Envelope(
          parsing: frame.envelope[...], chunks: record.chunks, header: pass.walk.header)
      }
      if let drawn = pass.drawn {
        checker.report.sample?.allChunks += record.chunks.count
        guard drawn.contains(number) else { return }
      }
      guard pass.drawn == nil, record.stateByteCount <= ArchiveChecker.assembledLimit else {
        try loader.check(record, envelope: envelope)
        checker.report.chunks += record.chunks.count
        try ArchiveChecker.checkIDs(record, envelope, pass, loader)
        return
      }
      let state = try loader.state(
        of: record, envelope: envelope, roles: Set(TensorRole.allCases))
      checker.report.chunks += record.chunks.count
      pass.previousState = state
      try ArchiveChecker.checkIDs(record, envelope, pass, loader)
      if let lastState, UpdateNorms(from: lastState, to: state) != record.norms {
        throw ArchiveChecker.signed(
          pass.place(number), "its norms are not those of its update", pass)
      }
    }
  }

  private static func checkIDs(
    _ record: CheckpointRecord, _ envelope: Envelope, _ pass: RecordsPass, _ loader: ChunkLoader
  ) throws(ArchiveError) {
    guard pass.seal != nil else { return }
    try loader.checkStoredIDs(record, envelope: envelope, in: pass.opening.archiveID)
  }

  private static func signed(_ place: String, _ message: String, _ pass: RecordsPass)
    -> ArchiveError
  {
    ArchiveError(
      .malformed, at: place, message,
      remedy: "the prover signed this: ask for a corrected archive", isSigned: pass.seal != nil)
  }

  private static func parse(
    _ frame: RecordFrame, _ number: Int, _ lastHash: Digest, _ last: CheckpointRecord?,
    _ pass: RecordsPass
  ) throws(ArchiveError) -> CheckpointRecord {
    let record = try parsing(pass.place(number), isSigned: pass.seal != nil) {
      () throws(ParsingError) in
      try CheckpointRecord(
        parsing: frame.record[...], opening: pass.opening, after: last?.step)
    }
    guard record.sequence == UInt64(number), record.previous == lastHash else {
      throw signed(pass.place(number), "the record does not chain to the one before it", pass)
    }
    return record
  }

  /// What a record says against the record before, the dataset and the norms table.
  private static func judge(
    _ record: CheckpointRecord, after last: CheckpointRecord?, _ pass: RecordsPass
  ) throws(ArchiveError) {
    let number = Int(record.sequence)
    if let last {
      let weights = record.specs.prefix { $0.role == .weight }
      guard weights.elementsEqual(last.specs.prefix { $0.role == .weight }) else {
        throw signed(pass.place(number), "its weights are not those of the record before", pass)
      }
    }
    if let leaves = pass.leaves,
      signatureRoot(ofLeafHashes: record.steps.lazy.flatMap(\.batch).map { leaves[Int($0)] })
        != record.signatureRoot
    {
      throw signed(
        pass.place(number), "its signature root is not that of the data points it names", pass)
    }
    if number >= 2, let row = pass.norms?.rows[number - 2],
      row.norms != record.norms || row.endStep != record.step
    {
      throw signed(ArchiveFiles.norms, "row \(number - 2) differs from record \(number)", pass)
    }
  }

  /// The places in `records.index` are hints, and false ones are found here.
  private mutating func arePlacesRight(
    _ row: RecordIndex.Row?, _ start: Int, _ end: Int, step: Int
  ) {
    guard let row else { return }
    let isRight =
      row.offset == start && row.range.upperBound == end && row.step == step
    if !isRight {
      add(
        ArchiveError(
          .malformed, at: ArchiveFiles.recordIndex,
          "the place or step of the record at byte \(start) is another"),
        "the record cannot be fetched from afar")
    }
  }

  /// What the seal says of the last checkpoint.
  private mutating func sealed(_ pass: RecordsPass) {
    guard let seal = pass.seal, let last = pass.previous else { return }
    attempt("the seal cannot be believed") { _ throws(ArchiveError) in
      guard seal.stepCount == last.step else {
        throw ArchiveReader.falseSeal("the step count is not the last record's")
      }
      if let state = pass.previousState, modelDigest(of: state.tensors) != seal.modelDigest {
        throw ArchiveReader.falseSeal("the model digest is not that of the last checkpoint")
      }
    }
  }
}
