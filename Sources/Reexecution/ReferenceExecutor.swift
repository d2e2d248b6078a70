package import ProofArchive
package import ProofPrimitives
internal import Synchronization

/// The built-in executor: the reference trainer, behind the verifier's protocol.
package final class ReferenceExecutor: SegmentExecutor {
  package let settings: RunSettings
  private let threadCount: Int
  /// The order of the epoch asked for last: a segment's steps lie in one epoch or two, and each
  /// order costs a draw for every training point.
  private let latestOrder = Mutex<EpochOrder?>(nil)

  private struct EpochOrder {
    let runSeed: Digest
    let epoch: Int
    let order: [UInt32]
  }

  package init(settings: RunSettings, threadCount: Int = 1) {
    self.settings = settings
    self.threadCount = threadCount
  }

  package var algorithm: String { RunSettings.algorithm }
  package var isPlatformIndependent: Bool { true }

  package func initialState(runSeed: Digest) throws(ReexecutionError) -> TrainingState {
    try ReferenceTrainer(settings: settings, runSeed: runSeed).state
  }

  package func batch(
    ofStep step: Int, runSeed: Digest
  ) throws(ReexecutionError) -> [UInt32] {
    try check(step, stepCount: 1)
    let epoch = step / settings.batchesPerEpoch
    let cached = latestOrder.withLock { latest -> [UInt32]? in
      guard let latest, latest.epoch == epoch, latest.runSeed == runSeed else { return nil }
      return latest.order
    }
    let order: [UInt32]
    if let cached {
      order = cached
    } else {
      order = DerivedRandomness.order(ofEpoch: epoch, settings, runSeed: runSeed)
      let made = EpochOrder(runSeed: runSeed, epoch: epoch, order: order)
      latestOrder.withLock { $0 = made }
    }
    return DerivedRandomness.batch(ofStep: step, settings, order: order)
  }

  package func learningRate(ofStep step: Int) -> Float { settings.learningRate(ofStep: step) }

  package func execute(
    from state: TrainingState, firstStep: Int, batches: [[UInt32]], learningRates: [Float],
    points: [UInt32: DataPoint]
  ) throws(ReexecutionError) -> SegmentResult {
    try check(firstStep, stepCount: batches.count)
    guard batches.count == learningRates.count else {
      throw ReexecutionError(
        .badBatch, "there are \(batches.count) batches and \(learningRates.count) learning rates",
        remedy: "give one learning rate for each batch")
    }
    let prepared = try PreparedPoints(points, settings: settings)
    let trainer = try ReferenceTrainer(
      settings: settings, state: state, threadCount: threadCount)
    var losses: [Float] = []
    losses.reserveCapacity(batches.count)
    for (batch, learningRate) in zip(batches, learningRates) {
      losses.append(
        try trainer.step(batch: batch, learningRate: learningRate, points: prepared))
    }
    return SegmentResult(endState: try trainer.state, losses: losses)
  }

  package func countCorrect(
    state: TrainingState, points: [DataPoint]
  ) throws(ReexecutionError) -> Int {
    let prepared = try PreparedPoints(points, settings: settings)
    let trainer = try ReferenceTrainer(
      settings: settings, state: state, threadCount: threadCount)
    return try trainer.countCorrect(prepared)
  }

  private func check(_ firstStep: Int, stepCount: Int) throws(ReexecutionError) {
    guard firstStep >= 0, stepCount <= settings.steps, firstStep <= settings.steps - stepCount
    else {
      throw ReexecutionError(
        .badStep, "\(stepCount) steps from step \(firstStep) leave the run of \(settings.steps)",
        remedy: "ask for steps 0 to \(settings.steps - 1)")
    }
  }
}
