package import ProofPrimitives

/// The limits a proof is judged by (`spec/verification.md` §3): the prover's own, committed to by digest
/// before training, and the verifier's, which has the last word.
package struct Policy: Equatable, Sendable {
  /// Where checkpoints stand: a fixed function of the step.
  package let schedule: CheckpointSchedule
  /// Executors by name; the verifier runs no others.
  package let algorithms: [String]
  /// Accepted dataset roots; empty accepts any.
  package let datasetRoots: [Digest]
  /// Learning rates outside are refused.
  private let floor: PolicyDecimal
  private let ceiling: PolicyDecimal
  package let minimumSteps: Int
  /// Whole passes over the training data.
  package let minimumPasses: Int
  /// Segments whose update is zero, in percent of all, that are still taken for training.
  package let zeroUpdatePercent: Int

  /// - Parameters:
  ///   - learningRateFloor: Finite and not negative, and so is the ceiling.
  package init(
    schedule: CheckpointSchedule, algorithms: [String], datasetRoots: [Digest] = [],
    learningRateFloor: Float, learningRateCeiling: Float, minimumSteps: Int, minimumPasses: Int,
    zeroUpdatePercent: Int
  ) {
    self.init(
      schedule: schedule, algorithms: algorithms, datasetRoots: datasetRoots,
      floor: PolicyDecimal(learningRateFloor), ceiling: PolicyDecimal(learningRateCeiling),
      minimumSteps: minimumSteps, minimumPasses: minimumPasses,
      zeroUpdatePercent: zeroUpdatePercent)
  }

  private init(
    schedule: CheckpointSchedule, algorithms: [String], datasetRoots: [Digest],
    floor: PolicyDecimal, ceiling: PolicyDecimal, minimumSteps: Int, minimumPasses: Int,
    zeroUpdatePercent: Int
  ) {
    self.schedule = schedule
    self.algorithms = algorithms
    self.datasetRoots = datasetRoots
    self.floor = floor
    self.ceiling = ceiling
    self.minimumSteps = minimumSteps
    self.minimumPasses = minimumPasses
    self.zeroUpdatePercent = zeroUpdatePercent
  }

  package var learningRateFloor: Float { floor.value }
  package var learningRateCeiling: Float { ceiling.value }

  /// What `pol` commits to and verifies by when nobody says otherwise.
  ///
  /// As a verifier's it says: segments of at most 100 steps; a floor that stops infinitesimal updates
  /// from passing as training; one pass over the data at least.
  package static let verifierDefault = Policy(
    schedule: CheckpointSchedule(every: 100), algorithms: ["pol/mlp-sgd/v1"],
    learningRateFloor: 1e-6, learningRateCeiling: 10, minimumSteps: 100, minimumPasses: 1,
    zeroUpdatePercent: 1)

  /// What a prover promises who has not said otherwise: no more than the run will keep.
  ///
  /// - Parameters:
  ///   - steps: Steps of the run.
  ///   - passes: Whole passes over its data; 0 when that is not known.
  package static func proverDefault(
    every: Int, algorithm: String = "pol/mlp-sgd/v1", steps: Int = .max, passes: Int = 1
  ) -> Policy {
    Policy(
      schedule: CheckpointSchedule(every: every), algorithms: [algorithm],
      learningRateFloor: 1e-6, learningRateCeiling: 10, minimumSteps: min(100, steps),
      minimumPasses: min(1, passes), zeroUpdatePercent: 1)
  }

  package var json: JSONValue {
    .map([
      ("algorithms", .array(algorithms.map { .string($0) })),
      ("datasetRoots", .array(datasetRoots.map { .string($0.hex) })),
      (
        "learningRate",
        .map([
          ("ceiling", .string(ceiling.text)),
          ("floor", .string(floor.text)),
        ])
      ),
      ("minimumPasses", .int(minimumPasses)),
      ("minimumSteps", .int(minimumSteps)),
      (
        "segments",
        .array(
          schedule.phases.map { .map([("every", .int($0.every)), ("from", .int($0.from))]) })
      ),
      ("zeroUpdatePercent", .int(zeroUpdatePercent)),
    ])
  }

  package var encoded: [UInt8] { json.encoded }

  /// Reads a policy; unknown members are refused, because a limit that is not understood is not kept.
  package init(parsing bytes: [UInt8], form: JSONValue.Form = .canonical) throws(ParsingError) {
    let json = try JSONValue(parsing: bytes, form: form)
    let names = [
      "algorithms", "datasetRoots", "learningRate", "minimumPasses", "minimumSteps", "segments",
      "zeroUpdatePercent",
    ]
    guard let members = json.members, members.map(\.key).sorted() == names else {
      throw ParsingError("a policy has exactly the members \(names.joined(separator: ", "))", at: 0)
    }
    func refuse(_ name: String) -> ParsingError {
      ParsingError("the policy's \(name) is not valid", at: 0)
    }
    let algorithms = json["algorithms"]?.arrayValue?.compactMap(\.stringValue) ?? []
    guard algorithms.count == json["algorithms"]?.arrayValue?.count, !algorithms.isEmpty,
      algorithms.count <= 64
    else { throw refuse("algorithms") }
    let roots = json["datasetRoots"]?.arrayValue?.compactMap {
      $0.stringValue.flatMap { Digest(hex: $0) }
    }
    guard let roots, roots.count == json["datasetRoots"]?.arrayValue?.count else {
      throw refuse("datasetRoots")
    }
    guard let rates = json["learningRate"]?.members,
      rates.map(\.key).sorted() == ["ceiling", "floor"],
      let ceiling = json["learningRate"]?["ceiling"]?.stringValue.flatMap({ PolicyDecimal($0) }),
      let floor = json["learningRate"]?["floor"]?.stringValue.flatMap({ PolicyDecimal($0) }),
      floor.value <= ceiling.value
    else { throw refuse("learningRate") }
    guard let passes = json["minimumPasses"]?.countValue,
      let steps = json["minimumSteps"]?.countValue,
      let zero = json["zeroUpdatePercent"]?.countValue, zero <= 100
    else { throw refuse("minimumPasses, minimumSteps or zeroUpdatePercent") }
    var phases: [CheckpointSchedule.Phase] = []
    for phase in json["segments"]?.arrayValue ?? [] {
      guard let names = phase.members?.map(\.key).sorted(), names == ["every", "from"],
        let from = phase["from"]?.countValue, let every = phase["every"]?.countValue
      else { throw refuse("segments") }
      phases.append(CheckpointSchedule.Phase(from: from, every: every))
    }
    guard let schedule = CheckpointSchedule(phases) else { throw refuse("segments") }
    self.init(
      schedule: schedule, algorithms: algorithms, datasetRoots: roots, floor: floor,
      ceiling: ceiling,
      minimumSteps: steps, minimumPasses: passes, zeroUpdatePercent: zero)
  }
}
