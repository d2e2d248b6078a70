package import ProofArchive
internal import ProofPrimitives

/// The worker's side of the executor protocol (`spec/executor.md`): one line in, one line out.
///
/// The verifier that writes the lines is trusted with the paths that it names; nothing of an archive
/// reaches the worker but tensors, indices and data points.
package final class ExecutorSession {
  /// How states and point files are read and written; the paths are the verifier's.
  package struct Files {
    package typealias LoadState = (_ path: String) throws(ReexecutionError) -> TrainingState
    package typealias StoreState =
      (_ state: TrainingState, _ path: String) throws(ReexecutionError) -> Void
    package typealias LoadBytes =
      (_ path: String, _ byteLimit: Int) throws(ReexecutionError) -> [UInt8]

    let loadState: LoadState
    let storeState: StoreState
    let loadBytes: LoadBytes

    package init(
      loadState: @escaping LoadState, storeState: @escaping StoreState,
      loadBytes: @escaping LoadBytes
    ) {
      self.loadState = loadState
      self.storeState = storeState
      self.loadBytes = loadBytes
    }
  }

  package static let protocolName = "pol/executor/v1"
  /// 16 MiB hold the indices of 1,000 steps of 1,000 points.
  package static let lineByteLimit = 16 << 20

  private let executor: any SegmentExecutor
  private let files: Files

  package init(executor: any SegmentExecutor, files: Files) {
    self.executor = executor
    self.files = files
  }

  /// The reply to one request, both without the closing newline. Never fails: what is refused gives
  /// an `error` reply, and the session goes on.
  package func reply(to line: some Collection<UInt8>) -> [UInt8] {
    var id: Int?
    do throws(ReexecutionError) {
      guard line.count <= ExecutorSession.lineByteLimit else {
        throw ExecutorMessage.refusal(
          "the line has \(line.count) bytes, the limit is \(ExecutorSession.lineByteLimit)")
      }
      var message = try ExecutorMessage(ExecutorSession.parse(line))
      let messageID = try message.count("id")
      id = messageID
      let request = try message.string("request")
      let members = try answer(request, &message)
      return JSONValue.map(
        [("id", .int(messageID)), ("reply", .string(request))] + members
      ).encoded
    } catch {
      var members: [(String, JSONValue)] = [
        ("code", .string(error.code.name)), ("message", .string(error.message)),
        ("remedy", .string(error.remedy)), ("reply", .string("error")),
      ]
      if let id { members.append(("id", .int(id))) }
      return JSONValue.map(members).encoded
    }
  }

  private static func parse(
    _ line: some Collection<UInt8>
  ) throws(ReexecutionError) -> JSONValue {
    do {
      return try JSONValue(parsing: line, form: .relaxed)
    } catch {
      throw ExecutorMessage.refusal("\(error.reason) at byte \(error.offset)")
    }
  }

  private func answer(
    _ request: String, _ message: inout ExecutorMessage
  ) throws(ReexecutionError) -> [(String, JSONValue)] {
    switch request {
    case "hello": return try hello(&message)
    case "describe": return try describe(&message)
    case "initialState": return try initialState(&message)
    case "batch": return try batch(&message)
    case "learningRate": return try learningRate(&message)
    case "execute": return try execute(&message)
    case "countCorrect": return try countCorrect(&message)
    default:
      throw ExecutorMessage.refusal("the request \"\(printable(request, limit: 40))\" is unknown")
    }
  }

  private func hello(
    _ message: inout ExecutorMessage
  ) throws(ReexecutionError) -> [(String, JSONValue)] {
    let name = try message.string("protocol")
    try message.finish()
    guard name == ExecutorSession.protocolName else {
      throw ExecutorMessage.refusal(
        "the protocol is \"\(printable(name, limit: 40))\", spoken is "
          + ExecutorSession.protocolName)
    }
    return [("protocol", .string(ExecutorSession.protocolName))]
  }

  private func describe(
    _ message: inout ExecutorMessage
  ) throws(ReexecutionError) -> [(String, JSONValue)] {
    try message.finish()
    return [
      ("algorithm", .string(executor.algorithm)),
      ("platformFacts", .array(executor.platformFacts.map { .string($0) })),
      ("platformIndependent", .bool(executor.isPlatformIndependent)),
    ]
  }

  private func initialState(
    _ message: inout ExecutorMessage
  ) throws(ReexecutionError) -> [(String, JSONValue)] {
    let runSeed = try message.digest("runSeed")
    let path = try message.path("endState")
    try message.finish()
    try files.storeState(executor.initialState(runSeed: runSeed), path)
    return []
  }

  private func batch(
    _ message: inout ExecutorMessage
  ) throws(ReexecutionError) -> [(String, JSONValue)] {
    let runSeed = try message.digest("runSeed")
    let step = try message.count("step")
    try message.finish()
    let indices = try executor.batch(ofStep: step, runSeed: runSeed)
    return [("indices", .array(indices.map { .int($0) }))]
  }

  private func learningRate(
    _ message: inout ExecutorMessage
  ) throws(ReexecutionError) -> [(String, JSONValue)] {
    let step = try message.count("step")
    try message.finish()
    return [("learningRate", .string(executor.learningRate(ofStep: step).bitPatternHex))]
  }

  private func execute(
    _ message: inout ExecutorMessage
  ) throws(ReexecutionError) -> [(String, JSONValue)] {
    let batches = try message.batches("batches")
    let endPath = try message.path("endState")
    let firstStep = try message.count("firstStep")
    let learningRates = try message.floats("learningRates")
    let pointsPath = try message.path("points")
    let startPath = try message.path("startState")
    try message.finish()
    let state = try files.loadState(startPath)
    let points = try loadPoints(pointsPath)
    let result = try executor.execute(
      from: state, firstStep: firstStep, batches: batches, learningRates: learningRates,
      points: points)
    try files.storeState(result.endState, endPath)
    return [("losses", .array(result.losses.map { .string($0.bitPatternHex) }))]
  }

  private func countCorrect(
    _ message: inout ExecutorMessage
  ) throws(ReexecutionError) -> [(String, JSONValue)] {
    let pointsPath = try message.path("points")
    let statePath = try message.path("startState")
    try message.finish()
    let state = try files.loadState(statePath)
    let points = try loadPoints(pointsPath).sorted { $0.key < $1.key }.map(\.value)
    let correct = try executor.countCorrect(state: state, points: points)
    return [("correct", .int(correct)), ("total", .int(points.count))]
  }

  private func loadPoints(_ path: String) throws(ReexecutionError) -> [UInt32: DataPoint] {
    try PointFile.parse(files.loadBytes(path, PointFile.byteLimit))
  }
}
