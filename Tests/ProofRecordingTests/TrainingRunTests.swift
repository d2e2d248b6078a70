import Cryptography
import ProofArchive
import ProofPrimitives
import ProofTestSupport
import Testing

@testable import ProofRecording

/// A trainer whose weight is a function of the step before.
private final class CountingTrainer: RecordableTrainer {
  private var value: UInt8

  init(_ value: UInt8 = 1) { self.value = value }

  convenience init(_ run: RecordedRun) throws {
    self.init(try run.writer.lastState()?[.weight, "w"]?.bytes.first ?? 1)
  }

  func state() throws(RecordingError) -> TrainingState {
    guard let spec = TensorSpec(name: "w", role: .weight, type: .u8, shape: [1]),
      let tensor = Tensor(spec, bytes: [value]), let state = TrainingState([tensor])
    else { throw RecordingError(.trainer, "no state", remedy: "") }
    return state
  }

  func step(_ number: Int) throws(RecordingError) -> CheckpointRecord.Step {
    value = value &* 3 &+ UInt8(truncatingIfNeeded: number)
    return CheckpointRecord.Step(learningRate: 0, loss: 0, batch: [UInt32(number % 2)])
  }
}

@Suite("Runs that are prepared, trained and sealed") struct TrainingRunTests {
  private func points() -> [DataPoint] {
    (0..<2).compactMap { DataPoint(type: .u8, shape: [1], bytes: [UInt8($0)], label: 0) }
  }

  private func prepare(
    _ path: String, steps: Int = 10,
    policy: Policy = .proverDefault(
      every: 3, algorithm: "t", steps: 0, passes: 0),
    commit: (CommitmentRequest) throws(RecordingError) -> OpeningRecord.Commitment? = { _ in nil }
  ) throws -> RecordedRun {
    try prepareRun(
      at: path, proverKey: SigningKey(seed: [UInt8](repeating: 1, count: 32)).verifyingKey,
      settings: RunDescription(parsing: Array(#"{"algorithm":"t","steps":\#(steps)}"#.utf8)),
      policy: policy, points: points(), commit: commit)
  }

  @Test("checkpoints stand where the schedule wants them, and at the last step") func schedule()
    throws
  {
    try withTemporaryDirectory { folder in
      let run = try prepare("\(folder)/a.pol")
      let outcome = try TrainingRun.run(CountingTrainer(), into: run.recorder())
      #expect(outcome == TrainingRun.Outcome(durableStep: 10, isComplete: true))
      #expect(run.isComplete)
      #expect(try openArchive("\(folder)/a.pol").index.rows.map(\.step) == [0, 0, 3, 6, 9, 10])
    }
  }

  @Test("a run of no steps is its first state") func noSteps() throws {
    try withTemporaryDirectory { folder in
      let run = try prepare("\(folder)/a.pol", steps: 0)
      let outcome = try TrainingRun.run(CountingTrainer(), into: run.recorder())
      #expect(outcome == TrainingRun.Outcome(durableStep: 0, isComplete: true))
    }
  }

  @Test("stopped at any step and resumed, the root is the same", arguments: 0..<10)
  func resumed(stop: Int) throws {
    try withTemporaryDirectory { folder in
      let path = "\(folder)/a.pol"
      let copy = "\(folder)/b.pol"
      do { _ = try prepare(path) }
      let copied = try runProgram("cp", ["-r", path, copy])
      #expect(copied.status == 0)
      let whole = try openRun(at: path)
      _ = try TrainingRun.run(CountingTrainer(), into: whole.recorder())
      do {
        let run = try openRun(at: copy)
        var asked = 0
        let outcome = try TrainingRun.run(
          CountingTrainer(run), into: run.recorder(),
          shouldStop: {
            defer { asked += 1 }
            return asked == stop
          })
        #expect(outcome == TrainingRun.Outcome(durableStep: stop / 3 * 3, isComplete: false))
        #expect(!run.isComplete)
        let key = try SigningKey(seed: [UInt8](repeating: 1, count: 32))
        #expect(throws: RecordingError.self) { try sealRun(run, key: key) }
      }
      let run = try openRun(at: copy)
      _ = try TrainingRun.run(CountingTrainer(run), into: run.recorder())
      #expect(run.writer.root == whole.writer.root)
    }
  }

  @Test("the commitment is asked for with what record 0 then says") func commitment() throws {
    try withTemporaryDirectory { folder in
      var asked: CommitmentRequest?
      let digest = SHA256.hash([1])
      let place = OpeningRecord.Commitment(
        logOrigin: "log.example", leafHash: digest, index: 4, headSize: 5, headRoot: digest)
      let run = try prepare("\(folder)/a.pol") { (request) throws(RecordingError) in
        asked = request
        return place
      }
      let opening = run.writer.opening
      #expect(opening.commitment == place)
      #expect(asked?.datasetRoot == opening.datasetRoot)
      #expect(asked?.policyDigest == opening.policyDigest)
      #expect(asked?.settingsDigest == opening.settingsDigest)
      #expect(asked?.runSecretDigest == SHA256.hash(.runSecret, opening.runSecret.bytes))
    }
  }

  @Test("nothing is committed to for a run that cannot be made") func refusedBeforeCommitting()
    throws
  {
    try withTemporaryDirectory { folder in
      var count = 0
      let commit = { (_: CommitmentRequest) throws(RecordingError) -> OpeningRecord.Commitment? in
        count += 1
        return nil
      }
      do { _ = try prepare("\(folder)/a.pol", commit: commit) }
      #expect(count == 1)
      #expect(throws: RecordingError.self) { try prepare("\(folder)/a.pol", commit: commit) }
      let other = Policy.proverDefault(every: 1, algorithm: "other", steps: 10, passes: 0)
      #expect(throws: RecordingError.self) {
        try prepare("\(folder)/b.pol", policy: other, commit: commit)
      }
      // It promises more steps than the run has: a verifier would refute it.
      let broken = Policy.proverDefault(every: 1, algorithm: "t", steps: 11, passes: 0)
      #expect(throws: RecordingError.self) {
        try prepare("\(folder)/b.pol", policy: broken, commit: commit)
      }
      #expect(count == 1)
    }
  }

  @Test("a failed commitment leaves no archive") func failedCommitment() throws {
    try withTemporaryDirectory { folder in
      let error = #expect(throws: RecordingError.self) {
        try prepare("\(folder)/a.pol") { (_) throws(RecordingError) in
          throw RecordingError(.commitment, "the log is down", remedy: "try again")
        }
      }
      #expect(error?.code == .commitment)
      _ = try prepare("\(folder)/a.pol")
    }
  }

  @Test("sealing checks key and claims") func sealing() throws {
    try withTemporaryDirectory { folder in
      let run = try prepare("\(folder)/a.pol", steps: 2)
      _ = try TrainingRun.run(CountingTrainer(), into: run.recorder())
      let key = try SigningKey(seed: [UInt8](repeating: 1, count: 32))
      let wrong = try SigningKey(seed: [UInt8](repeating: 2, count: 32))
      #expect(throws: RecordingError.self) { try sealRun(run, key: wrong) }
      #expect(throws: RecordingError.self) {
        try sealRun(run, key: key, claims: .map([("x", .double(0.5))]))
      }
      let seal = try sealRun(run, key: key, claims: .map([("x", .int(1))]))
      #expect(seal.archiveRoot == run.writer.root)
      #expect(try openArchive("\(folder)/a.pol").claims()?["x"]?.countValue == 1)
      #expect(try ArchiveChecker.check("\(folder)/a.pol").isWhole)
    }
  }

  @Test(
    "settings need a name and a count of steps",
    arguments: [
      "{}", #"{"algorithm":"t"}"#, #"{"algorithm":"","steps":1}"#, #"{"algorithm":"t","steps":-1}"#,
      #"{"algorithm":"t","steps":"1"}"#, #"{"algorithm":"t","rate":0.5,"steps":1}"#, "[]", "{",
      #"{"algorithm":"t","steps":1,"steps":2}"#, #"{"steps":1,"algorithm":"t","é":1}"#,
    ])
  func badSettings(text: String) {
    #expect(throws: RecordingError.self) {
      try RunDescription(parsing: Array(text.utf8), form: .relaxed)
    }
  }
}
