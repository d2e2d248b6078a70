internal import CKernels
internal import ProofPrimitives

/// The norms of an update on their way, for weights that come in pieces (`spec/archive.md` §3.5).
///
/// The pieces of one tensor come in order; tensors may come in any order, because their sums are only
/// added at the end, in the order of the record.
struct UpdateNormSums {
  private var finished: [pol_norm_sums]
  private var lanes = pol_norm_lanes()
  private var current: Int?

  /// - Parameter tensorCount: Weights of the record; a tensor is named by its position among them.
  init(tensorCount: Int) {
    finished = Array(repeating: pol_norm_sums(), count: tensorCount)
  }

  /// Whether the norms take elements of this type into account.
  static func counts(_ type: ElementType) -> Bool { floatType(type) != nil }

  private static func floatType(_ type: ElementType) -> pol_float_type? {
    switch type {
    case .f16: POL_F16
    case .bf16: POL_BF16
    case .f32: POL_F32
    case .f64: POL_F64
    default: nil
    }
  }

  /// Adds the next chunk of the weights.
  mutating func add(
    _ layout: ChunkLayout, _ chunk: Int, before: UnsafeRawBufferPointer,
    after: UnsafeRawBufferPointer
  ) {
    var cursor = 0
    for piece in layout.chunks[chunk] {
      let range = cursor..<cursor + piece.byteCount
      add(
        tensor: piece.tensor, type: layout.specs[piece.tensor].type,
        before: UnsafeRawBufferPointer(rebasing: before[range]),
        after: UnsafeRawBufferPointer(rebasing: after[range]))
      cursor = range.upperBound
    }
  }

  /// Adds the next bytes of a tensor, whole elements of both states.
  mutating func add(
    tensor: Int, type: ElementType, before: UnsafeRawBufferPointer, after: UnsafeRawBufferPointer
  ) {
    precondition(before.count == after.count)
    guard let float = UpdateNormSums.floatType(type), before.count > 0 else { return }
    if current != tensor {
      finish()
      current = tensor
    }
    pol_norms_add(
      &lanes, float, before.baseAddress, after.baseAddress, before.count / type.byteCount)
  }

  private mutating func finish() {
    if let current { pol_norms_finish(&finished[current], &lanes) }
    lanes = pol_norm_lanes()
  }

  /// The norms, when every tensor has come.
  var norms: UpdateNorms {
    var copy = self
    copy.finish()
    var total = pol_norm_sums()
    for sums in copy.finished {
      total.l1 += sums.l1
      total.l2_squared += sums.l2_squared
      total.weight_l2_squared += sums.weight_l2_squared
      if sums.linf > total.linf { total.linf = sums.linf }
      total.is_nan |= sums.is_nan
    }
    return UpdateNorms(total)
  }
}
