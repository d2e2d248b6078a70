internal import CKernels
internal import Cryptography
internal import ProofPrimitives

/// What the run seed decides: the initial weights and the order of the data points
/// (`spec/training-arithmetic.md` §10 and §11).
///
/// Pure functions, so that a verifier draws what the prover had to draw.
enum DerivedRandomness {
  /// 24 bits of a word as a multiple of 2^-24, from 0 to just below 1; exact.
  private static func unit(_ word: UInt32) -> Float { Float(word >> 8) * 0x1p-24 }

  /// The flat initial parameters; biases are zero.
  static func initialParameters(
    _ settings: RunSettings, _ layout: NetworkLayout, runSeed: Digest
  ) -> [Float] {
    var parameters = [Float](repeating: 0, count: layout.parameterCount)
    for (index, layer) in layout.layers.enumerated() {
      var generator = ChaCha20Generator(
        seed: runSeed, tag: .initialWeights, label: Array("layers.\(index).weight".utf8))
      let range = layer.weightOffset..<layer.biasOffset
      let scale = self.scale(settings.initialization, layer)
      switch settings.initialization {
      case .kaimingUniform, .glorotUniform:
        for position in range {
          let doubled = unit(generator.nextWord()) * 2
          parameters[position] = scale * (doubled - 1)
        }
      case .kaimingNormal, .glorotNormal:
        for position in range {
          // Box and Muller's first value; 2^-24 more keeps the logarithm's argument above zero.
          let first = unit(generator.nextWord()) + 0x1p-24
          let second = unit(generator.nextWord())
          let radius = pol_sqrtf(-2 * pol_logf(first))
          parameters[position] = scale * (radius * pol_cos_turns(second))
        }
      }
    }
    return parameters
  }

  /// Bound of the uniform, standard deviation of the normal distribution: Kaiming (He et al., 2015,
  /// for ReLU) from the inputs, Glorot (Glorot and Bengio, 2010) from inputs and outputs.
  private static func scale(
    _ initialization: RunSettings.Initialization, _ layer: NetworkLayout.Layer
  ) -> Float {
    let fanIn = Float(layer.inputCount)
    let both = Float(layer.inputCount + layer.outputCount)
    return switch initialization {
    case .kaimingUniform: pol_sqrtf(6 / fanIn)
    case .kaimingNormal: pol_sqrtf(2 / fanIn)
    case .glorotUniform: pol_sqrtf(6 / both)
    case .glorotNormal: pol_sqrtf(2 / both)
    }
  }

  /// The training indices in the order of one epoch (Fisher and Yates, from the last place down).
  static func order(ofEpoch epoch: Int, _ settings: RunSettings, runSeed: Digest) -> [UInt32] {
    var label = ByteWriter()
    label.u64(UInt64(epoch))
    var generator = ChaCha20Generator(seed: runSeed, tag: .batchOrder, label: label.bytes)
    let range = settings.training
    var order = (0..<range.count).map { range.first + UInt32($0) }
    for place in stride(from: range.count - 1, to: 0, by: -1) {
      order.swapAt(place, Int(generator.next(below: UInt32(place + 1))))
    }
    return order
  }

  /// The batch of a step that lies within the run, out of its epoch's order.
  static func batch(ofStep step: Int, _ settings: RunSettings, order: [UInt32]) -> [UInt32] {
    let start = step % settings.batchesPerEpoch * settings.batchSize
    return Array(order[start..<min(start + settings.batchSize, settings.training.count)])
  }
}
