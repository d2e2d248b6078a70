internal import ProofArchive

/// A value that a pickle describes. Containers are positions in `PickleArena`: values never own each
/// other, so that neither a cycle nor a deep nesting can hang or overflow anything.
enum PickleValue: Sendable {
  case none
  case bool(Bool)
  case int(Int)
  case text(String)
  case tuple(Int)
  case list(Int)
  case dict(Int)
  case global(PickleGlobal)
  case storage(TorchStorage)
  case tensor(Int)
  /// Understood, and of no use here: a number with a fraction, a device, an element type.
  case other

  var intValue: Int? { if case .int(let value) = self { value } else { nil } }
  var textValue: String? { if case .text(let value) = self { value } else { nil } }
  var tupleIndex: Int? { if case .tuple(let index) = self { index } else { nil } }
}

/// The names that a pickle may use. Any other is refused before anything is made of it.
enum PickleGlobal: Equatable, Sendable {
  case orderedDict
  case counter
  case rebuildTensor
  case rebuildParameter
  case size
  case device
  case elementType
  case storageType(ElementType)

  /// By module and name, as they stand in the pickle.
  init?(module: String, name: String) {
    switch (module, name) {
    case ("collections", "OrderedDict"): self = .orderedDict
    // A learning rate scheduler keeps its milestones in one.
    case ("collections", "Counter"): self = .counter
    case ("torch._utils", "_rebuild_tensor_v2"): self = .rebuildTensor
    case ("torch._utils", "_rebuild_parameter"): self = .rebuildParameter
    case ("torch", "Size"): self = .size
    case ("torch", "device"): self = .device
    case ("torch", _):
      if let type = PickleGlobal.storages[name] {
        self = .storageType(type)
      } else if PickleGlobal.elementTypes.contains(name) {
        self = .elementType
      } else {
        return nil
      }
    default: return nil
    }
  }

  private static let storages: [String: ElementType] = [
    "FloatStorage": .f32, "DoubleStorage": .f64, "HalfStorage": .f16, "BFloat16Storage": .bf16,
    "LongStorage": .i64, "IntStorage": .i32, "ShortStorage": .i16, "CharStorage": .i8,
    "ByteStorage": .u8, "BoolStorage": .bool,
  ]
  private static let elementTypes: Set<String> = [
    "float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool",
  ]
}

/// A storage that the pickle names: a member of the zip.
struct TorchStorage: Sendable {
  let key: String
  let type: ElementType
  let elementCount: Int
}

/// A tensor that the pickle describes: a view of a storage, in elements.
struct TorchTensor: Sendable {
  let storage: TorchStorage
  let offset: Int
  let shape: [Int]
  let strides: [Int]
}

/// All containers that a pickle made.
struct PickleArena: Sendable {
  var tuples: [[PickleValue]] = []
  var lists: [[PickleValue]] = []
  var dicts: [[(key: PickleValue, value: PickleValue)]] = []
  var tensors: [TorchTensor] = []
}
