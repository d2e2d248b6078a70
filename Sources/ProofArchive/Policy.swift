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
  /// Learning rates outside are refused. Float32 bits of finite numbers.
  package let learningRateFloor: Float
  package let learningRateCeiling: Float
  package let minimumSteps: Int
  /// Whole passes over the training data.
  package let minimumPasses: Int
  /// Segments whose update is zero, in percent of all, that are still taken for training.
  package let zeroUpdatePercent: Int

  package init(
    schedule: CheckpointSchedule, algorithms: [String], datasetRoots: [Digest] = [],
    learningRateFloor: Float, learningRateCeiling: Float, minimumSteps: Int, minimumPasses: Int,
    zeroUpdatePercent: Int
  ) {
    self.schedule = schedule
    self.algorithms = algorithms
    self.datasetRoots = datasetRoots
    self.learningRateFloor = learningRateFloor
    self.learningRateCeiling = learningRateCeiling
    self.minimumSteps = minimumSteps
    self.minimumPasses = minimumPasses
    self.zeroUpdatePercent = zeroUpdatePercent
  }

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
          ("ceiling", .string("\(learningRateCeiling)")),
          ("floor", .string("\(learningRateFloor)")),
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
      let ceiling = json["learningRate"]?["ceiling"]?.stringValue.flatMap(Policy.decimal),
      let floor = json["learningRate"]?["floor"]?.stringValue.flatMap(Policy.decimal),
      floor <= ceiling
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
      schedule: schedule, algorithms: algorithms, datasetRoots: roots, learningRateFloor: floor,
      learningRateCeiling: ceiling, minimumSteps: steps, minimumPasses: passes,
      zeroUpdatePercent: zero)
  }

  /// A finite number of at most 24 characters, written with digits, a point and an exponent.
  private static func decimal(_ text: String) -> Float? {
    guard text.utf8.count <= 24,
      text.utf8.allSatisfy({ (48...57).contains($0) || [43, 45, 46, 101].contains($0) }),
      let value = Float(text), value.isFinite
    else { return nil }
    return value
  }
}

/// Where checkpoints stand: a fixed function of the step, short segments first if at all.
package struct CheckpointSchedule: Equatable, Sendable {
  package struct Phase: Equatable, Sendable {
    /// First step, counted in steps done.
    package let from: Int
    /// Steps a segment.
    package let every: Int

    package init(from: Int, every: Int) {
      self.from = from
      self.every = every
    }
  }

  package let phases: [Phase]
  /// More phases than any schedule that a person wrote.
  private static let phaseLimit = 16

  package init(every: Int) { phases = [Phase(from: 0, every: max(1, every))] }

  /// Nil unless the phases start at 0, rise, and each `every` is at least 1 and not below the one before.
  package init?(_ phases: [Phase]) {
    guard phases.first?.from == 0, phases.count <= CheckpointSchedule.phaseLimit,
      phases.allSatisfy({ $0.every >= 1 && $0.every <= 1 << 30 }),
      zip(phases, phases.dropFirst()).allSatisfy({ $0.from < $1.from && $0.every <= $1.every })
    else { return nil }
    self.phases = phases
  }

  /// The step of the checkpoint after the one at `step`, in a run of `total` steps.
  package func next(after step: Int, total: Int) -> Int {
    let position = phases.lastIndex { $0.from <= step } ?? 0
    let phaseEnd = position + 1 < phases.count ? phases[position + 1].from : Int.max
    return min(step + phases[position].every, phaseEnd, total)
  }

  /// The longest segment that may start at `step`.
  package func longest(at step: Int) -> Int {
    phases.last { $0.from <= step }?.every ?? 1
  }
}
