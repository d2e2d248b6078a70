internal import CKernels
package import ProofArchive
package import ProofPrimitives

/// Trains a multilayer perceptron by the written arithmetic (`spec/training-arithmetic.md` §12).
///
/// The prover's trainer and the verifier's executor are this one type, so that they cannot differ.
/// The same inputs give the same bits on every processor and with any number of threads.
package final class ReferenceTrainer {
  package let settings: RunSettings
  private let threadCount: Int
  private let layout: NetworkLayout
  /// Flat, in the layout's order, as are the momentum and the gradients.
  private let parameters: FloatBuffer
  private let momentum: FloatBuffer
  private let gradients: FloatBuffer
  /// Outputs of each layer for the current batch, the input first; [batch, width] each.
  private let activations: [FloatBuffer]
  /// Derivative of the loss by the outputs of the layer under way, and room for the one before it.
  private var deltas = FloatBuffer()
  private var nextDeltas = FloatBuffer()
  private let transposed = FloatBuffer()

  /// Starts from a state, such as a checkpoint.
  ///
  /// - Parameter threadCount: At most this many threads share a matrix product.
  package convenience init(
    settings: RunSettings, state: TrainingState, threadCount: Int = 1
  ) throws(ReexecutionError) {
    let layout = NetworkLayout(widths: settings.layers)
    let (parameters, momentum) = try layout.values(of: state)
    self.init(settings, layout, parameters, momentum, threadCount)
  }

  /// Starts from the initial weights that the run seed decides, with zero momentum.
  package convenience init(settings: RunSettings, runSeed: Digest, threadCount: Int = 1) {
    let layout = NetworkLayout(widths: settings.layers)
    let parameters = DerivedRandomness.initialParameters(settings, layout, runSeed: runSeed)
    self.init(
      settings, layout, parameters, [Float](repeating: 0, count: parameters.count), threadCount)
  }

  private init(
    _ settings: RunSettings, _ layout: NetworkLayout, _ parameters: [Float], _ momentum: [Float],
    _ threadCount: Int
  ) {
    self.settings = settings
    self.threadCount = threadCount
    self.layout = layout
    self.parameters = FloatBuffer(parameters)
    self.momentum = FloatBuffer(momentum)
    gradients = FloatBuffer(count: parameters.count)
    activations = settings.layers.map { _ in FloatBuffer() }
  }

  package var state: TrainingState {
    get throws(ReexecutionError) {
      try layout.state(parameters: parameters.values, momentum: momentum.values)
    }
  }

  /// One step of stochastic gradient descent.
  ///
  /// - Parameters:
  ///   - batch: Dataset indices, 1 up to the settings' batch size; their order decides the bits.
  ///   - points: Made for these settings, and holding every index of the batch.
  /// - Returns: The mean loss of the batch before the update; NaN and infinity run through.
  /// - Throws: `.badBatch`, with the trainer unchanged.
  package func step(
    batch: [UInt32], learningRate: Float, points: PreparedPoints
  ) throws(ReexecutionError) -> Float {
    guard (1...settings.batchSize).contains(batch.count) else {
      throw ReferenceTrainer.refusal(
        "a batch has \(batch.count) indices, allowed are 1 to \(settings.batchSize)")
    }
    var rows: [Int] = []
    rows.reserveCapacity(batch.count)
    for index in batch {
      guard let row = points.row(of: index) else {
        throw ReferenceTrainer.refusal("data point \(index) of the batch was not given")
      }
      rows.append(row)
    }
    try gather(rows, points)
    forward(count: batch.count)
    let loss = backward(labels: rows.map { points.labels[$0] })
    pol_sgd(
      parameters.count, parameters.pointer, momentum.pointer, gradients.pointer, learningRate,
      settings.momentum.value, settings.weightDecay.value)
    return loss
  }

  /// How many points the network puts in their class.
  ///
  /// A class wins with the largest logit, the lowest index among equals; a row with NaN has no winner.
  package func countCorrect(_ points: PreparedPoints) throws(ReexecutionError) -> Int {
    var correct = 0
    // Rows are independent: blocks of the batch size bound memory and change no bit.
    for start in stride(from: 0, to: points.count, by: settings.batchSize) {
      let rows = start..<min(start + settings.batchSize, points.count)
      try gather(Array(rows), points)
      forward(count: rows.count)
      let logits = activations[layout.layers.count].pointer
      for row in rows {
        let first = logits + (row - start) * layout.classCount
        if pol_label_wins(layout.classCount, first, points.labels[row]) != 0 { correct += 1 }
      }
    }
    return correct
  }

  private static func refusal(_ message: String) -> ReexecutionError {
    ReexecutionError(.badBatch, message, remedy: "give the batch and the points of the record")
  }

  /// Copies the rows' features into the first activations.
  private func gather(_ rows: [Int], _ points: PreparedPoints) throws(ReexecutionError) {
    let width = layout.inputCount
    guard points.inputCount == width, points.classCount == layout.classCount else {
      throw ReferenceTrainer.refusal("the points were prepared for another network")
    }
    activations[0].reserve(rows.count * width)
    let input = activations[0].pointer
    points.features.withUnsafeBufferPointer { features in
      guard let base = features.baseAddress else { return }
      for (place, row) in rows.enumerated() {
        (input + place * width).update(from: base + row * width, count: width)
      }
    }
  }

  /// Fills the activations; the last ones are the logits (§4).
  private func forward(count: Int) {
    for (index, layer) in layout.layers.enumerated() {
      let output = activations[index + 1]
      output.reserve(count * layer.outputCount)
      transposed.reserve(layer.inputCount * layer.outputCount)
      pol_transpose(
        layer.outputCount, layer.inputCount, parameters.pointer + layer.weightOffset,
        transposed.pointer)
      MatrixProduct(
        m: count, n: layer.outputCount, k: layer.inputCount, a: activations[index].pointer,
        aRowStride: layer.inputCount, aColumnStride: 1, b: transposed.pointer,
        initial: parameters.pointer + layer.biasOffset, c: output.pointer
      ).compute(threadCount: threadCount)
      if index + 1 < layout.layers.count {
        pol_relu(count * layer.outputCount, output.pointer)
      }
    }
  }

  /// Fills the gradients from the activations, and returns the loss (§5, §6).
  private func backward(labels: [Int32]) -> Float {
    let count = labels.count
    let logitCount = count * layout.classCount
    deltas.reserve(logitCount)
    deltas.pointer.update(from: activations[layout.layers.count].pointer, count: logitCount)
    let loss = pol_softmax_cross_entropy(count, layout.classCount, deltas.pointer, labels)
    for (index, layer) in layout.layers.enumerated().reversed() {
      // dW = dZ^T X, with the strides of dZ exchanged instead of a copy.
      MatrixProduct(
        m: layer.outputCount, n: layer.inputCount, k: count, a: deltas.pointer, aRowStride: 1,
        aColumnStride: layer.outputCount, b: activations[index].pointer, initial: nil,
        c: gradients.pointer + layer.weightOffset
      ).compute(threadCount: threadCount)
      pol_column_sums(
        count, layer.outputCount, deltas.pointer, gradients.pointer + layer.biasOffset)
      guard index > 0 else { break }
      nextDeltas.reserve(count * layer.inputCount)
      MatrixProduct(
        m: count, n: layer.inputCount, k: layer.outputCount, a: deltas.pointer,
        aRowStride: layer.outputCount, aColumnStride: 1,
        b: parameters.pointer + layer.weightOffset, initial: nil, c: nextDeltas.pointer
      ).compute(threadCount: threadCount)
      pol_relu_mask(count * layer.inputCount, activations[index].pointer, nextDeltas.pointer)
      swap(&deltas, &nextDeltas)
    }
    return loss
  }
}
