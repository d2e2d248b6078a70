internal import Cryptography
package import ProofPrimitives

extension Tensor {
  /// Names type, shape and values, and leaves out the name (`spec/dataset.md` §5).
  package var digest: Digest {
    var writer = ByteWriter()
    writer.u8(spec.type.rawValue)
    writer.u8(UInt8(spec.shape.count))
    for dimension in spec.shape { writer.u64(UInt64(dimension)) }
    let hasher = SHA256()
    hasher.update(DomainTag.tensor)
    hasher.update(writer.bytes)
    hasher.update(bytes)
    return hasher.finish()
  }
}

/// Names a model whatever file it came in: all weights and buffers by name (`spec/dataset.md` §5).
///
/// - Parameter tensors: Weights and buffers; others are left out. Nil when two share a name.
package func modelDigest(of tensors: [Tensor]) -> Digest? {
  let own = tensors.filter { $0.spec.role == .weight || $0.spec.role == .buffer }
    .sorted { $0.spec.name.utf8.lexicographicallyPrecedes($1.spec.name.utf8) }
  guard !TensorSpec.modelNamesRepeat(own.lazy.map(\.spec)) else { return nil }
  var writer = ByteWriter()
  writer.u32(UInt32(own.count))
  for tensor in own {
    writer.string(tensor.spec.name)
    writer.digest(tensor.digest)
  }
  return SHA256.hash(.model, writer.bytes)
}
