internal import ProofPrimitives

/// A of the proof for the reference trainer: everything but the run seed and the data that training
/// depends on (`spec/settings.md`).
///
/// A value of this type is within all limits. Hyperparameters come from here alone, never from a
/// stored state: a state is what a prover may lie about.
package struct RunSettings: Equatable, Sendable {
  package static let algorithm = "pol/mlp-sgd/v1"

  package enum Initialization: String, CaseIterable, Sendable {
    case kaimingUniform = "kaiming-uniform"
    case kaimingNormal = "kaiming-normal"
    case glorotUniform = "glorot-uniform"
    case glorotNormal = "glorot-normal"
  }

  /// Consecutive dataset indices.
  package struct IndexRange: Equatable, Sendable {
    package let first: UInt32
    package let count: Int

    package init(first: UInt32, count: Int) {
      self.first = first
      self.count = count
    }

    /// One past the last index.
    var end: Int { Int(first) + count }
  }

  package let batchSize: Int
  package let training: IndexRange
  /// May be empty.
  package let heldOut: IndexRange
  package let initialization: Initialization
  package let inputScale: SettingsDecimal
  /// Widths from the input to the classes.
  package let layers: [Int]
  package let momentum: SettingsDecimal
  package let schedule: LearningRateSchedule
  package let steps: Int
  package let weightDecay: SettingsDecimal

  // Limits. Each is far above what this trainer is for, and low enough that settings from a stranger
  // cannot ask for more memory or time than a verifier expects.

  /// Bytes of the encoding: the longest valid settings have under 2,048.
  package static let byteLimit = 4_096
  /// Widths, so 31 matrices: deeper plain networks do not train.
  package static let layerLimit = 32
  /// Keeps fan-in plus fan-out exact in float32.
  package static let widthLimit = 65_536
  /// 2^28 weights are 1 GiB; a step holds four arrays of that size.
  package static let parameterLimit = 1 << 28
  /// Keeps the batch size exact in float32.
  package static let batchSizeLimit = 65_536
  /// Outputs of the widest layer for one batch: 1 GiB.
  package static let activationLimit = 1 << 28
  /// 10^9 steps of the smallest network take weeks.
  package static let stepLimit = 1_000_000_000
  /// An epoch's order is held in memory: 1 GiB.
  package static let trainingLimit = 1 << 28
  /// Indices are u32.
  package static let indexLimit = 1 << 32

  /// Refuses anything outside the limits.
  package init(
    batchSize: Int, training: IndexRange, heldOut: IndexRange, initialization: Initialization,
    inputScale: SettingsDecimal, layers: [Int], momentum: SettingsDecimal,
    schedule: LearningRateSchedule, steps: Int, weightDecay: SettingsDecimal
  ) throws(ReexecutionError) {
    self.batchSize = batchSize
    self.training = training
    self.heldOut = heldOut
    self.initialization = initialization
    self.inputScale = inputScale
    self.layers = layers
    self.momentum = momentum
    self.schedule = schedule
    self.steps = steps
    self.weightDecay = weightDecay
    try checkLimits()
  }

  private func checkLimits() throws(ReexecutionError) {
    func require(_ holds: Bool, _ message: String) throws(ReexecutionError) {
      guard holds else { throw RunSettings.refusal(message) }
    }
    let limits = RunSettings.self
    try require(
      (2...limits.layerLimit).contains(layers.count),
      "layers has \(layers.count) widths, allowed are 2 to \(limits.layerLimit)")
    for width in layers {
      try require(
        (1...limits.widthLimit).contains(width),
        "a layer of width \(width) is outside 1 to \(limits.widthLimit)")
    }
    try require(
      parameterCount <= limits.parameterLimit,
      "the layers hold \(parameterCount) weights, the limit is \(limits.parameterLimit)")
    try require(
      (1...limits.batchSizeLimit).contains(batchSize),
      "batchSize \(batchSize) is outside 1 to \(limits.batchSizeLimit)")
    let widest = layers.max() ?? 0
    try require(
      batchSize * widest <= limits.activationLimit,
      "batchSize \(batchSize) times width \(widest) is above \(limits.activationLimit)")
    try require(
      (1...limits.stepLimit).contains(steps), "steps \(steps) is outside 1 to \(limits.stepLimit)")
    for (name, range) in [("training", training), ("heldOut", heldOut)] {
      try require(
        range.count >= 0 && range.count <= limits.indexLimit && range.end <= limits.indexLimit,
        "dataset.\(name) reaches past index 2^32 - 1")
    }
    try require(
      (1...limits.trainingLimit).contains(training.count),
      "dataset.training has \(training.count) points, allowed are 1 to \(limits.trainingLimit)")
    try require(
      heldOut.count == 0 || heldOut.end <= Int(training.first)
        || training.end <= Int(heldOut.first),
      "dataset.heldOut shares points with dataset.training, so accuracy on it would prove nothing")
    try require(inputScale.value > 0, "inputScale is zero")
    try require(momentum.value < 1, "momentum \(momentum.text) is not below 1")
    try schedule.check(steps: steps)
  }

  static func refusal(_ message: String, underlying: (any Error)? = nil) -> ReexecutionError {
    ReexecutionError(
      .badSettings, message, remedy: "correct the settings by spec/settings.md",
      underlying: underlying)
  }

  /// Weights and biases of all layers.
  package var parameterCount: Int {
    zip(layers, layers.dropFirst()).reduce(0) { $0 + $1.0 * $1.1 + $1.1 }
  }

  package var batchesPerEpoch: Int { (training.count - 1) / batchSize + 1 }

  /// The learning rate of a step, counted from 0; NaN for a step outside the run.
  package func learningRate(ofStep step: Int) -> Float {
    guard step >= 0, step < steps else { return .nan }
    return schedule.rate(ofStep: step, steps: steps)
  }
}
