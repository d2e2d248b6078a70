internal import ProofArchive

/// What the tensors of a PyTorch file are called (`spec/conversion.md` §3.4).
///
/// A training program saves its model beside its optimiser in one dict; the model's tensors then
/// have the names, and so the digest, that they have when the model is saved alone.
enum TorchNames {
  private static let modelKeys: Set<String> = ["model", "net", "state_dict", "model_state_dict"]
  private static let optimizerKeys: Set<String> = ["optimizer", "optimizer_state_dict"]

  static func names(_ tensors: [FoundTensor]) -> [TensorName] {
    let heads = Set(tensors.compactMap { $0.path.count > 1 ? $0.path[0] : nil })
    let model = heads.intersection(modelKeys)
    guard model.count == 1, let modelKey = model.first else { return TensorName.byPrefix(tensors) }
    return tensors.map { tensor in
      let head = tensor.path[0]
      let rest = tensor.path.dropFirst().joined(separator: "/")
      if tensor.path.count > 1, head == modelKey { return TensorName(role: .weight, name: rest) }
      if tensor.path.count > 1, optimizerKeys.contains(head) {
        return TensorName(role: .optimizer, name: rest)
      }
      return TensorName(role: .counter, name: tensor.name)
    }
  }
}
