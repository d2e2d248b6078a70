internal import ChunkStorage
internal import Cryptography
package import ProofArchive
internal import ProofPrimitives

extension RecorderSession {
  /// 64 GiB of tensors in one file; a checkpoint is held in memory.
  private static let stateByteLimit = 64 << 30

  /// The members of `checkpoint`, and the files that `resume` writes.
  private static let stateFiles: [(name: String, role: TensorRole)] = [
    ("weights", .weight), ("buffers", .buffer), ("optimizer", .optimizer), ("random", .random),
    ("counters", .counter),
  ]

  func begin(_ message: inout RecorderMessage) throws(RecordingError) -> RecordedRun {
    let settings = try settings(&message)
    let policy = try policy(&message, settings)
    let points = try points(&message)
    let isPrivate = try message.flag("private")
    try message.finish()
    guard let key else {
      throw RecordingError(
        .badEvent, "there is no key to begin with", remedy: "start with --key")
    }
    return try prepareRun(
      at: archivePath, proverKey: key.verifyingKey, settings: settings, policy: policy,
      points: points, isPrivate: isPrivate, options: options, commit: commit)
  }

  private func settings(
    _ message: inout RecorderMessage
  ) throws(RecordingError) -> RunDescription {
    let object = try message.optionalObject("settings")
    let path = try message.optionalPath("settingsPath")
    switch (object, path) {
    case (let object?, nil): return try RunDescription(parsing: object.encoded)
    case (nil, let path?):
      return try RunDescription(
        parsing: userFile(path, limit: RunDescription.byteLimit), form: .relaxed)
    default: throw RecorderMessage.refusal("give settings or settingsPath")
    }
  }

  private func policy(
    _ message: inout RecorderMessage, _ settings: RunDescription
  ) throws(RecordingError) -> Policy {
    let object = try message.optionalObject("policy")
    let path = try message.optionalPath("policyPath")
    let every = try message.optionalCount("every")
    switch (object, path, every) {
    case (let object?, nil, nil): return try readPolicy(object.encoded)
    case (nil, let path?, nil):
      return try readPolicy(userFile(path, limit: RunDescription.byteLimit))
    case (nil, nil, let every?) where (1...1 << 30).contains(every):
      return Policy.proverDefault(
        every: every, algorithm: settings.algorithm, steps: settings.steps, passes: 0)
    default:
      throw RecorderMessage.refusal("give policy, policyPath or every, which is 1 to 2^30")
    }
  }

  private func points(
    _ message: inout RecorderMessage
  ) throws(RecordingError) -> [DataPoint] {
    let csv = try message.optionalPath("data")
    let tensors = try message.optionalPath("points")
    switch (csv, tensors) {
    case (let path?, nil): return try CSVDataset(path: path).points
    case (nil, let path?): return try SafetensorsDataset.points(path: path)
    default: throw RecorderMessage.refusal("give data or points")
    }
  }

  func step(
    _ message: inout RecorderMessage, _ recorder: Recorder
  ) throws(RecordingError) {
    let number = try message.optionalCount("number")
    let learningRate = try message.floatBits("learningRate")
    let loss = try message.floatBits("loss")
    let batch = try message.indices("batch")
    try message.finish()
    if let number, number != recorder.step {
      throw RecordingError(
        .badEvent, "step \(number) was reported, step \(recorder.step) comes next",
        remedy: "report every step once, counted from 0")
    }
    let count = recorder.writer.dataset.count
    if let index = batch.first(where: { Int($0) >= count }) {
      throw RecordingError(
        .badInput, "the batch names data point \(index), there are \(count)",
        remedy: "report indices of the data, counted from 0")
    }
    try recorder.add(
      CheckpointRecord.Step(learningRate: learningRate, loss: loss, batch: batch))
  }

  func checkpoint(
    _ message: inout RecorderMessage, _ recorder: Recorder
  ) throws(RecordingError) {
    var paths: [(path: String, role: TensorRole)] = []
    for file in RecorderSession.stateFiles {
      if let path = try message.optionalPath(file.name) { paths.append((path, file.role)) }
    }
    try message.finish()
    guard paths.first?.role == .weight else {
      throw RecorderMessage.refusal("weights is missing")
    }
    var tensors: [Tensor] = []
    for file in paths {
      let bytes = try userFile(file.path, limit: RecorderSession.stateByteLimit)
      do throws(ParsingError) {
        tensors += try SafetensorsFile.parse(bytes, role: file.role)
      } catch {
        throw RecordingError(
          .badInput, at: "\(printable(file.path, limit: 1000)), byte \(error.offset)", error.reason,
          remedy: "write the tensors with a safetensors library")
      }
    }
    guard let state = TrainingState(tensors) else {
      throw RecordingError(
        .badInput, "two tensors share a name", remedy: "name every tensor of a role once")
    }
    try recorder.checkpoint(state)
  }

  /// One file for each role that has tensors, and their paths by member name.
  func writeState(
    of run: RecordedRun, to folder: String
  ) throws(RecordingError) -> JSONValue {
    var members: [(String, JSONValue)] = []
    for file in RecorderSession.stateFiles {
      let state = try archiving { () throws(ArchiveError) in
        try run.writer.lastState(roles: [file.role])
      }
      let tensors = state?.tensors ?? []
      guard !tensors.isEmpty else { continue }
      let path = "\(folder)/\(file.name).safetensors"
      do throws(StorageError) {
        try DurableFile.createDirectory(folder)
        try DurableFile.write(SafetensorsFile.encode(tensors), to: path)
      } catch {
        throw RecordingError(error)
      }
      members.append((file.name, .string(path)))
    }
    return .map(members)
  }
}

/// A policy as a person may write it; its canonical bytes are what is committed to.
package func readPolicy(
  _ bytes: [UInt8], name: String = "policy"
) throws(RecordingError) -> Policy {
  do throws(ParsingError) {
    return try Policy(parsing: bytes, form: .relaxed)
  } catch {
    throw RecordingError(
      .badInput, at: "\(printable(name, limit: 1000)), byte \(error.offset)", error.reason,
      remedy: "correct the policy by spec/verification.md")
  }
}
