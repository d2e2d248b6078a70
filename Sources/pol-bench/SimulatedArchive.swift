import ChunkStorage
import Cryptography
import Glibc
import ProofArchive
import ProofPrimitives
import ProofRecording

/// A sealed archive of a large run whose chunks were never made: records, envelopes, pack indexes and
/// tables are genuine, packs and data points are holes of the right length.
///
/// A checkpoint is 10 GB: 200 weights of 17 MB and two moments of each, float32, in 38,400 chunks, none of
/// which is like another. Every fourth checkpoint holds key frames, the others deltas against them, as a
/// recording writes. 500 steps of 256 data points lie between two checkpoints. A frame takes 120 to 200 KiB.
struct SimulatedArchive {
  private static let tensorCount = 200
  private static let shape = [4096, 1018]
  private static let period = 4
  private static let stepsBetween = 500
  private static let batchSize = 256
  private static let pointCount = 10_000_000
  private static let pointByteCount = 3000

  let path: String
  /// With the first state.
  let checkpoints: Int

  private var key: SigningKey
  private var opening: OpeningRecord
  private let layout: ChunkLayout
  private var rows: [RecordIndex.Row] = []
  private var norms: [NormsTable.Row] = []
  private var objects: [ObjectTable.Row] = []
  private var packs: SimulatedPacks
  /// Of the last checkpoint that holds key frames.
  private var keyFrames: [Envelope.Place] = []

  /// Raw bytes of all checkpoints.
  var rawByteCount: Int { checkpoints * layout.specs.reduce(0) { $0 + $1.byteCount } }

  init(at path: String, checkpoints: Int) throws {
    self.path = path
    self.checkpoints = checkpoints
    key = try SigningKey.generate()
    var specs: [TensorSpec] = []
    for (role, prefixes) in [(TensorRole.weight, ["w"]), (.optimizer, ["exp_avg", "exp_avg_sq"])] {
      for prefix in prefixes {
        for number in 0..<SimulatedArchive.tensorCount {
          let name = "\(prefix).\(1000 + number)"
          guard
            let spec = TensorSpec(
              name: name, role: role, type: .f32, shape: SimulatedArchive.shape)
          else { throw BenchmarkFailure(message: "\(name) is no tensor") }
          specs.append(spec)
        }
      }
    }
    guard let layout = ChunkLayout(specs, sizes: .standard) else {
      throw BenchmarkFailure(message: "the state has too many chunks")
    }
    self.layout = layout
    let settings = JSONValue.map([
      ("algorithm", .string(RunDescription.importAlgorithm)),
      ("steps", .int((checkpoints - 1) * SimulatedArchive.stepsBetween)),
    ]).encoded
    let policy = Policy.proverDefault(
      every: SimulatedArchive.stepsBetween, algorithm: RunDescription.importAlgorithm
    ).encoded
    let id = SHA256.hash(Array("simulated".utf8))
    opening = OpeningRecord(
      archiveID: id, proverKey: key.verifyingKey, datasetRoot: id,
      datasetCount: SimulatedArchive.pointCount,
      settingsDigest: SHA256.hash(.settings, settings),
      policyDigest: SHA256.hash(.policy, policy), runSecret: id, salt: id, commitment: nil)
    packs = SimulatedPacks(folder: path, archiveID: id)
    for folder in ["", ArchiveFiles.packFolder, ArchiveFiles.datasetFolder] {
      try DurableFile.createDirectory("\(path)/\(folder)")
    }
    try add(settings, ArchiveFiles.settings)
    try add(policy, ArchiveFiles.policy)
  }

  /// Writes the archive: one record in memory at a time.
  mutating func write() throws {
    let records = try PlainFile("\(path)/\(ArchiveFiles.records)")
    try records.append(
      RecordsHeader(suite: 0, depth: 1, keyEpoch: 0, archiveID: opening.archiveID).encoded)
    try append(opening.encoded, Envelope(rows: []), step: 0, to: records)
    for number in 1...checkpoints {
      let (record, envelope) = try checkpoint(number)
      try append(record.encoded, envelope, step: record.step, to: records)
      if number > 1 {
        norms.append(NormsTable.Row(endStep: record.step, norms: record.norms))
      }
    }
    try packs.close()
    objects += packs.objects
    objects.append(records.object(ArchiveFiles.records))
    try dataset()
    try seal()
  }

  private mutating func append(
    _ record: [UInt8], _ envelope: Envelope, step: Int, to file: PlainFile
  ) throws {
    let frame = RecordFrame.clear(record: record, envelope: envelope)
    rows.append(
      RecordIndex.Row(
        hash: RecordHeader.hash(record[...]), offset: file.byteCount,
        frameByteCount: frame.count, step: step))
    try file.append(frame)
  }

  private mutating func checkpoint(_ number: Int) throws -> (CheckpointRecord, Envelope) {
    let isKey = (number - 1) % SimulatedArchive.period == 0
    var chunks: [Digest] = []
    var places: [Envelope.Place] = []
    for chunk in layout.chunks.indices {
      let digest = SimulatedArchive.digest(number, chunk)
      chunks.append(digest)
      places.append(try packs.append(digest))
    }
    if isKey { keyFrames = places }
    let envelope = Envelope(
      rows: places.enumerated().map {
        Envelope.Row(Envelope.Frame($1), parent: isKey ? nil : $0)
      },
      ancestors: isKey ? [] : keyFrames.map { Envelope.Row(Envelope.Frame($0)) })
    let isFirst = number == 1
    let steps = isFirst ? [] : (0..<SimulatedArchive.stepsBetween).map { step(number, $0) }
    let record = CheckpointRecord(
      sequence: UInt64(number), previous: rows.last?.hash ?? .zero,
      step: (number - 1) * SimulatedArchive.stepsBetween, steps: steps,
      signatureRoot: isFirst ? signatureRoot(of: []) : SimulatedArchive.digest(number, -1),
      norms: isFirst
        ? .zero
        : UpdateNorms(
          l1: (1000.0).bitPattern, l2: (1.0 + 1 / Double(number)).bitPattern,
          linf: (0.01).bitPattern, weightL2: (500.0).bitPattern),
      layout: layout, chunks: chunks)
    guard let record else { throw BenchmarkFailure(message: "record \(number) was not made") }
    return (record, envelope)
  }

  private func step(_ number: Int, _ step: Int) -> CheckpointRecord.Step {
    var place = UInt64(number * SimulatedArchive.stepsBetween + step)
    return CheckpointRecord.Step(
      learningRate: Float(0.001).bitPattern, loss: Float(2).bitPattern,
      batch: (0..<SimulatedArchive.batchSize).map { _ in
        place = place &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt32((place >> 33) % UInt64(SimulatedArchive.pointCount))
      })
  }

  static func digest(_ number: Int, _ chunk: Int) -> Digest {
    var writer = ByteWriter()
    writer.u64(UInt64(number))
    writer.u64(UInt64(bitPattern: Int64(chunk)))
    return SHA256.hash(writer.bytes)
  }

  /// Data points, offsets and tree as holes: opening an archive reads none of them.
  private mutating func dataset() throws {
    let count = SimulatedArchive.pointCount
    var files = [
      (ArchiveFiles.points, count * SimulatedArchive.pointByteCount),
      (ArchiveFiles.offsets, (count + 1) * 8),
    ]
    var (level, nodes) = (0, count)
    while nodes > 0 {
      files.append((ArchiveFiles.tree(level: level), nodes * Digest.byteCount))
      (level, nodes) = (level + 1, nodes >> 8)
    }
    for (name, byteCount) in files {
      try PlainFile("\(path)/\(name)").grow(to: byteCount)
      objects.append(
        ObjectTable.Row(
          name: name, byteCount: byteCount, digest: SimulatedArchive.digest(byteCount, -2)))
    }
  }

  private mutating func seal() throws {
    let table = NormsTable(rows: norms).encoded
    try add(RecordIndex(rows: rows).encoded, ArchiveFiles.recordIndex)
    try add(table, ArchiveFiles.norms)
    let objects = ObjectTable(rows: self.objects)
    try DurableFile.write(objects.encoded, to: "\(path)/\(ArchiveFiles.objects)")
    let seal = try Seal(
      archiveID: opening.archiveID, archiveRoot: RecordIndex(rows: rows).root,
      recordCount: rows.count, stepCount: rows.last?.step ?? 0,
      modelDigest: SimulatedArchive.digest(checkpoints, -3), objectRoot: objects.root,
      objectCount: objects.rows.count, normsDigest: NormsTable.digest(table),
      finalRecord: rows.last?.hash ?? .zero, signedBy: key)
    try DurableFile.write(seal.encoded, to: "\(path)/\(ArchiveFiles.seal)")
  }

  private mutating func add(_ bytes: [UInt8], _ name: String) throws {
    try DurableFile.write(bytes, to: "\(path)/\(name)")
    objects.append(
      ObjectTable.Row(name: name, byteCount: bytes.count, digest: SHA256.hash(bytes)))
  }
}

/// Packs of frames that are holes, each with its genuine index.
private struct SimulatedPacks {
  let folder: String
  let archiveID: Digest
  private(set) var objects: [ObjectTable.Row] = []
  private var number: UInt32 = 0
  private var frames: [(storedID: Digest, byteCount: Int)] = []
  private var byteCount = PackIndex.packHeaderByteCount

  init(folder: String, archiveID: Digest) {
    self.folder = folder
    self.archiveID = archiveID
  }

  mutating func append(_ digest: Digest) throws -> Envelope.Place {
    if byteCount >= PackWriter.targetByteCount {
      try close()
      number += 1
      frames = []
      byteCount = PackIndex.packHeaderByteCount
    }
    let length = 120 << 10 + (Int(digest.bytes[0]) << 8 | Int(digest.bytes[1])) * 80 / 64
    frames.append((PackWriter.storedID(of: digest, in: archiveID), length))
    byteCount += length
    return Envelope.Place(pack: number, frame: UInt32(frames.count - 1))
  }

  mutating func close() throws {
    let index = PackIndex(packNumber: number, frames: frames).encoded
    let (name, indexName) = (ArchiveFiles.pack(number), ArchiveFiles.packIndex(number))
    let pack = try PlainFile("\(folder)/\(name)")
    try pack.append(PackWriter.header(number))
    try pack.grow(to: byteCount)
    let file = try PlainFile("\(folder)/\(indexName)")
    try file.append(index)
    objects.append(file.object(indexName))
    // Nobody hashes 64 MiB of holes: reading the archive does not either.
    objects.append(
      ObjectTable.Row(
        name: name, byteCount: byteCount, digest: SimulatedArchive.digest(Int(number), -4)))
  }
}

/// A new file that is written without syncs: there are twenty thousand, and none outlives the measurement.
private final class PlainFile {
  private let descriptor: Int32
  private let path: String
  private let hasher = SHA256()
  private(set) var byteCount = 0

  init(_ path: String) throws {
    self.path = path
    descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw failure("making it") }
  }

  deinit { close(descriptor) }

  private func failure(_ what: String) -> BenchmarkFailure {
    BenchmarkFailure(message: "\(path): \(what): \(String(cString: strerror(errno)))")
  }

  func append(_ bytes: [UInt8]) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      guard count > 0 else { throw failure("writing") }
      rest = rest.dropFirst(count)
    }
    hasher.update(bytes)
    byteCount += bytes.count
  }

  /// A hole to the end.
  func grow(to byteCount: Int) throws {
    guard ftruncate(descriptor, byteCount) == 0 else { throw failure("setting its length") }
  }

  /// The row of what was appended.
  func object(_ name: String) -> ObjectTable.Row {
    ObjectTable.Row(name: name, byteCount: byteCount, digest: hasher.finish())
  }
}
