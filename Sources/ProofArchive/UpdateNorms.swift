internal import CKernels
package import ProofPrimitives

/// How far the weights moved in a segment (`spec/archive.md` §3.5), by bits: two equal updates have
/// equal norms on every machine.
package struct UpdateNorms: Equatable, Sendable {
  package let l1: UInt64
  package let l2: UInt64
  package let linf: UInt64
  package let weightL2: UInt64

  package static let zero = UpdateNorms(l1: 0, l2: 0, linf: 0, weightL2: 0)
  package static let byteCount = 32
  private static let canonicalNaN: UInt64 = 0x7ff8_0000_0000_0000

  package init(l1: UInt64, l2: UInt64, linf: UInt64, weightL2: UInt64) {
    self.l1 = l1
    self.l2 = l2
    self.linf = linf
    self.weightL2 = weightL2
  }

  /// Nil unless both states hold the same weights by name, type and shape.
  ///
  /// - Complexity: one pass over the weights of both; no allocation beyond the tensor list.
  package init?(from before: TrainingState, to after: TrainingState) {
    let old = before.tensors(in: .weight)
    let new = after.tensors(in: .weight)
    guard old.map(\.spec) == new.map(\.spec) else { return nil }
    var sums = UpdateNormSums(tensorCount: old.count)
    for (position, pair) in zip(old, new).enumerated() {
      pair.0.bytes.withUnsafeBytes { a in
        pair.1.bytes.withUnsafeBytes { b in
          sums.add(tensor: position, type: pair.0.spec.type, before: a, after: b)
        }
      }
    }
    self = sums.norms
  }

  init(_ sums: pol_norm_sums) {
    func bits(_ value: Double) -> UInt64 {
      sums.is_nan != 0 || value.isNaN ? UpdateNorms.canonicalNaN : value.bitPattern
    }
    l1 = bits(sums.l1)
    l2 = bits(sums.l2_squared.squareRoot())
    linf = bits(sums.linf)
    weightL2 = bits(sums.weight_l2_squared.squareRoot())
  }

  package func write(to writer: inout ByteWriter) {
    for bits in [l1, l2, linf, weightL2] { writer.u64(bits) }
  }

  package init(_ reader: inout ByteReader) throws(ParsingError) {
    l1 = try reader.u64("l1 norm")
    l2 = try reader.u64("l2 norm")
    linf = try reader.u64("linf norm")
    weightL2 = try reader.u64("weight norm")
  }

  /// The update's l2 over the weights' l2; NaN when either is, infinity from zero weights.
  package var relativeSize: Double { Double(bitPattern: l2) / Double(bitPattern: weightL2) }
  package var isFinite: Bool {
    [l1, l2, linf, weightL2].allSatisfy { Double(bitPattern: $0).isFinite }
  }
}
