/// A whole training state whose bytes are read a piece at a time, so that recording needs no more
/// memory than a few chunks, whatever the state's size.
///
/// `read` is called from several threads at once, and the bytes must not change while a checkpoint
/// is being recorded.
package protocol StateSource: Sendable {
  /// Every tensor, in the canonical order (`spec/archive.md` §3.3): role, then name by bytes.
  var specs: [TensorSpec] { get }

  /// Fills `out` with the bytes of tensor `index` of `specs` from byte `offset` on.
  ///
  /// - Precondition: `offset + out.count` is within the tensor's byte count.
  /// - Throws: `.io` or `.damaged` when the bytes cannot be had.
  func read(
    tensor index: Int, at offset: Int, into out: UnsafeMutableRawBufferPointer
  ) throws(ArchiveError)
}

extension TrainingState: StateSource {
  package var specs: [TensorSpec] { tensors.map(\.spec) }

  package func read(
    tensor index: Int, at offset: Int, into out: UnsafeMutableRawBufferPointer
  ) throws(ArchiveError) {
    tensors[index].bytes.withUnsafeBytes {
      out.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<offset + out.count]))
    }
  }
}
