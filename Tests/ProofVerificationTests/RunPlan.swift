import Cryptography
import ProofArchive
import ProofPrimitives
import Reexecution
import TransparencyLedger

/// One training step as a cheat may bend it: what was done, and what is said of it.
struct PlannedStep {
  let number: Int
  var trained: [UInt32]
  var recorded: [UInt32]
  var trainedRate: Float
  var recordedRate: Float
  /// Data points that stand in for the committed ones in this step.
  var points: [UInt32: DataPoint] = [:]
  var isSkipped = false
  var reportedLoss: Float?
}

/// Where a run may lie. Everything above a lie - hashes, records, signatures, entries - is then made
/// by the project's own writers under the cheat's key.
struct RunHooks: Sendable {
  typealias State = @Sendable (inout TrainingState, RunContext) throws -> Void
  typealias Checkpoint =
    @Sendable (
      _ segment: Int, _ recorded: inout TrainingState, _ continued: inout TrainingState,
      RunContext
    ) throws -> Void

  /// The state before step 0; the training starts from it.
  var initial: State?
  var step: (@Sendable (inout PlannedStep, RunContext) -> Void)?
  /// The state after a segment: as recorded, and as the training goes on from it.
  var checkpoint: Checkpoint?
  var claims: (@Sendable (_ correct: Int, _ count: Int) -> JSONValue)?
  /// After sealing: bends records or tables, which are then hashed and signed again.
  var reseal: (@Sendable (inout Forgery) throws -> Void)?
  /// The files of the archive, just before it is signed again.
  var files: (@Sendable (_ path: String) throws -> Void)?
  var statement: (@Sendable (inout ProofStatement) -> Void)?
}

/// What a hook may look at.
struct RunContext {
  let settings: RunSettings
  let executor: ReferenceExecutor
  let runSeed: Digest
  let points: [UInt32: DataPoint]

  /// An honest step from `state`.
  func train(
    _ state: TrainingState, step: Int, batch: [UInt32]? = nil
  ) throws -> TrainingState {
    try executor.execute(
      from: state, firstStep: step,
      batches: [try batch ?? executor.batch(ofStep: step, runSeed: runSeed)],
      learningRates: [settings.learningRate(ofStep: step)], points: points
    ).endState
  }
}

/// A small run, whole in every respect but its size.
struct RunPlan: Sendable {
  var name = "owner"
  var segments = 80
  var every = 3
  var learningRate = "0.05"
  var batchSize = 8
  var schedule = LearningRateSchedule.Kind.constant
  var warmUpSteps = 0
  var heldOut = RunSettings.IndexRange(
    first: UInt32(RunPlan.trainingCount), count: RunPlan.heldOutCount)
  var usesLedger = true
  /// What the prover commits to; by default the schedule of the run.
  var policy: Policy?
  var hooks = RunHooks()

  static let trainingCount = 96
  static let heldOutCount = 24
  static let classCount = 4
  static let featureCount = 8

  /// The length of the run where a policy of its own cuts it into unequal segments.
  var stepsOverride: Int?
  var steps: Int { stepsOverride ?? segments * every }

  init(name: String = "owner", hooks: RunHooks = RunHooks()) {
    self.name = name
    self.hooks = hooks
  }

  var key: SigningKey {
    get throws { try SigningKey(seed: SHA256.hash(Array("key of \(name)".utf8)).bytes) }
  }

  var settings: RunSettings {
    get throws {
      func decimal(_ text: String) throws -> SettingsDecimal {
        guard let value = SettingsDecimal(text) else { throw TestFailure("no decimal: \(text)") }
        return value
      }
      return try RunSettings(
        batchSize: batchSize, training: .init(first: 0, count: RunPlan.trainingCount),
        heldOut: heldOut,
        initialization: .kaimingUniform, inputScale: try decimal("0.0625"),
        layers: [RunPlan.featureCount, 12, RunPlan.classCount], momentum: try decimal("0.9"),
        schedule: LearningRateSchedule(
          base: try decimal(learningRate), kind: schedule, warmUpSteps: warmUpSteps),
        steps: steps, weightDecay: try decimal("0.0001"))
    }
  }

  var proverPolicy: Policy {
    policy
      ?? Policy(
        schedule: CheckpointSchedule(every: every), algorithms: [RunSettings.algorithm],
        learningRateFloor: 1e-6, learningRateCeiling: 10, minimumSteps: 60, minimumPasses: 1,
        zeroUpdatePercent: 1)
  }

  /// Four clusters that a small network can tell apart: a class lights up two of eight features.
  static let points: [DataPoint] = {
    var generator = ChaCha20Generator(key: SHA256.hash(Array("points".utf8)).bytes)
    return (0..<trainingCount + heldOutCount).compactMap { index in
      let label = index % classCount
      let bytes = (0..<featureCount).map { feature in
        UInt8(generator.next(below: 12)) + (feature / 2 == label ? 3 : 0)
      }
      return DataPoint(type: .u8, shape: [featureCount], bytes: bytes, label: Int64(label))
    }
  }()

  /// What the verifier of these small runs accepts.
  static let verifierPolicy = Policy(
    schedule: CheckpointSchedule(every: 20), algorithms: [RunSettings.algorithm],
    learningRateFloor: 1e-6, learningRateCeiling: 10, minimumSteps: 60, minimumPasses: 1,
    zeroUpdatePercent: 1)
}

struct TestFailure: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
