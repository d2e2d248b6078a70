import ChunkStorage
import Cryptography
import Glibc
import ProofArchive
import ProofPrimitives
import ProofTestSupport
import Synchronization
import Testing

@testable import ProofRecording

/// Which operations of an archive's files fail, changed while it is written.
private final class Faults: Sendable {
  private let failing = Mutex<[AppendFile.Operation: Int32]>([:])

  func set(_ operations: AppendFile.Operation..., to code: Int32) {
    failing.withLock { failing in
      for operation in operations { failing[operation] = code }
    }
  }

  func heal() { failing.withLock { $0 = [:] } }

  var options: ArchiveWriter.Options {
    var options = ArchiveWriter.Options()
    options.fault = { operation, _ in self.failing.withLock { $0[operation] ?? 0 } }
    return options
  }
}

@Suite("A store that fails while a run is recorded (recorder.md §4.1)") struct FailingStoreTests {
  private let faults = Faults()

  private func prepare(_ path: String, steps: Int = 20) throws -> RecordedRun {
    try prepareRun(
      at: path, proverKey: SigningKey(seed: [UInt8](repeating: 1, count: 32)).verifyingKey,
      settings: RunDescription(parsing: Array(#"{"algorithm":"t","steps":\#(steps)}"#.utf8)),
      policy: .proverDefault(every: 2, algorithm: "t", steps: 0, passes: 0),
      points: (0..<4).compactMap {
        DataPoint(type: .u8, shape: [1], bytes: [UInt8($0)], label: 0)
      }, options: faults.options)
  }

  private func state(_ step: Int) throws -> TrainingState {
    let spec = try #require(TensorSpec(name: "w", role: .weight, type: .u8, shape: [8]))
    let tensor = try #require(Tensor(spec, bytes: [UInt8](repeating: UInt8(step), count: 8)))
    return try #require(TrainingState([tensor]))
  }

  private func step(_ number: Int) -> CheckpointRecord.Step {
    CheckpointRecord.Step(
      learningRate: 1, loss: UInt32(number), batch: [UInt32(number % 4), UInt32((number + 1) % 4)])
  }

  /// Trains to `end` and checkpoints where one is due.
  private func train(_ recorder: Recorder, to end: Int) throws {
    if recorder.isCheckpointDue { try recorder.checkpoint(state(recorder.step)) }
    while recorder.step < end {
      try recorder.add(step(recorder.step))
      if recorder.isCheckpointDue { try recorder.checkpoint(state(recorder.step)) }
    }
  }

  /// Every step from 0 is there, in order, but for those said to be lost.
  private func audit(_ path: String, gaps: [[Int]]) throws {
    #expect(try ArchiveChecker.check(path).isWhole)
    let reader = try openArchive(path)
    var found: [[Int]] = []
    for number in 2..<reader.index.rows.count {
      let record = try reader.checkpoint(number)
      if let gap = record.gap { found.append([record.firstStep, record.step, gap.lostSteps]) }
      let known = record.step - record.steps.count..<record.step
      #expect(record.steps == known.map { step($0) })
      #expect(try reader.state(number) == state(record.step))
    }
    #expect(found == gaps)
  }

  @Test("a full disk makes a gap that knows every step") func fullDisk() throws {
    try withTemporaryDirectory { folder in
      let run = try prepare("\(folder)/a.pol")
      let recorder = run.recorder()
      try train(recorder, to: 6)
      faults.set(.write, to: ENOSPC)
      try train(recorder, to: 11)
      let trouble = try #require(recorder.trouble)
      #expect(trouble.code == "io")
      #expect(trouble.message.contains("no space left"))
      #expect(trouble.missedCheckpoints == 2)
      #expect(trouble.lostSteps == 0)
      #expect(run.writer.lastStep == 6)
      faults.heal()
      try train(recorder, to: 20)
      #expect(recorder.trouble == nil)
      #expect(run.isComplete)
      try recorder.flush()
      try audit("\(folder)/a.pol", gaps: [[6, 12, 0]])
      let reader = try openArchive("\(folder)/a.pol")
      #expect(try reader.checkpoint(5).gap?.cause.contains(folder) == false)
    }
  }

  @Test("a sync that fails takes back what was not durable, and its steps are kept")
  func failedSync() throws {
    try withTemporaryDirectory { folder in
      let run = try prepare("\(folder)/a.pol")
      let recorder = run.recorder()
      try train(recorder, to: 4)
      try recorder.flush()
      try train(recorder, to: 9)
      faults.set(.sync, to: EIO)
      try recorder.flush()
      #expect(recorder.durableStep == 4)
      #expect(run.writer.lastStep == 4)
      #expect(!run.writer.isOpen)
      #expect(recorder.trouble?.missedCheckpoints == 2)
      // Nobody holds the folder: it could be unmounted.
      _ = try DirectoryLock("\(folder)/a.pol")
      try train(recorder, to: 12)
      #expect(recorder.trouble?.missedCheckpoints == 4)
      faults.heal()
      try train(recorder, to: 20)
      #expect(recorder.durableStep == 14)
      try recorder.flush()
      #expect(run.isComplete)
      try audit("\(folder)/a.pol", gaps: [[4, 14, 0]])
    }
  }

  @Test("a write that cannot be taken back lets go of the archive") func brokenFile() throws {
    try withTemporaryDirectory { folder in
      let run = try prepare("\(folder)/a.pol")
      let recorder = run.recorder()
      try train(recorder, to: 4)
      faults.set(.write, .cut, to: EIO)
      try train(recorder, to: 6)
      #expect(!run.writer.isOpen)
      #expect(recorder.trouble?.missedCheckpoints == 3)
      faults.heal()
      try train(recorder, to: 20)
      try recorder.flush()
      try audit("\(folder)/a.pol", gaps: [[0, 8, 0]])
    }
  }

  @Test("steps beyond the memory limit are lost, the oldest first, and counted") func lost() throws
  {
    try withTemporaryDirectory { folder in
      let run = try prepare("\(folder)/a.pol")
      // A step takes 72 bytes: five fit.
      let recorder = run.recorder(memoryLimit: 360)
      try train(recorder, to: 2)
      try recorder.flush()
      faults.set(.write, to: EIO)
      try train(recorder, to: 13)
      let lost = try #require(recorder.trouble?.lostSteps)
      #expect(lost > 0)
      faults.heal()
      try train(recorder, to: 20)
      try recorder.flush()
      #expect(run.isComplete)
      #expect(run.writer.gaps.map(\.lostSteps) == [lost])
      try audit("\(folder)/a.pol", gaps: [[2, 14, lost]])
    }
  }

  @Test("the last checkpoint stays due until it is recorded") func last() throws {
    try withTemporaryDirectory { folder in
      let run = try prepare("\(folder)/a.pol")
      let recorder = run.recorder()
      try train(recorder, to: 17)
      faults.set(.write, to: ENOSPC)
      try train(recorder, to: 20)
      for _ in 0..<3 {
        #expect(recorder.nextCheckpoint == 20)
        #expect(recorder.trouble?.missedCheckpoints == 2)
        try recorder.checkpoint(state(20))
      }
      #expect(!run.isComplete)
      faults.heal()
      try recorder.checkpoint(state(20))
      #expect(run.isComplete)
      #expect(recorder.nextCheckpoint == nil)
      try audit("\(folder)/a.pol", gaps: [[16, 20, 0]])
    }
  }

  @Test("without the state before the first step nothing goes on") func first() throws {
    try withTemporaryDirectory { folder in
      let run = try prepare("\(folder)/a.pol")
      let recorder = run.recorder()
      for operation in [AppendFile.Operation.write, .sync] {
        faults.set(operation, to: EIO)
        #expect(throws: RecordingError.self) { try recorder.checkpoint(state(0)) }
        #expect(recorder.nextCheckpoint == 0)
        faults.heal()
      }
      try train(recorder, to: 20)
      try recorder.flush()
      try audit("\(folder)/a.pol", gaps: [])
    }
  }

  @Test("strict fails, and a resumed run goes on from what is durable") func strict() throws {
    try withTemporaryDirectory { folder in
      do {
        let recorder = try prepare("\(folder)/a.pol").recorder(isStrict: true)
        try train(recorder, to: 6)
        try recorder.flush()
        faults.set(.sync, to: EIO)
        try train(recorder, to: 8)
        #expect(throws: RecordingError.self) { try recorder.flush() }
        faults.heal()
        #expect(throws: RecordingError.self) { try train(recorder, to: 10) }
      }
      let run = try openRun(at: "\(folder)/a.pol")
      #expect(run.writer.lastStep == 6 || run.writer.lastStep == 8)
      let recorder = run.recorder()
      try train(recorder, to: 20)
      try recorder.flush()
      try audit("\(folder)/a.pol", gaps: [])
    }
  }

  @Test("another archive in the place of the lost one is not written to") func foreign() throws {
    try withTemporaryDirectory { folder in
      let run = try prepare("\(folder)/a.pol")
      let recorder = run.recorder()
      try train(recorder, to: 4)
      faults.set(.sync, to: EIO)
      try recorder.flush()
      faults.heal()
      #expect(rename("\(folder)/a.pol", "\(folder)/away.pol") == 0)
      try train(recorder, to: 6)
      #expect(recorder.trouble?.code == "missing")
      do { _ = try prepare("\(folder)/a.pol") }
      try train(recorder, to: 8)
      #expect(recorder.trouble?.message.contains("another archive") == true)
      #expect(rename("\(folder)/a.pol", "\(folder)/other.pol") == 0)
      #expect(rename("\(folder)/away.pol", "\(folder)/a.pol") == 0)
      try train(recorder, to: 20)
      try recorder.flush()
      try audit("\(folder)/a.pol", gaps: [[0, 10, 0]])
    }
  }

  @Test("what the trainer does wrong stays an error") func trainersFault() throws {
    try withTemporaryDirectory { folder in
      let recorder = try prepare("\(folder)/a.pol").recorder()
      try train(recorder, to: 3)
      try recorder.add(step(3))
      let spec = try #require(TensorSpec(name: "v", role: .weight, type: .u8, shape: [1]))
      let tensor = try #require(Tensor(spec, bytes: [1]))
      let other = try #require(TrainingState([tensor]))
      #expect(throws: RecordingError.self) { try recorder.checkpoint(other) }
      #expect(recorder.trouble == nil)
      try recorder.checkpoint(state(4))
    }
  }
}

@Suite("Where a checkpoint is due when others are missing") struct ScheduleReachTests {
  @Test("the same as stepping from one due step to the next")
  func stepping() throws {
    let schedule = try #require(
      CheckpointSchedule([
        .init(from: 0, every: 2), .init(from: 7, every: 3), .init(from: 20, every: 8),
      ]))
    for total in [1, 6, 7, 19, 20, 41] {
      for start in 0..<total {
        var due = Set<Int>()
        var at = start
        while at < total {
          at = schedule.next(after: at, total: total)
          due.insert(at)
          #expect(schedule.count(after: start, to: at, total: total) == due.count)
        }
        for end in 0...total + 1 {
          #expect(schedule.reaches(end, from: start, total: total) == due.contains(end))
        }
      }
    }
    #expect(CheckpointSchedule(every: 1).reaches(1 << 52, from: 0, total: 1 << 53))
  }
}
