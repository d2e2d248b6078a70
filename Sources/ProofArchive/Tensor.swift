internal import ChunkStorage
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

  /// What the chunk filters take an element for: numbers with sign and magnitude, or plain integers.
  var chunkElement: ChunkElement {
    let isFloat = [.f16, .bf16, .f32, .f64].contains(self)
    return ChunkElement(byteCount: byteCount, isFloat: isFloat) ?? .byte
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

  /// Bytes of a tensor; nil when a dimension is negative or above `byteLimit`, or the product is. A
  /// product with a dimension of 0 is 0, whatever the others are.
  static func byteCount(_ type: ElementType, _ shape: [Int], limit: Int = byteLimit) -> Int? {
    guard shape.allSatisfy({ (0...byteLimit).contains($0) }) else { return nil }
    if shape.contains(0) { return 0 }
    var total = type.byteCount
    for dimension in shape {
      let (product, overflow) = total.multipliedReportingOverflow(by: dimension)
      guard !overflow, product <= limit else { return nil }
      total = product
    }
    return total
  }

  /// Nil when the name is empty, too long or holds a control character, there are too many dimensions,
  /// or one of them or the byte count is out of bounds.
  package init?(name: String, role: TensorRole, type: ElementType, shape: [Int]) {
    guard !name.isEmpty, name.utf8.count <= TensorSpec.nameLimit,
      !name.unicodeScalars.contains(where: { $0.value < 32 || $0.value == 127 }),
      shape.count <= TensorSpec.rankLimit, let total = TensorSpec.byteCount(type, shape)
    else { return nil }
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

/// Names are compared by bytes: two that Unicode calls equivalent are two names.
extension TensorSpec {
  package static func == (left: TensorSpec, right: TensorSpec) -> Bool {
    left.role == right.role && left.type == right.type && left.shape == right.shape
      && left.name.utf8.elementsEqual(right.name.utf8)
  }

  package func hash(into hasher: inout Hasher) {
    for byte in name.utf8 { hasher.combine(byte) }
    hasher.combine(role)
    hasher.combine(type)
    hasher.combine(shape)
  }

  /// Whether two weights or buffers share a name, which the model digest could not tell apart.
  static func modelNamesRepeat(_ specs: some Sequence<TensorSpec>) -> Bool {
    var names = Set<[UInt8]>()
    return specs.contains {
      ($0.role == .weight || $0.role == .buffer) && !names.insert(Array($0.name.utf8)).inserted
    }
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
/// Tensors are kept in the canonical order; names are unique within a role, and among weights and
/// buffers together.
package struct TrainingState: Equatable, Sendable {
  package private(set) var tensors: [Tensor]

  /// Nil when two tensors share a name and role, or a weight and a buffer a name.
  package init?(_ tensors: [Tensor]) {
    let sorted = tensors.sorted { TensorSpec.precedes($0.spec, $1.spec) }
    for (left, right) in zip(sorted, sorted.dropFirst())
    where !TensorSpec.precedes(left.spec, right.spec) {
      return nil
    }
    guard !TensorSpec.modelNamesRepeat(sorted.lazy.map(\.spec)) else { return nil }
    self.tensors = sorted
  }

  package subscript(role: TensorRole, name: String) -> Tensor? {
    tensors.first { $0.spec.role == role && $0.spec.name.utf8.elementsEqual(name.utf8) }
  }

  package func tensors(in role: TensorRole) -> [Tensor] { tensors.filter { $0.spec.role == role } }
}
