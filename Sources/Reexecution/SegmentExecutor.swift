package import ProofArchive
package import ProofPrimitives

/// What a segment's re-execution gave.
package struct SegmentResult: Equatable, Sendable {
  /// The whole state after the last step.
  package let endState: TrainingState
  /// The mean loss of each step's batch, before its update.
  package let losses: [Float]

  package init(endState: TrainingState, losses: [Float]) {
    self.endState = endState
    self.losses = losses
  }
}

/// Re-executes training steps for the verifier.
///
/// An executor belongs to one A and takes its hyperparameters from there alone. It judges nothing: it
/// runs the batches and learning rates it is given, and the verifier compares those with what the
/// settings and the run seed demand. All steps count from 0.
package protocol SegmentExecutor: Sendable {
  /// The algorithm's name, which a verifier's policy accepts or not.
  var algorithm: String { get }
  /// Whether equal inputs give equal bits on every machine, so that unequal bits refute.
  var isPlatformIndependent: Bool { get }
  /// What else the bits depend on, such as a processor or a library version; empty when nothing.
  var platformFacts: [String] { get }

  /// The state before step 0, which the run seed decides.
  func initialState(runSeed: Digest) throws(ReexecutionError) -> TrainingState

  /// The dataset indices that a step has to use, in their order.
  func batch(ofStep step: Int, runSeed: Digest) throws(ReexecutionError) -> [UInt32]

  /// The learning rate that a step has to use; NaN for a step outside the run.
  func learningRate(ofStep step: Int) -> Float

  /// Runs one step for each batch.
  ///
  /// - Parameters:
  ///   - state: The state before `firstStep`.
  ///   - learningRates: One for each batch.
  ///   - points: At least the points that the batches name.
  func execute(
    from state: TrainingState, firstStep: Int, batches: [[UInt32]], learningRates: [Float],
    points: [UInt32: DataPoint]
  ) throws(ReexecutionError) -> SegmentResult

  /// How many of the points the state's weights classify as labelled.
  func countCorrect(
    state: TrainingState, points: [DataPoint]
  ) throws(ReexecutionError) -> Int
}

extension SegmentExecutor {
  package var platformFacts: [String] { [] }
}
