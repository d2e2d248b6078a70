package import ChunkStorage
internal import Cryptography
package import ProofPrimitives

/// Reads an archive from a directory or a server and fetches only what it is asked for.
///
/// Everything it gives was checked against the signed seal: record hashes against the archive root, a
/// record against its hash, a chunk against its digest, a data point against the dataset root.
package final class ArchiveReader {
  package let source: any ObjectSource
  /// The same source, with what was asked for ahead.
  let staged: StagedObjectSource
  /// Nil when the archive is unfinished, which only `init(unsealed:)` accepts.
  package let seal: Seal?
  package let index: RecordIndex
  package let opening: OpeningRecord
  /// `settings.json` as it stands; its digest is record 0's.
  package let settings: [UInt8]
  package let policy: [UInt8]
  package let dataset: DatasetReader
  /// What stands after the last whole record of an unfinished archive; nil when nothing does.
  package let tornTail: String?

  let header: RecordsHeader
  /// Nil for an archive that is not encrypted.
  let keys: ArchiveKeys?
  let loader: ChunkLoader
  /// The record that was read last, and those beside it.
  private var frames: [Int: RecordFrame] = [:]
  private var objects: ObjectTable?
  /// 1 MiB: settings and policies are a page of text.
  static let textLimit = 1 << 20

  /// Opens a sealed archive: reads the seal, the record index, record 0, settings and policy, in two round
  /// trips.
  ///
  /// - Parameter ahead: What is fetched along with that.
  /// - Throws: `.missing` when there is no seal; `.damaged` when the signature or a digest does not
  ///   match.
  ///   For an encrypted archive also as `ArchiveAccess` and `Grant` say.
  package init(
    _ source: any ObjectSource, access: ArchiveAccess = .none, ahead: ReadAhead = .nothing
  ) throws(ArchiveError) {
    self.source = source
    staged = StagedObjectSource(source)
    try ArchiveReader.stageTables(staged, ahead)
    let seal = try ArchiveReader.seal(in: staged)
    keys = try access.keys(for: seal)
    index = try ArchiveReader.index(staged, seal, keys)
    self.seal = seal
    tornTail = nil
    try ArchiveReader.stageRecords(staged, index, [0] + ahead.records)
    header = try RecordsHeader.load(staged, seal: seal)
    opening = try ArchiveReader.opening(staged, index, keys)
    guard opening.archiveID == seal.archiveID else {
      throw ArchiveReader.falseSeal("the archive id is not that of record 0")
    }
    try header.check(opening)
    (settings, policy) = try ArchiveReader.texts(staged, opening, keys)
    dataset = DatasetReader(
      source: staged, root: opening.datasetRoot, count: opening.datasetCount, keys: keys)
    loader = ChunkLoader(source: staged, opening: opening, header: header, keys: keys)
  }

  /// Opens an archive that may be unfinished, by walking its records: for looking at it locally.
  package init(
    unsealed source: any ObjectSource, access: ArchiveAccess = .none
  ) throws(ArchiveError) {
    self.source = source
    staged = StagedObjectSource(source)
    let scan = try RecordScan(source, access: access)
    keys = scan.keys
    seal = nil
    header = scan.header
    index = RecordIndex(rows: scan.rows)
    tornTail = scan.tail
    opening = scan.opening
    (settings, policy) = try ArchiveReader.texts(source, opening, keys)
    dataset = DatasetReader(
      source: staged, root: opening.datasetRoot, count: opening.datasetCount, keys: keys)
    let kept = try KeptPacks(source, header)
    loader = ChunkLoader(
      source: staged, opening: opening, header: header, keys: keys, open: kept.openPacks)
  }

  /// The seal with its signature checked: its fields are what the holder of its key said.
  package static func seal(in source: any ObjectSource) throws(ArchiveError) -> Seal {
    let place = "\(source.location)/\(ArchiveFiles.seal)"
    let bytes: [UInt8]?
    do throws(StorageError) {
      bytes = try source.readWhole(ArchiveFiles.seal, limit: Seal.byteCount)
    } catch {
      guard error.code == .limit else { throw ArchiveError(error) }
      throw ArchiveError(.damaged, at: place, "the seal is longer than \(Seal.byteCount) bytes")
    }
    guard let bytes else {
      throw ArchiveError(
        .missing, at: place, "the archive has no seal",
        remedy: "check the path; an unfinished archive is sealed with `pol seal`")
    }
    try parsing(place) { () throws(ParsingError) in try Seal.checkSignature(bytes) }
    return try parsing(place, isSigned: true) { () throws(ParsingError) in
      try Seal(parsing: bytes)
    }
  }

  /// A field of a signed seal that does not fit what it signs.
  static func falseSeal(_ message: String) -> ArchiveError {
    ArchiveError(
      .malformed, at: ArchiveFiles.seal, message,
      remedy: "the prover signed this: ask for a corrected archive", isSigned: true)
  }

  /// The record hashes, whose root is the signed one; their places are hints.
  static func index(
    _ source: any ObjectSource, _ seal: Seal, _ keys: ArchiveKeys?
  ) throws(ArchiveError) -> RecordIndex {
    let table = try file(
      ArchiveFiles.recordIndex, .recordIndex, in: source, limit: RecordIndex.byteLimit, keys)
    let place = "\(source.location)/\(ArchiveFiles.recordIndex)"
    let index = try parsing(place) { () throws(ParsingError) in
      try RecordIndex(parsing: table)
    }
    guard index.root == seal.archiveRoot else {
      throw ArchiveError(
        .damaged, at: place, "the record hashes do not give the archive root")
    }
    guard index.rows.count == seal.recordCount, index.rows.last?.hash == seal.finalRecord else {
      throw falseSeal("the record count or the final record is not that of the archive root")
    }
    return index
  }

  static func whole(
    _ name: String, in source: any ObjectSource, limit: Int
  ) throws(ArchiveError) -> [UInt8] {
    let bytes = try storing { () throws(StorageError) in
      try source.readWhole(name, limit: limit)
    }
    guard let bytes else {
      throw ArchiveError(.missing, at: "\(source.location)/\(name)", "the file is not there")
    }
    return bytes
  }

  /// A whole file, opened where the archive is encrypted.
  static func file(
    _ name: String, _ kind: ObjectKind, in source: any ObjectSource, limit: Int,
    _ keys: ArchiveKeys?
  ) throws(ArchiveError) -> [UInt8] {
    guard let keys else { return try whole(name, in: source, limit: limit) }
    let bytes = try whole(
      name, in: source,
      limit: limit + EncryptedFile.headerByteCount + ObjectCipher.tagByteCount)
    return try keys.openFile(bytes, kind, at: "\(source.location)/\(name)")
  }

  private static func opening(
    _ source: any ObjectSource, _ index: RecordIndex, _ keys: ArchiveKeys?
  ) throws(ArchiveError) -> OpeningRecord {
    // Always: a seal counts two records at least, and the index has as many.
    guard let row = index.rows.first else {
      throw ArchiveError(.damaged, at: ArchiveFiles.recordIndex, "there are no records")
    }
    let frame = try frame(row, number: 0, in: source, keys)
    return try parsing(recordPlace(0, row, source), isSigned: true) { () throws(ParsingError) in
      try OpeningRecord(parsing: frame.record[...])
    }
  }

  static func recordPlace(_ number: Int) -> String {
    "\(ArchiveFiles.records), record \(number)"
  }

  /// With the server, and where the frame begins.
  private static func recordPlace(
    _ number: Int, _ row: RecordIndex.Row, _ source: any ObjectSource
  ) -> String {
    "\(source.location)/\(ArchiveFiles.records), record \(number) at byte \(row.offset)"
  }

  static func texts(
    _ source: any ObjectSource, _ opening: OpeningRecord, _ keys: ArchiveKeys?
  ) throws(ArchiveError) -> (settings: [UInt8], policy: [UInt8]) {
    let settings = try file(
      ArchiveFiles.settings, .settings, in: source, limit: textLimit, keys)
    guard SHA256.hash(.settings, settings) == opening.settingsDigest else {
      throw ArchiveError(
        .damaged, at: "\(source.location)/\(ArchiveFiles.settings)",
        "these are not the settings that record 0 names")
    }
    let policy = try file(ArchiveFiles.policy, .policy, in: source, limit: textLimit, keys)
    guard SHA256.hash(.policy, policy) == opening.policyDigest else {
      throw ArchiveError(
        .damaged, at: "\(source.location)/\(ArchiveFiles.policy)",
        "this is not the policy that record 0 names")
    }
    return (settings, policy)
  }

  private static func frame(
    _ row: RecordIndex.Row, number: Int, in source: any ObjectSource, _ keys: ArchiveKeys?
  ) throws(ArchiveError) -> RecordFrame {
    let bytes = try source.bytes(of: ArchiveFiles.records, row.range)
    let place = recordPlace(number, row, source)
    let frame = try RecordFrame(parsing: bytes, number: number, keys: keys, at: place)
    guard RecordHeader.hash(frame.record[...]) == row.hash else {
      throw ArchiveError(
        .damaged, at: place, "the record is not the one in the archive root")
    }
    return frame
  }

  /// How many segments there are between checkpoints.
  package var segmentCount: Int { max(0, index.rows.count - 2) }

  /// Record `number`, from 1, checked against its hash; its chain link checked too.
  package func checkpoint(_ number: Int) throws(ArchiveError) -> CheckpointRecord {
    let frame = try loadFrame(number)
    let place = place(ofRecord: number)
    let record = try parsing(place, isSigned: seal != nil) {
      () throws(ParsingError) in
      try CheckpointRecord(parsing: frame.record[...], opening: opening)
    }
    // Not its first step: parsing has it at 0 or above, and that it is the last one's step is the verifier's
    // to judge.
    guard record.sequence == UInt64(number), record.previous == index.rows[number - 1].hash else {
      throw ArchiveError(
        .malformed, at: place, "the record does not chain to the one before it",
        remedy: "the prover signed this: ask for a corrected archive", isSigned: seal != nil)
    }
    return record
  }

  private func place(ofRecord number: Int) -> String {
    ArchiveReader.recordPlace(number, index.rows[number], staged)
  }

  /// Asks for the frames of these records ahead, in one round trip. Unless they are all here, what an
  /// earlier call asked for is forgotten.
  package func prefetch(_ numbers: ClosedRange<Int>) throws(ArchiveError) {
    let wanted = numbers.filter { index.rows.indices.contains($0) && frames[$0] == nil }
    let isHere = wanted.allSatisfy {
      staged.holds(ObjectRequest(ArchiveFiles.records, .range(index.rows[$0].range)))
    }
    guard !isHere else { return }
    staged.discard(ArchiveFiles.records)
    try ArchiveReader.stageRecords(staged, index, wanted)
  }

  private func loadFrame(_ number: Int) throws(ArchiveError) -> RecordFrame {
    if let known = frames[number] { return known }
    precondition(index.rows.indices.contains(number) && number >= 1, "no such checkpoint record")
    let frame = try ArchiveReader.frame(index.rows[number], number: number, in: staged, keys)
    // Those of a segment are read together.
    frames = frames.filter { abs($0.key - number) == 1 }
    frames[number] = frame
    return frame
  }

  /// The state of checkpoint record `number`: the tensors of `roles`, no other chunk fetched.
  package func state(
    _ number: Int, roles: Set<TensorRole> = Set(TensorRole.allCases)
  ) throws(ArchiveError) -> TrainingState {
    let record = try checkpoint(number)
    defer { staged.discard("\(ArchiveFiles.packFolder)/") }
    return try loader.state(of: record, envelope: try envelope(number), roles: roles)
  }

  /// Reads every chunk of checkpoint record `number` and compares it with its digest.
  func checkChunks(_ number: Int) throws(ArchiveError) {
    try loader.check(try checkpoint(number), envelope: try envelope(number))
  }

  /// Where a stored frame stands in its pack. Fetches the pack's index, and no frame.
  package func storedRange(_ place: Envelope.Place) throws(ArchiveError) -> Range<Int> {
    try loader.catalog.row(place, for: "a chunk").range
  }

  /// Where the chunks of checkpoint record `number` are stored.
  package func envelope(_ number: Int) throws(ArchiveError) -> Envelope {
    let frame = try loadFrame(number)
    let record = try checkpoint(number)
    return try parsing("\(place(ofRecord: number)), envelope") {
      () throws(ParsingError) in
      try Envelope(
        parsing: frame.envelope[...], chunks: record.chunks, header: header)
    }
  }

  /// The norms of all segments, checked against the digest in the seal.
  package func normsTable() throws(ArchiveError) -> NormsTable {
    try ArchiveReader.normsTable(staged, seal, keys)
  }

  static func normsTable(
    _ source: any ObjectSource, _ seal: Seal?, _ keys: ArchiveKeys?
  ) throws(ArchiveError) -> NormsTable {
    let bytes = try ArchiveReader.file(
      ArchiveFiles.norms, .norms, in: source, limit: NormsTable.byteLimit, keys)
    if let seal, NormsTable.digest(bytes) != seal.normsDigest {
      throw ArchiveError(
        .damaged, at: "\(source.location)/\(ArchiveFiles.norms)",
        "these are not the norms that the seal names")
    }
    let table = try parsing("\(source.location)/\(ArchiveFiles.norms)", isSigned: seal != nil) {
      () throws(ParsingError) in try NormsTable(parsing: bytes)
    }
    if let seal, table.rows.count != seal.segmentCount {
      throw ArchiveError(
        .malformed, at: ArchiveFiles.norms, "not one row for each segment", isSigned: true)
    }
    return table
  }

  /// Bytes of all published files, by the object table.
  package func storedByteCount() throws(ArchiveError) -> Int {
    let table = try objectTable()
    return table.rows.reduce(table.encoded.count + Seal.byteCount) {
      // A false length may be as large as can be written.
      let (sum, overflow) = $0.addingReportingOverflow($1.byteCount)
      return overflow ? Int.max : sum
    }
  }

  /// The object table, checked against the seal; fetched once.
  func objectTable() throws(ArchiveError) -> ObjectTable {
    if let objects { return objects }
    guard let seal else {
      throw ArchiveError(.missing, at: ArchiveFiles.seal, "the archive is not sealed")
    }
    let table = try ObjectTable.load(staged, seal).table
    objects = table
    return table
  }

  /// What the prover says of the result; nil when nothing. Compared with the object table, so that
  /// neither a changed claim nor a removed one is taken for the prover's word.
  package func claims() throws(ArchiveError) -> JSONValue? {
    let bytes = try storing { () throws(StorageError) in
      try source.readWhole(ArchiveFiles.claims, limit: ArchiveReader.textLimit)
    }
    if seal != nil {
      let sealed = try objectTable().rows.first { $0.name == ArchiveFiles.claims }
      guard sealed?.digest == bytes.map({ SHA256.hash($0) }) else {
        throw ArchiveError(
          bytes == nil ? .missing : .damaged, at: "\(source.location)/\(ArchiveFiles.claims)",
          "these are not the claims that were sealed")
      }
    }
    guard var bytes else { return nil }
    if let keys { bytes = try keys.openFile(bytes, .claims, at: ArchiveFiles.claims) }
    return try parsing(ArchiveFiles.claims, isSigned: seal != nil) { () throws(ParsingError) in
      try JSONValue(parsing: bytes, form: .canonical)
    }
  }

  /// SHA-256 of every chunk of the final checkpoint's weights and buffers stands in its record; this is
  /// how a model file is compared without fetching a weight.
  package func holds(model tensors: [Tensor], at number: Int) throws(ArchiveError) -> Bool {
    let record = try checkpoint(number)
    let own = record.specs.filter { $0.role == .weight || $0.role == .buffer }
    // Roles of a file's tensors are not known: they are taken from the record by name.
    var byName: [[UInt8]: Tensor] = [:]
    for tensor in tensors { byName[Array(tensor.spec.name.utf8)] = tensor }
    guard byName.count == tensors.count, own.count == tensors.count else { return false }
    var renamed: [Tensor] = []
    for spec in own {
      guard let found = byName[Array(spec.name.utf8)], found.spec.type == spec.type,
        found.spec.shape == spec.shape, let tensor = Tensor(spec, bytes: found.bytes)
      else { return false }
      renamed.append(tensor)
    }
    guard let state = TrainingState(renamed),
      let layout = ChunkLayout(own, sizes: opening.sizes)
    else { return false }
    let digests = layout.chunks.indices.map {
      SHA256.hash(layout.bytes(ofChunk: $0, in: state))
    }
    let recorded = record.layout.chunks.indices
      .filter { [.weight, .buffer].contains(record.layout.role(ofChunk: $0)) }
      .map { record.chunks[$0] }
    return digests == recorded
  }
}

extension TrainingState {
  /// Whether every chunk of this state is the one that `record` names: the whole state is compared, and
  /// nothing is fetched.
  package func matches(_ record: CheckpointRecord) -> Bool { firstMismatch(with: record) == nil }

  /// The name of the first tensor that differs from `record`, or of what differs instead.
  ///
  /// - Parameter roles: Only these are compared.
  package func firstMismatch(
    with record: CheckpointRecord, roles: Set<TensorRole> = Set(TensorRole.allCases)
  ) -> String? {
    guard tensors.map(\.spec) == record.specs else { return "the set of tensors" }
    for chunk in record.layout.chunks.indices
    where roles.contains(record.layout.role(ofChunk: chunk))
      && SHA256.hash(record.layout.bytes(ofChunk: chunk, in: self)) != record.chunks[chunk]
    {
      return record.layout.chunks[chunk].first.map { record.specs[$0.tensor] }
        .map { "\($0.role.name) \(printable($0.name))" } ?? "a chunk"
    }
    return nil
  }
}
