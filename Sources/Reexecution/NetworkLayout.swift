internal import ProofArchive
internal import ProofPrimitives

/// Where each tensor of a multilayer perceptron stands in one flat array of parameters.
///
/// Order: for each layer from the input, its weight [out, in], then its bias [out].
struct NetworkLayout: Sendable {
  struct Layer: Sendable {
    let inputCount: Int
    let outputCount: Int
    /// First element of the weight in the flat array; the bias follows it.
    let weightOffset: Int

    var biasOffset: Int { weightOffset + inputCount * outputCount }
    var endOffset: Int { biasOffset + outputCount }
  }

  let layers: [Layer]
  let parameterCount: Int

  init(widths: [Int]) {
    var layers: [Layer] = []
    var offset = 0
    for (inputCount, outputCount) in zip(widths, widths.dropFirst()) {
      let layer = Layer(inputCount: inputCount, outputCount: outputCount, weightOffset: offset)
      layers.append(layer)
      offset = layer.endOffset
    }
    self.layers = layers
    parameterCount = offset
  }

  var inputCount: Int { layers.first?.inputCount ?? 0 }
  var classCount: Int { layers.last?.outputCount ?? 0 }

  struct Entry {
    let name: String
    let shape: [Int]
    let offset: Int
    var count: Int { shape.reduce(1, *) }
  }

  var entries: [Entry] {
    layers.enumerated().flatMap { index, layer in
      [
        Entry(
          name: "layers.\(index).weight", shape: [layer.outputCount, layer.inputCount],
          offset: layer.weightOffset),
        Entry(name: "layers.\(index).bias", shape: [layer.outputCount], offset: layer.biasOffset),
      ]
    }
  }

  /// What the optimiser's tensors are named: this and the weight's name.
  static let momentumPrefix = "momentum."

  // MARK: States

  func state(parameters: [Float], momentum: [Float]) throws(ReexecutionError) -> TrainingState {
    var tensors: [Tensor] = []
    for entry in entries {
      for (role, prefix, values) in [
        (TensorRole.weight, "", parameters),
        (TensorRole.optimizer, NetworkLayout.momentumPrefix, momentum),
      ] {
        let slice = values[entry.offset..<entry.offset + entry.count]
        guard
          let spec = TensorSpec(
            name: prefix + entry.name, role: role, type: .f32, shape: entry.shape),
          let tensor = Tensor(spec, bytes: littleEndianBytes(slice))
        else {
          throw ReexecutionError(
            .badState, "\(prefix + entry.name) is no valid tensor", remedy: "report this")
        }
        tensors.append(tensor)
      }
    }
    guard let state = TrainingState(tensors) else {
      throw ReexecutionError(.badState, "two tensors share a name", remedy: "report this")
    }
    return state
  }

  /// The flat parameters and momentum; refuses missing, additional and differently shaped tensors.
  func values(of state: TrainingState) throws(ReexecutionError) -> (
    parameters: [Float], momentum: [Float]
  ) {
    var parameters = [Float](repeating: 0, count: parameterCount)
    var momentum = parameters
    func fill(
      _ values: inout [Float], _ role: TensorRole, _ prefix: String, _ entry: Entry
    ) throws(ReexecutionError) {
      let name = prefix + entry.name
      guard let tensor = state[role, name] else {
        throw NetworkLayout.refusal("the \(role.name) tensor \(name) is missing")
      }
      guard tensor.spec.type == .f32, tensor.spec.shape == entry.shape else {
        throw NetworkLayout.refusal(
          "\(name) is \(tensor.spec.type.name) \(tensor.spec.shape), expected F32 \(entry.shape)")
      }
      tensor.bytes.withUnsafeBytes { bytes in
        for index in 0..<entry.count {
          let bits = bytes.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self)
          values[entry.offset + index] = Float(bitPattern: UInt32(littleEndian: bits))
        }
      }
    }
    for entry in entries {
      try fill(&parameters, .weight, "", entry)
      try fill(&momentum, .optimizer, NetworkLayout.momentumPrefix, entry)
    }
    // All expected ones are there and names are unique, so a larger count is an unknown tensor.
    guard state.tensors.count == entries.count * 2 else {
      let names = Set(entries.flatMap { [$0.name, NetworkLayout.momentumPrefix + $0.name] })
      let extra =
        state.tensors.first { !names.contains($0.spec.name) }?.spec.name ?? "of another role"
      throw NetworkLayout.refusal(
        "the tensor \(printable(extra, limit: 60)) is not part of this state")
    }
    return (parameters, momentum)
  }

  private static func refusal(_ message: String) -> ReexecutionError {
    ReexecutionError(
      .badState, message, remedy: "give a state of the network that the settings describe")
  }

  private func littleEndianBytes(_ values: ArraySlice<Float>) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: values.count * 4) { out, count in
      for (index, value) in values.enumerated() {
        UnsafeMutableRawBufferPointer(out).storeBytes(
          of: value.bitPattern.littleEndian, toByteOffset: index * 4, as: UInt32.self)
      }
      count = values.count * 4
    }
  }
}
