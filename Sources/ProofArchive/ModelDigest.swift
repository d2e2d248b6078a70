internal import Cryptography
package import ProofPrimitives

extension TensorSpec {
  /// What is hashed before a tensor's bytes (`spec/dataset.md` §5): type and shape, not the name.
  fileprivate var digestPrefix: [UInt8] {
    var writer = ByteWriter()
    writer.raw(DomainTag.tensor.bytes)
    writer.u8(type.rawValue)
    writer.u8(UInt8(shape.count))
    for dimension in shape { writer.u64(UInt64(dimension)) }
    return writer.bytes
  }
}

extension Tensor {
  /// Names type, shape and values, and leaves out the name (`spec/dataset.md` §5).
  package var digest: Digest {
    let hasher = SHA256()
    hasher.update(spec.digestPrefix)
    hasher.update(bytes)
    return hasher.finish()
  }
}

extension ChunkLoader {
  /// The model digest of a checkpoint, read a chunk at a time.
  func modelDigest(
    of record: CheckpointRecord, envelope: Envelope
  ) throws(ArchiveError) -> Digest {
    let layout = record.layout
    let wanted = layout.chunks.indices.filter {
      let role = layout.role(ofChunk: $0)
      return role == .weight || role == .buffer
    }
    let hasher = SHA256()
    var digests: [Int: Digest] = [:]
    // A tensor without bytes is in no chunk.
    for (number, spec) in record.specs.enumerated() where spec.byteCount == 0 {
      hasher.update(spec.digestPrefix)
      digests[number] = hasher.finish()
    }
    try forEach(wanted, of: record, envelope: envelope, .streaming) {
      chunk, raw throws(ArchiveError) in
      var cursor = 0
      for piece in layout.chunks[chunk] {
        let spec = record.specs[piece.tensor]
        if piece.byteOffset == 0 { hasher.update(spec.digestPrefix) }
        hasher.update(raw[cursor..<cursor + piece.byteCount])
        cursor += piece.byteCount
        if piece.byteOffset + piece.byteCount == spec.byteCount {
          digests[piece.tensor] = hasher.finish()
        }
      }
    }
    let model = record.specs.indices.filter {
      [.weight, .buffer].contains(record.specs[$0].role)
    }
    return ProofArchive.modelDigest(
      of: model.compactMap { number in
        digests[number].map { (record.specs[number].name, $0) }
      })
  }
}

/// Names a model whatever file it came in: all weights and buffers by name (`spec/dataset.md` §5).
///
/// - Parameter tensors: Weights and buffers; others are left out. Nil when two share a name.
package func modelDigest(of tensors: [Tensor]) -> Digest? {
  let own = tensors.filter { $0.spec.role == .weight || $0.spec.role == .buffer }
    .sorted { $0.spec.name.utf8.lexicographicallyPrecedes($1.spec.name.utf8) }
  guard !TensorSpec.modelNamesRepeat(own.lazy.map(\.spec)) else { return nil }
  return modelDigest(of: own.map { ($0.spec.name, $0.digest) })
}

/// - Parameter tensors: Name and digest of each; no name twice.
private func modelDigest(of tensors: [(name: String, digest: Digest)]) -> Digest {
  let sorted = tensors.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
  var writer = ByteWriter()
  writer.u32(UInt32(sorted.count))
  for tensor in sorted {
    writer.string(tensor.name)
    writer.digest(tensor.digest)
  }
  return SHA256.hash(.model, writer.bytes)
}
