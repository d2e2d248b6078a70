import Cryptography
import Glibc
import ProofArchive
import ProofPrimitives
import ProofRecording
import Reexecution

/// Trains with recording and compares the processor time of the recorder's calls with that of the steps.
///
/// Both are taken in the same run: the difference of two runs would be the noise of a busy machine. Of
/// the repetitions the one with the smallest share counts: whatever else the machine does only adds.
struct RecordingBenchmark {
  let layers: [Int]
  let batchSize: Int
  let steps: Int
  let every: Int
  let repetitions: Int
  let folder: String

  func run() throws -> JSONValue {
    let settings = try self.settings()
    let points = syntheticPoints()
    let prepared = try PreparedPoints(points, settings: settings)
    var best = (training: 1.0, recording: Double.infinity)
    var stateByteCount = 0
    for repetition in 0..<repetitions {
      let (recorder, byteCount) = try makeRecorder(settings, points, repetition)
      stateByteCount = byteCount
      let measured = try train(settings, prepared, recorder)
      if measured.recording / measured.training < best.recording / best.training { best = measured }
    }
    return .map([
      ("trainingSeconds", .double(best.training)), ("recordingSeconds", .double(best.recording)),
      ("overheadShare", .double(best.recording / best.training)),
      ("stateBytes", .int(stateByteCount)), ("layers", .array(layers.map { .int($0) })),
      ("batch", .int(batchSize)), ("every", .int(every)), ("steps", .int(steps)),
    ])
  }

  private func settings() throws -> RunSettings {
    guard let scale = SettingsDecimal("0.00390625"), let base = SettingsDecimal("0.01"),
      let momentum = SettingsDecimal("0.9"), let decay = SettingsDecimal("0.0001")
    else { throw BenchmarkFailure(message: "a decimal is malformed") }
    return try RunSettings(
      batchSize: batchSize, training: RunSettings.IndexRange(first: 0, count: 4096),
      heldOut: RunSettings.IndexRange(first: 4096, count: 0), initialization: .kaimingUniform,
      inputScale: scale, layers: layers, momentum: momentum,
      schedule: LearningRateSchedule(base: base, kind: .constant, warmUpSteps: 0), steps: steps,
      weightDecay: decay)
  }

  /// Seeded noise: what is learned does not matter for the time it takes.
  private func syntheticPoints() -> [DataPoint] {
    var generator = ChaCha20Generator(key: [UInt8](repeating: 7, count: 32))
    let width = layers.first ?? 1
    let classes = UInt32(layers.last ?? 1)
    return (0..<4096).compactMap { _ in
      let bytes = (0..<width).map { _ in UInt8(truncatingIfNeeded: generator.nextWord()) }
      return DataPoint(
        type: .u8, shape: [width], bytes: bytes, label: Int64(generator.next(below: classes)))
    }
  }

  private func makeRecorder(
    _ settings: RunSettings, _ points: [DataPoint], _ repetition: Int
  ) throws -> (Recorder, Int) {
    let manifest = DatasetManifest(points: points, secret: .open)
    let policy = Policy.proverDefault(every: every)
    let zero = Digest.zero
    let opening = OpeningRecord(
      archiveID: zero, proverKey: try SigningKey.generate().verifyingKey,
      datasetRoot: manifest.root, datasetCount: manifest.count,
      settingsDigest: SHA256.hash(.settings, settings.canonicalBytes),
      policyDigest: SHA256.hash(.policy, policy.encoded), runSecret: zero, salt: zero,
      commitment: nil)
    let path = "\(folder)/\(layers.count)-\(every)-\(repetition).pol"
    try removeFolder(path)
    let writer = try ArchiveWriter.create(
      at: path, opening: opening,
      settings: settings.canonicalBytes, policy: policy.encoded, dataset: manifest)
    let stateBytes = 2 * 4 * settings.parameterCount
    return (Recorder(writer, schedule: policy.schedule, totalSteps: steps), stateBytes)
  }

  /// Processor seconds of the steps, and of taking the state and recording it.
  private func train(
    _ settings: RunSettings, _ points: PreparedPoints, _ recorder: Recorder
  ) throws -> (training: Double, recording: Double) {
    let seed = Digest.zero
    let executor = ReferenceExecutor(settings: settings)
    let trainer = ReferenceTrainer(settings: settings, runSeed: seed)
    var training = 0.0
    var recording = 0.0
    var mark = processorSeconds()
    func lap() -> Double {
      let now = processorSeconds()
      defer { mark = now }
      return now - mark
    }
    try recorder.checkpoint(trainer.state)
    recording += lap()
    for step in 0..<steps {
      let batch = try executor.batch(ofStep: step, runSeed: seed)
      let rate = executor.learningRate(ofStep: step)
      let loss = try trainer.step(batch: batch, learningRate: rate, points: points)
      training += lap()
      try recorder.add(
        CheckpointRecord.Step(
          learningRate: rate.bitPattern, loss: loss.bitPattern, batch: batch))
      if recorder.isCheckpointDue { try recorder.checkpoint(trainer.state) }
      recording += lap()
    }
    try recorder.flush()
    return (training, recording + lap())
  }
}

struct BenchmarkFailure: Error, CustomStringConvertible {
  let message: String
  var description: String { message }
}
