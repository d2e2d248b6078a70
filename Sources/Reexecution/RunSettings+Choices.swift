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
  package static func forDataset(
    trainingCount: Int, heldOutCount: Int, featureCount: Int, classCount: Int, choices: Choices
  ) throws(ReexecutionError) -> RunSettings {
    let usual = try digitsDefault()
    return try RunSettings(
      batchSize: choices.batchSize, training: IndexRange(first: 0, count: trainingCount),
      heldOut: IndexRange(
        first: heldOutCount == 0 ? 0 : UInt32(clamping: trainingCount), count: heldOutCount),
      initialization: usual.initialization, inputScale: usual.inputScale,
      layers: choices.layers ?? [featureCount, 128, classCount], momentum: usual.momentum,
      schedule: usual.schedule, steps: choices.steps, weightDecay: usual.weightDecay)
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
