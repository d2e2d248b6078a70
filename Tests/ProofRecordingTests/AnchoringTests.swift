import ChunkStorage
import Cryptography
import Dispatch
import Foundation
import ProofArchive
import ProofPrimitives
import Synchronization
import Testing

@testable import ProofRecording

@Suite("Anchors while a run trains (recorder.md §3.7)") struct AnchoringTests {
  /// A log in memory, which can refuse or keep one waiting.
  private final class Log: Sendable {
    let heads = Mutex<[ChainPoint]>([])
    let attempts = Mutex(0)
    let isDown = Mutex(false)
    let gate = Mutex<DispatchSemaphore?>(nil)

    func add(_ point: ChainPoint) throws(RecordingError) -> UInt64 {
      gate.withLock { $0 }?.wait()
      attempts.withLock { $0 += 1 }
      if isDown.withLock({ $0 }) {
        throw RecordingError(.anchor, "the log is down", remedy: "wait")
      }
      return heads.withLock { heads in
        heads.append(point)
        return UInt64(heads.count - 1)
      }
    }
  }

  /// A folder of the test's own.
  private final class Folder: Sendable {
    let path: String

    init() throws {
      var template = Array("/tmp/pol-anchoring-XXXXXX".utf8CString)
      guard mkdtemp(&template) != nil else { throw CocoaError(.fileWriteUnknown) }
      path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
  }

  private let folder: Folder
  private let log = Log()

  init() throws { folder = try Folder() }

  private func logger() -> AnchorLogger {
    AnchorLogger(firstPause: 0.01) { [log] point throws(RecordingError) in try log.add(point) }
  }

  private func prepare(_ steps: Int = 40) throws -> RecordedRun {
    try prepareRun(
      at: "\(folder.path)/run.pol",
      proverKey: SigningKey(seed: [UInt8](repeating: 1, count: 32)).verifyingKey,
      settings: RunDescription(parsing: Array(#"{"algorithm":"t","steps":\#(steps)}"#.utf8)),
      policy: .proverDefault(every: 2, algorithm: "t", steps: 0, passes: 0),
      points: (0..<4).compactMap {
        DataPoint(type: .u8, shape: [1], bytes: [UInt8($0)], label: 0)
      })
  }

  private func train(_ recorder: Recorder, to end: Int) throws {
    func state() throws -> TrainingState {
      let spec = try #require(TensorSpec(name: "w", role: .weight, type: .u8, shape: [8]))
      let bytes = [UInt8](repeating: UInt8(recorder.step), count: 8)
      let tensor = try #require(Tensor(spec, bytes: bytes))
      return try #require(TrainingState([tensor]))
    }
    if recorder.isCheckpointDue { try recorder.checkpoint(state()) }
    while recorder.step < end {
      try recorder.add(
        CheckpointRecord.Step(
          learningRate: 1, loss: UInt32(recorder.step), batch: [UInt32(recorder.step % 4)]))
      if recorder.isCheckpointDue { try recorder.checkpoint(state()) }
    }
  }

  /// Waits for the thread of a logger; a minute is for a machine that is busy with other things.
  private func wait(until holds: () -> Bool) {
    for _ in 0..<60_000 where !holds() { usleep(1000) }
    #expect(holds())
  }

  /// Runs until every head that was given to the log stands there.
  private func settle(_ logger: AnchorLogger) { #expect(logger.finish(within: 60) == nil) }

  @Test("every so many checkpoints, once they are durable, and at the first of each start")
  func interval() throws {
    let run = try prepare()
    // One at a time, so that none takes another's place.
    let logger = logger()
    let recorder = run.recorder(
      syncInterval: 1000, anchoring: Anchoring(every: .checkpoints(5), by: logger))
    for end in stride(from: 0, through: 22, by: 2) {
      try train(recorder, to: end)
      wait { logger.newest?.point.step == end / 10 * 10 }
      // What is anchored is durable.
      #expect(recorder.durableStep ?? 0 >= end / 10 * 10)
    }
    settle(logger)
    let heads = log.heads.withLock { $0 }
    #expect(heads.map(\.step) == [0, 10, 20] && heads.map(\.recordCount) == [2, 7, 12])
    #expect(logger.count == 3)
  }

  @Test("a run that was killed goes on, and keeps every head that was anchored") func resumed()
    throws
  {
    do {
      let run = try prepare()
      let logger = logger()
      let recorder = run.recorder(
        syncInterval: 1000, anchoring: Anchoring(every: .checkpoints(3), by: logger))
      try train(recorder, to: 16)
      settle(logger)
    }
    let run = try openRun(at: "\(folder.path)/run.pol")
    let logger = logger()
    let recorder = run.recorder(anchoring: Anchoring(every: .checkpoints(3), by: logger))
    try train(recorder, to: 40)
    settle(logger)
    let key = try SigningKey(seed: [UInt8](repeating: 1, count: 32))
    _ = try sealRun(run, key: key)
    let reader = try ArchiveReader(try DirectoryObjectSource(run.writer.path))
    let heads = log.heads.withLock { $0 }
    #expect(heads.count >= 2)
    for head in heads {
      #expect(reader.index.rows[head.recordCount - 1].hash == head.chainHead)
      #expect(reader.index.rows[head.recordCount - 1].step == head.step)
    }
  }

  @Test("the training does not wait for a log that does not answer") func hanging() throws {
    let gate = DispatchSemaphore(value: 0)
    log.gate.withLock { $0 = gate }
    let run = try prepare()
    let logger = logger()
    let recorder = run.recorder(anchoring: Anchoring(every: .checkpoints(1), by: logger))
    try train(recorder, to: 40)
    #expect(recorder.nextCheckpoint == nil && recorder.trouble == nil)
    #expect(log.heads.withLock { $0.isEmpty })
    // Its end is not held up either; what waits is told.
    #expect(logger.finish(within: 0.01)?.step == 40)
    for _ in 0..<3 { gate.signal() }
    settle(logger)
    // The newest took the place of those that waited.
    let heads = log.heads.withLock { $0.map(\.step) }
    #expect(heads.count <= 2 && heads.last == 40, "\(heads)")
  }

  @Test("a log that is down is told of once, and asked again until it takes the newest head")
  func down() throws {
    log.isDown.withLock { $0 = true }
    let run = try prepare()
    let logger = logger()
    let recorder = run.recorder(anchoring: Anchoring(every: .checkpoints(1), by: logger))
    try train(recorder, to: 20)
    wait { log.attempts.withLock { $0 } >= 3 }
    #expect(recorder.trouble == nil)
    #expect(logger.failure?.message == "the log is down")
    #expect(logger.takeNews().failure != nil)
    #expect(logger.takeNews().failure == nil)
    log.isDown.withLock { $0 = false }
    wait { logger.newest != nil }
    settle(logger)
    #expect(log.heads.withLock { $0.last?.step } == 20)
    #expect(logger.failure == nil && logger.takeNews().logged.last?.point.step == 20)
  }

  @Test("the end gives a log that is down one more attempt, and says what was not anchored")
  func ended() throws {
    log.isDown.withLock { $0 = true }
    let logger = AnchorLogger(firstPause: 3600) { [log] point throws(RecordingError) in
      try log.add(point)
    }
    let point = ChainPoint(recordCount: 2, chainHead: .zero, step: 0)
    logger.submit(point)
    wait { log.attempts.withLock { $0 } >= 1 }
    #expect(logger.finish(within: 60) == point)
    #expect(log.attempts.withLock { $0 } == 2)
  }

  @Test("what stands in the log is noted in the journal") func noted() throws {
    let run = try prepare()
    #expect(NotedAnchors(in: try DirectoryObjectSource(run.writer.path)).all.isEmpty)
    let point = ChainPoint(recordCount: 7, chainHead: .zero, step: 10)
    run.note(AnchorLogger.Logged(point: point, index: 3))
    try run.writer.note([("event", .string("begun")), ("index", .int(9))])
    let all = NotedAnchors(in: try DirectoryObjectSource(run.writer.path)).all
    #expect(all == [NotedAnchors.Noted(index: 3, recordCount: 7, step: 10)])
  }

  @Test(
    "intervals are numbers of checkpoints or times",
    arguments: [
      ("1", AnchorInterval.checkpoints(1)), ("1000", .checkpoints(1000)),
      ("30s", .time(.seconds(30))), ("10m", .time(.seconds(600))), ("2h", .time(.seconds(7200))),
    ]) func intervals(text: String, interval: AnchorInterval)
  {
    #expect(AnchorInterval(text) == interval)
  }

  @Test(
    "what is no interval is refused",
    arguments: [
      "", "0", "-1", "+1", "1.5", "s", "0m", "10d", "1e3", " 1", "9223372036854775807h",
      "1073741825",
      "86400001s",
    ]) func noIntervals(text: String)
  { #expect(AnchorInterval(text) == nil) }

  @Test("a time counts from the last anchor, and nothing is anchored twice") func times() {
    let anchoring = Anchoring(every: .time(.seconds(10)), by: logger())
    #expect(anchoring.isDue(after: nil, .zero))
    #expect(!anchoring.isDue(after: 5, .seconds(9)))
    #expect(anchoring.isDue(after: 1, .seconds(10)))
    #expect(!anchoring.isDue(after: 0, .seconds(99)))
  }
}
