internal import ChunkStorage
internal import ProofPrimitives

extension ArchiveReader {
  /// A checkpoint as a safetensors file: weights and buffers, and on request what the optimiser keeps.
  ///
  /// A function of the archive alone. Weights and buffers alone have the archive's model digest at its
  /// last checkpoint.
  package func safetensors(
    ofCheckpoint number: Int, withOptimizer: Bool = false
  ) throws(ArchiveError) -> [UInt8] {
    let roles: Set<TensorRole> =
      withOptimizer ? [.weight, .buffer, .optimizer] : [.weight, .buffer]
    let tensors = try state(number, roles: roles).tensors
    guard Set(tensors.map(\.spec.name)).count == tensors.count else {
      throw ArchiveError(
        .unsupported, at: "record \(number)",
        "two tensors share a name, which safetensors has no room for",
        remedy: "export without the optimiser's state")
    }
    // Loaders of the Transformers library want `format`.
    return SafetensorsFile.encode(
      tensors,
      metadata: [
        ("format", "pt"), ("pol.archive_root", index.root.hex),
        ("pol.step", "\(index.rows[number].step)"),
      ])
  }
}
