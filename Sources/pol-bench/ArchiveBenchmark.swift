import CheckpointFiles
import ChunkStorage
import Cryptography
import Dispatch
import Glibc
import ProofArchive
import ProofPrimitives
import ProofRecording
import Synchronization

/// The archive's speeds over SHA-256's, on runs that were really trained, in one process.
///
/// Of each speed the best of several rounds counts, in processor time: whatever else the machine does
/// only adds. Two cores are compared with one by wall clock, in turns.
struct ArchiveBenchmark {
  private static let rounds = 9
  private static let mebibyte = 1 << 20

  /// Checkpoints in memory, so that reading files is no part of what is measured.
  private let states: [TrainingState]
  private let files: [String]
  private let scratch: String
  private let key: SigningKey

  init(run: String, scratch: String) throws {
    files = try sortedFiles(run)
    states = try files.map { path in
      let source = try CheckpointSource(opening: path)
      let tensors = try source.specs.enumerated().compactMap { number, spec in
        Tensor(
          spec,
          bytes: try [UInt8](unsafeUninitializedCapacity: spec.byteCount) { out, count in
            try source.read(tensor: number, at: 0, into: UnsafeMutableRawBufferPointer(out))
            count = spec.byteCount
          })
      }
      guard let state = TrainingState(tensors) else {
        throw BenchmarkFailure(message: "\(path) is no state")
      }
      return state
    }
    self.scratch = scratch
    key = try SigningKey.generate()
  }

  private var rawByteCount: Int {
    states.reduce(0) { $0 + $1.tensors.reduce(0) { $0 + $1.bytes.count } }
  }

  func rows() throws -> [JSONValue] {
    var filters = ArchiveWriter.Options()
    filters.usesDeltas = false
    let deltas = ArchiveWriter.Options()
    var encrypted = ArchiveWriter.Options()
    encrypted.epochKey = EpochKey.generate()
    var two = ArchiveWriter.Options()
    two.workers = 2
    var best: [String: Double] = [:]
    func keep(_ name: String, _ speed: Double) { best[name] = max(best[name] ?? 0, speed) }
    for _ in 0..<ArchiveBenchmark.rounds {
      keep("sha256", hashSpeed())
      keep("archive.record.filters", Double(rawByteCount) / (try record(filters).processor))
      let one = try record(deltas)
      keep("archive.record.delta", Double(rawByteCount) / one.processor)
      keep("one", Double(rawByteCount) / one.wall)
      keep("two", Double(rawByteCount) / (try record(two).wall))
      keep("twice", Double(2 * rawByteCount) / (try recordTwice(deltas)))
      keep("archive.record.encrypted", Double(rawByteCount) / (try record(encrypted).processor))
    }
    let (path, seal) = try sealed(deltas)
    keep("archive.seal", seal)
    let reader = try ArchiveReader(DirectoryObjectSource(path))
    for _ in 0..<ArchiveBenchmark.rounds {
      keep("sha256", hashSpeed())
      keep("archive.restore", try restore(reader))
    }
    var rows = ["filters", "delta", "encrypted"].map { "archive.record.\($0)" }
    rows += ["archive.seal", "archive.restore"]
    let speed = best["sha256"] ?? 1
    var out = rows.map { name in
      ArchiveBenchmark.row(name, (best[name] ?? 0) / speed, speed: best[name])
    }
    out.append(
      ArchiveBenchmark.row("archive.record.two_cores", (best["two"] ?? 0) / (best["one"] ?? 1)))
    out.append(
      ArchiveBenchmark.row(
        "archive.record.two_cores_limit", (best["twice"] ?? 0) / (best["one"] ?? 1)))
    out.append(ArchiveBenchmark.row("archive.index_share", try indexShare(path)))
    out += try oneOfMany(reader)
    out += try slice(reader)
    try removeFolder(path)
    return out
  }

  static func row(_ id: String, _ ratio: Double, speed: Double? = nil) -> JSONValue {
    var members: [(String, JSONValue)] = [("id", .string(id)), ("ratio", .double(ratio))]
    if let speed { members.append(("bytesPerSecond", .double(speed))) }
    return .map(members)
  }

  /// Bytes a second of OpenSSL's SHA-256 on one core.
  private func hashSpeed() -> Double {
    let bytes = [UInt8](repeating: 7, count: 64 * ArchiveBenchmark.mebibyte)
    var best = 0.0
    for _ in 0..<5 {
      let mark = processorSeconds()
      _ = SHA256.hash(bytes)
      best = max(best, Double(bytes.count) / (processorSeconds() - mark))
    }
    return best
  }

  private func writer(_ path: String, _ options: ArchiveWriter.Options) throws -> RecordedRun {
    try removeFolder(path)
    return try prepareRun(
      at: path, proverKey: key.verifyingKey,
      settings: RunDescription(
        parsing: JSONValue.map([
          ("algorithm", .string(RunDescription.importAlgorithm)), ("steps", .int(states.count - 1)),
        ]).encoded),
      policy: Policy.proverDefault(
        every: 1, algorithm: RunDescription.importAlgorithm, steps: states.count - 1, passes: 0),
      points: [], options: options)
  }

  private func append(_ run: RecordedRun) throws {
    for (number, state) in states.enumerated() {
      try run.writer.append(
        state, steps: [],
        gap: number == 0 ? nil : CheckpointRecord.Gap(lostSteps: 1, cause: "imported"))
    }
  }

  /// Without syncs: the disk's speed is not the archive's.
  private func record(
    _ options: ArchiveWriter.Options
  ) throws -> (processor: Double, wall: Double) {
    let path = "\(scratch)/record.pol"
    let run = try writer(path, options)
    warmMemory()
    let (processor, wall) = (processorSeconds(), wallSeconds())
    try append(run)
    let used = (processorSeconds() - processor, wallSeconds() - wall)
    try removeFolder(path)
    return used
  }

  /// Seconds for two recordings at a time, each by one thread and into an archive of its own: what the
  /// machine has to give to two cores.
  private func recordTwice(_ options: ArchiveWriter.Options) throws -> Double {
    let paths = ["\(scratch)/record-a.pol", "\(scratch)/record-b.pol"]
    // Each is used by one thread alone.
    nonisolated(unsafe) let runs = try paths.map { try writer($0, options) }
    let results = Mutex<[any Error]>([])
    warmMemory()
    let wall = wallSeconds()
    DispatchQueue.concurrentPerform(iterations: runs.count) { number in
      do { try append(runs[number]) } catch { results.withLock { $0.append(error) } }
    }
    let used = wallSeconds() - wall
    for path in paths { try removeFolder(path) }
    if let error = results.withLock({ $0.first }) { throw error }
    return used
  }

  private func sealed(_ options: ArchiveWriter.Options) throws -> (path: String, speed: Double) {
    let path = "\(scratch)/sealed.pol"
    let run = try writer(path, options)
    try append(run)
    try run.writer.sync()
    let mark = processorSeconds()
    _ = try run.writer.seal(with: key)
    let used = processorSeconds() - mark
    let reader = try ArchiveReader(DirectoryObjectSource(path))
    return (path, Double(try reader.storedByteCount()) / used)
  }

  private func restore(_ reader: ArchiveReader) throws -> Double {
    warmMemory()
    let mark = processorSeconds()
    for number in 1..<reader.index.rows.count { _ = try reader.state(number) }
    return Double(rawByteCount) / (processorSeconds() - mark)
  }

  /// Everything in the archive that is no chunk's payload, over the raw bytes.
  private func indexShare(_ path: String) throws -> Double {
    let source = try DirectoryObjectSource(path)
    var total = 0
    for name in ["records", "records.index", "norms", "objects", "seal"] {
      total += try source.byteCount(of: name) ?? 0
    }
    var number: UInt32 = 0
    while let bytes = try source.readWhole(
      ArchiveFiles.packIndex(number), limit: PackIndex.byteLimit)
    {
      let index = try PackIndex(parsing: bytes)
      total += bytes.count + PackIndex.packHeaderByteCount
      total += index.rows.count * ChunkFrame.headerByteCount
      number += 1
    }
    return Double(total) / Double(rawByteCount)
  }

  /// One checkpoint to a file: what it takes beside decoding, over a copy of the raw file.
  private func oneOfMany(_ reader: ArchiveReader) throws -> [JSONValue] {
    let number = max(1, states.count / 2)
    var best = (export: Double.infinity, decode: Double.infinity, copy: Double.infinity)
    for round in 0..<5 {
      let out = "\(scratch)/one-\(round).safetensors"
      var mark = wallSeconds()
      let writer = CheckpointWriter(
        try reader.source(number), roles: Set(TensorRole.allCases), replaces: true)
      try writer.writeSafetensors(to: out, metadata: [], prefixesRoles: true)
      best.export = min(best.export, wallSeconds() - mark)
      unlink(out)
      mark = wallSeconds()
      _ = try reader.state(number)
      best.decode = min(best.decode, wallSeconds() - mark)
      mark = wallSeconds()
      try copy(files[number - 1], to: out)
      best.copy = min(best.copy, wallSeconds() - mark)
      unlink(out)
    }
    return [
      ArchiveBenchmark.row(
        "archive.restore_one_over_cp", max(0, best.export - best.decode) / best.copy)
    ]
  }

  private func copy(_ path: String, to out: String) throws {
    let source = try RandomAccessFile(path)
    var bytes: [UInt8] = []
    var offset = 0
    while offset < source.byteCount {
      let end = min(source.byteCount, offset + 8 * ArchiveBenchmark.mebibyte)
      bytes += try source.bytes(offset..<end)
      offset = end
    }
    try DurableFile.write(bytes, to: out)
  }

  /// 1 MiB from the middle of the largest tensor of a checkpoint that is no key frame.
  private func slice(_ reader: ArchiveReader) throws -> [JSONValue] {
    let source = reader.source
    var worst = (ranges: 0, bytes: 0)
    for number in 1..<reader.index.rows.count {
      let state = try reader.source(number)
      guard
        let largest = state.specs.indices.max(by: {
          state.specs[$0].byteCount < state.specs[$1].byteCount
        })
      else { continue }
      let count = min(ArchiveBenchmark.mebibyte, state.specs[largest].byteCount)
      let from = (state.specs[largest].byteCount - count) / 2
      var out = [UInt8](repeating: 0, count: count)
      let before = source.transfer
      try out.withUnsafeMutableBytes {
        try state.read(tensor: largest, at: from, into: $0)
      }
      let after = source.transfer
      worst.ranges = max(worst.ranges, after.requests - before.requests)
      worst.bytes = max(worst.bytes, after.bytes - before.bytes)
    }
    return [
      ArchiveBenchmark.row("archive.slice_ranges", Double(worst.ranges)),
      ArchiveBenchmark.row("archive.slice_bytes", Double(worst.bytes)),
    ]
  }
}
