import ChunkStorage
import Cryptography
import Foundation
import MerkleTrees
import ProofPrimitives
import ProofRecording

@testable import ProofArchive
@testable import ProofVerification
@testable import Reexecution
@testable import TransparencyLedger

/// A run from the commitment to the published proof, in a folder of its own.
final class TestRun {
  let plan: RunPlan
  let scratch: Scratch
  let key: SigningKey
  let ledger: LocalLedger
  let archive: String
  let opening: OpeningRecord
  /// Nil without a ledger.
  private(set) var commitmentEntry: [UInt8]?
  private(set) var receipt: LogProof?

  /// Runs `plan`. With `ledger`, on the log of another run.
  init(
    _ plan: RunPlan = RunPlan(), in scratch: Scratch? = nil, on shared: LocalLedger? = nil,
    publishes: Bool = true
  ) throws {
    self.plan = plan
    let scratch = try scratch ?? Scratch()
    self.scratch = scratch
    key = try plan.key
    let ledger =
      try shared
      ?? LocalLedger.create(
        at: scratch.file("log"), origin: TestRun.origin,
        key: try SigningKey(seed: [UInt8](repeating: 7, count: 32)))
    self.ledger = ledger
    if shared == nil { _ = try ledger.append([Array("somebody else's entry".utf8)]) }
    archive = scratch.file("\(plan.name).pol")

    let settings = try plan.settings
    let policy = plan.proverPolicy.encoded
    let dataset = DatasetManifest(points: RunPlan.points, secret: .open)
    let secret = SHA256.hash(Array("secret of \(plan.name)".utf8))
    let policyDigest = SHA256.hash(.policy, policy)
    let settingsDigest = SHA256.hash(.settings, settings.canonicalBytes)
    var commitment: OpeningRecord.Commitment?
    if plan.usesLedger {
      let statement = TestRun.commitment(
        datasetRoot: dataset.root, policyDigest: policyDigest, settingsDigest: settingsDigest,
        runSecret: secret, proverKey: try TestRun.digest(of: key), logOrigin: ledger.origin)
      let entry = try LedgerEntry.signed(statement.encoded, by: key)
      let index = try TestRun.first(try ledger.append([entry])).index
      commitment = try Publication.opening(entry: entry, at: index, in: try ledger.view())
      commitmentEntry = entry
    }
    opening = OpeningRecord(
      archiveID: SHA256.hash(Array("archive of \(plan.name)".utf8)), proverKey: key.verifyingKey,
      datasetRoot: dataset.root, datasetCount: dataset.count, settingsDigest: settingsDigest,
      policyDigest: policyDigest, runSecret: secret,
      salt: SHA256.hash(Array("salt of \(plan.name)".utf8)), commitment: commitment)
    let writer = try ArchiveWriter.create(
      at: archive, opening: opening, settings: settings.canonicalBytes, policy: policy,
      dataset: dataset)
    try train(writer, settings)
    if plan.hooks.reseal != nil || plan.hooks.files != nil {
      try Forgery.reseal(archive, by: key, plan.hooks.reseal, files: plan.hooks.files)
    }
    if publishes && plan.usesLedger { try publish() }
  }

  static let origin = "example.org/verification-log"

  static func digest(of key: SigningKey) throws -> Digest {
    guard let digest = Digest(key.verifyingKey.rawBytes) else { throw TestFailure("no key") }
    return digest
  }

  static func first<Value>(_ values: [Value]) throws -> Value {
    guard let value = values.first else { throw TestFailure("nothing there") }
    return value
  }

  /// What a prover logs before a run.
  static func commitment(
    datasetRoot: Digest, policyDigest: Digest, settingsDigest: Digest, runSecret: Digest,
    proverKey: Digest, logOrigin: String
  ) -> CommitmentStatement {
    CommitmentStatement(
      datasetRoot: datasetRoot, logOrigin: logOrigin, policyDigest: policyDigest,
      proverKey: proverKey, runSecretDigest: SHA256.hash(.runSecret, runSecret.bytes),
      settingsDigest: settingsDigest)
  }

  private func train(_ writer: ArchiveWriter, _ settings: RunSettings) throws {
    let executor = ReferenceExecutor(settings: settings)
    var points: [UInt32: DataPoint] = [:]
    for (index, point) in RunPlan.points.enumerated() { points[UInt32(index)] = point }
    let context = RunContext(
      settings: settings, executor: executor, runSeed: opening.runSeed, points: points)
    let prepared = try PreparedPoints(points, settings: settings)
    let recorder = Recorder(
      writer, schedule: plan.proverPolicy.schedule, totalSteps: settings.steps)
    var trainer = ReferenceTrainer(settings: settings, runSeed: opening.runSeed)
    if let initial = plan.hooks.initial {
      var state = try trainer.state
      try initial(&state, context)
      trainer = try ReferenceTrainer(settings: settings, state: state)
    }
    try recorder.checkpoint(try trainer.state)
    try writer.note([("event", .string("begun"))])
    var segment = 0
    while let next = recorder.nextCheckpoint {
      while recorder.step < next {
        let number = recorder.step
        let batch = try executor.batch(ofStep: number, runSeed: opening.runSeed)
        let rate = settings.learningRate(ofStep: number)
        var step = PlannedStep(
          number: number, trained: batch, recorded: batch, trainedRate: rate, recordedRate: rate)
        plan.hooks.step?(&step, context)
        var loss: Float = 1
        if !step.isSkipped {
          let used =
            step.points.isEmpty
            ? prepared
            : try PreparedPoints(points.merging(step.points) { $1 }, settings: settings)
          loss = try trainer.step(
            batch: step.trained, learningRate: step.trainedRate, points: used)
        }
        try recorder.add(
          CheckpointRecord.Step(
            learningRate: step.recordedRate.bitPattern,
            loss: (step.reportedLoss ?? loss).bitPattern, batch: step.recorded))
      }
      var recorded = try trainer.state
      if let hook = plan.hooks.checkpoint {
        var continued = recorded
        try hook(segment, &recorded, &continued, context)
        trainer = try ReferenceTrainer(settings: settings, state: continued)
      }
      try recorder.checkpoint(recorded)
      segment += 1
    }
    try recorder.flush()
    let heldOut = (0..<RunPlan.heldOutCount).map { RunPlan.points[RunPlan.trainingCount + $0] }
    guard let final = try writer.lastState() else { throw TestFailure("nothing was trained") }
    let correct = try executor.countCorrect(state: final, points: heldOut)
    _ = try writer.seal(
      with: key,
      claims: (plan.hooks.claims ?? TestRun.claims)(correct, heldOut.count))
  }

  static func claims(_ correct: Int, _ count: Int) -> JSONValue {
    .map([("heldOut", .map([("correct", .int(correct)), ("count", .int(count))]))])
  }

  /// The statement that the archive's owner publishes.
  func statement() throws -> ProofStatement {
    var statement = try Publication.proof(of: try reader(), location: "")
    plan.hooks.statement?(&statement)
    return statement
  }

  func publish() throws { receipt = try log(try statement().encoded, by: key).proof }

  @discardableResult
  func log(_ statement: [UInt8], by key: SigningKey) throws -> LedgerReceipt {
    try TestRun.first(try ledger.append([try LedgerEntry.signed(statement, by: key)]))
  }

  func reader() throws -> ArchiveReader { try ArchiveReader(try DirectoryObjectSource(archive)) }
}
