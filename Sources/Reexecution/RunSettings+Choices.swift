extension RunSettings {
  /// What a person chooses for a first run; the rest is as for the digits.
  package struct Choices: Sendable {
    /// Nil takes one hidden layer of 128 between the features and the classes.
    package var layers: [Int]?
    package var batchSize = 32
    package var steps = 5_000
    package init() {}
  }

  /// Settings for a dataset whose training points come first.
  ///
  /// - Parameter largestMagnitude: Of all features; they are scaled into -1 to 1 by a power of two.
  package static func forDataset(
    trainingCount: Int, heldOutCount: Int, featureCount: Int, classCount: Int,
    largestMagnitude: Int, choices: Choices
  ) throws(ReexecutionError) -> RunSettings {
    let usual = try digitsDefault()
    return try RunSettings(
      batchSize: choices.batchSize, training: IndexRange(first: 0, count: trainingCount),
      heldOut: IndexRange(
        first: heldOutCount == 0 ? 0 : UInt32(clamping: trainingCount), count: heldOutCount),
      initialization: usual.initialization, inputScale: try scale(largestMagnitude),
      layers: choices.layers ?? [featureCount, 128, classCount], momentum: usual.momentum,
      schedule: usual.schedule, steps: choices.steps, weightDecay: usual.weightDecay)
  }

  /// The reciprocal of the smallest power of two that is not below `magnitude`, written out: 2^-k is
  /// 5^k / 10^k, so its decimal ends after k digits.
  private static func scale(_ magnitude: Int) throws(ReexecutionError) -> SettingsDecimal {
    var text = "1"
    var digits = 0
    var power = 1
    var reciprocal = 1
    // 2^15 holds every 16-bit feature; larger elements are refused anyway.
    while power < magnitude, digits < 15 {
      power *= 2
      reciprocal *= 5
      digits += 1
      let fraction = String(reciprocal)
      text = "0." + String(repeating: "0", count: digits - fraction.count) + fraction
    }
    guard let decimal = SettingsDecimal(text) else { throw refusal("\"\(text)\" is no decimal") }
    return decimal
  }

  /// Refuses settings that name points beyond a dataset.
  package func check(datasetCount: Int) throws(ReexecutionError) {
    guard training.end <= datasetCount, heldOut.end <= datasetCount || heldOut.count == 0 else {
      throw RunSettings.refusal(
        "the settings name points up to \(max(training.end, heldOut.end)), the data has "
          + "\(datasetCount)")
    }
  }
}
