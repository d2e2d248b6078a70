internal import ProofPrimitives

/// What a tensor is to the training (`spec/archive.md` §3.4). The raw value is the encoded byte and
/// the order of chunks in a checkpoint.
package enum TensorRole: UInt8, CaseIterable, Sendable, Comparable {
  case weight = 0
  case buffer = 1
  case optimizer = 2
  case random = 3
  case counter = 4

  package var name: String {
    switch self {
    case .weight: "weight"
    case .buffer: "buffer"
    case .optimizer: "optimizer"
    case .random: "random"
    case .counter: "counter"
    }
  }

  package static func < (left: TensorRole, right: TensorRole) -> Bool {
    left.rawValue < right.rawValue
  }
}

/// Element types, named as in safetensors; the raw value is the encoded byte.
package enum ElementType: UInt8, CaseIterable, Sendable, Comparable {
  case bool = 1
  case u8 = 2
  case i8 = 3
  case f8e5m2 = 4
  case f8e4m3 = 5
  case i16 = 6
  case u16 = 7
  case f16 = 8
  case bf16 = 9
  case i32 = 10
  case u32 = 11
  case f32 = 12
  case i64 = 13
  case u64 = 14
  case f64 = 15

  package var byteCount: Int {
    switch self {
    case .bool, .u8, .i8, .f8e5m2, .f8e4m3: 1
    case .i16, .u16, .f16, .bf16: 2
    case .i32, .u32, .f32: 4
    case .i64, .u64, .f64: 8
    }
  }

  /// The safetensors name, such as `F32`.
  package var name: String {
    switch self {
    case .bool: "BOOL"
    case .u8: "U8"
    case .i8: "I8"
    case .f8e5m2: "F8_E5M2"
    case .f8e4m3: "F8_E4M3"
    case .i16: "I16"
    case .u16: "U16"
    case .f16: "F16"
    case .bf16: "BF16"
    case .i32: "I32"
    case .u32: "U32"
    case .f32: "F32"
    case .i64: "I64"
    case .u64: "U64"
    case .f64: "F64"
    }
  }

  package init?(name: String) {
    guard let found = ElementType.allCases.first(where: { $0.name == name }) else { return nil }
    self = found
  }

  package static func < (left: ElementType, right: ElementType) -> Bool {
    left.rawValue < right.rawValue
  }
}

/// Name, role, type and shape of a tensor, without its values.
package struct TensorSpec: Hashable, Sendable {
  package let name: String
  package let role: TensorRole
  package let type: ElementType
  /// Dimensions, outermost first; empty for a scalar.
  package let shape: [Int]
  package let byteCount: Int

  /// The longest name: PyTorch's deepest module paths stay far below.
  package static let nameLimit = 512
  /// More dimensions than any framework uses.
  package static let rankLimit = 16
  /// 1 TiB in one tensor: larger than any published layer, far below an overflow.
  package static let byteLimit = 1 << 40

  /// Nil when the name is empty, too long or holds a control character, a dimension is negative, or
  /// the product of the dimensions overflows or passes `byteLimit`.
  package init?(name: String, role: TensorRole, type: ElementType, shape: [Int]) {
    guard !name.isEmpty, name.utf8.count <= TensorSpec.nameLimit,
      !name.unicodeScalars.contains(where: { $0.value < 32 || $0.value == 127 }),
      shape.count <= TensorSpec.rankLimit
    else { return nil }
    var total = type.byteCount
    for dimension in shape {
      guard dimension >= 0, dimension <= TensorSpec.byteLimit else { return nil }
      let (product, overflow) = total.multipliedReportingOverflow(by: dimension)
      guard !overflow, product <= TensorSpec.byteLimit else { return nil }
      total = product
    }
    self.name = name
    self.role = role
    self.type = type
    self.shape = shape
    byteCount = total
  }

  /// The canonical order: role, then name by bytes.
  package static func precedes(_ left: TensorSpec, _ right: TensorSpec) -> Bool {
    if left.role != right.role { return left.role < right.role }
    return left.name.utf8.lexicographicallyPrecedes(right.name.utf8)
  }
}

/// A tensor with its values: little-endian elements, row-major.
package struct Tensor: Equatable, Sendable {
  package let spec: TensorSpec
  package var bytes: [UInt8]

  /// Nil when the byte count does not fit the shape.
  package init?(_ spec: TensorSpec, bytes: [UInt8]) {
    guard bytes.count == spec.byteCount else { return nil }
    self.spec = spec
    self.bytes = bytes
  }
}

/// The whole state of a training after one step: weights, buffers, optimiser, random, counters.
///
/// Tensors are kept in the canonical order; names are unique within a role.
package struct TrainingState: Equatable, Sendable {
  package private(set) var tensors: [Tensor]

  /// Nil when two tensors share a name and role.
  package init?(_ tensors: [Tensor]) {
    let sorted = tensors.sorted { TensorSpec.precedes($0.spec, $1.spec) }
    for (left, right) in zip(sorted, sorted.dropFirst())
    where !TensorSpec.precedes(left.spec, right.spec) {
      return nil
    }
    self.tensors = sorted
  }

  package subscript(role: TensorRole, name: String) -> Tensor? {
    tensors.first { $0.spec.role == role && $0.spec.name == name }
  }

  package func tensors(in role: TensorRole) -> [Tensor] { tensors.filter { $0.spec.role == role } }
}
