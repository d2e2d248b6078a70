internal import ProofArchive
internal import ProofPrimitives

/// Reads a pickle (Python's `pickletools`, protocols 2 to 5) without executing it: an allow-list of
/// opcodes and names, each of which does one harmless thing. What is not on the list is refused by
/// name.
struct PickleMachine {
  private(set) var arena = PickleArena()
  private var reader: ByteReader
  private var stack: [PickleValue] = []
  /// Where the marks stand in the stack.
  private var marks: [Int] = []
  private var memo: [Int: PickleValue] = [:]
  private var memoized = 0

  /// 64 MiB and four million steps: some 150,000 tensors; a step keeps at most about 100 bytes.
  static let byteLimit = 64 << 20
  private static let stepLimit = 1 << 22

  init(_ bytes: [UInt8]) { reader = ByteReader(bytes) }

  /// The value that the pickle ends with.
  mutating func run() throws(ParsingError) -> PickleValue {
    for _ in 0..<PickleMachine.stepLimit {
      let start = reader.offset
      let opcode = try reader.u8("an opcode")
      if opcode == 0x2e {
        guard stack.count == 1, marks.isEmpty, let value = stack.first else {
          throw ParsingError("the pickle ends with other than one value", at: start)
        }
        try reader.finish("pickle")
        return value
      }
      try step(opcode, at: start)
    }
    throw ParsingError(
      "the pickle has more than \(PickleMachine.stepLimit) steps", at: reader.offset, kind: .limit)
  }

  private mutating func step(_ opcode: UInt8, at start: Int) throws(ParsingError) {
    switch opcode {
    case 0x80:  // PROTO
      guard (2...5).contains(try reader.u8("protocol")) else {
        throw ParsingError("the pickle's protocol is not 2 to 5", at: start, kind: .unsupported)
      }
    case 0x95: _ = try reader.u64("frame length")  // FRAME
    case 0x28: marks.append(stack.count)  // MARK
    case 0x4e: stack.append(.none)  // NONE
    case 0x88: stack.append(.bool(true))  // NEWTRUE
    case 0x89: stack.append(.bool(false))  // NEWFALSE
    case 0x4a:  // BININT
      stack.append(.int(Int(Int32(bitPattern: try reader.u32("integer")))))
    case 0x4b: stack.append(.int(Int(try reader.u8("integer"))))  // BININT1
    case 0x4d: stack.append(.int(Int(try reader.u16("integer"))))  // BININT2
    case 0x8a: stack.append(try long())  // LONG1
    case 0x47:  // BINFLOAT
      _ = try reader.take(8, "number")
      stack.append(.other)
    case 0x58: stack.append(.text(try text(Int(try reader.u32("text length")))))  // BINUNICODE
    case 0x8c: stack.append(.text(try text(Int(try reader.u8("text length")))))  // SHORT_BINUNICODE
    case 0x71: try remember(Int(try reader.u8("memo number")), start)  // BINPUT
    case 0x72: try remember(Int(try reader.u32("memo number")), start)  // LONG_BINPUT
    case 0x94: try remember(memoized, start)  // MEMOIZE
    case 0x68: try recall(Int(try reader.u8("memo number")), start)  // BINGET
    case 0x6a: try recall(Int(try reader.u32("memo number")), start)  // LONG_BINGET
    case 0x63, 0x93: try global(opcode, start)  // GLOBAL, STACK_GLOBAL
    case 0x51: try persistent(start)  // BINPERSID
    case 0x52: try reduce(start)  // REDUCE
    case 0x62: try build(start)  // BUILD
    default: try container(opcode, start)
    }
  }

  private mutating func container(_ opcode: UInt8, _ start: Int) throws(ParsingError) {
    switch opcode {
    case 0x29: tuple([])  // EMPTY_TUPLE
    case 0x85: tuple(try pop(1, start))  // TUPLE1
    case 0x86: tuple(try pop(2, start))  // TUPLE2
    case 0x87: tuple(try pop(3, start))  // TUPLE3
    case 0x74: tuple(try popToMark(start))  // TUPLE
    case 0x5d:  // EMPTY_LIST
      arena.lists.append([])
      stack.append(.list(arena.lists.count - 1))
    case 0x7d: dict([])  // EMPTY_DICT
    case 0x61: try append(try pop(1, start), start)  // APPEND
    case 0x65: try append(try popToMark(start), start)  // APPENDS
    case 0x73: try set(try pop(2, start), start)  // SETITEM
    case 0x75: try set(try popToMark(start), start)  // SETITEMS
    default:
      throw ParsingError(
        "the pickle uses the opcode 0x\(Hex.encode([opcode])), which is none that plain tensors need",
        at: start, kind: .unsupported)
    }
  }

  // MARK: the stack

  private mutating func pop(_ count: Int, _ start: Int) throws(ParsingError) -> [PickleValue] {
    guard stack.count - (marks.last ?? 0) >= count else {
      throw ParsingError("the pickle takes more values than there are", at: start)
    }
    defer { stack.removeLast(count) }
    return Array(stack.suffix(count))
  }

  private mutating func popToMark(_ start: Int) throws(ParsingError) -> [PickleValue] {
    guard let mark = marks.popLast() else {
      throw ParsingError("the pickle takes more values than there are", at: start)
    }
    defer { stack.removeLast(stack.count - mark) }
    return Array(stack[mark...])
  }

  private func top(_ start: Int) throws(ParsingError) -> PickleValue {
    guard stack.count > marks.last ?? 0, let top = stack.last else {
      throw ParsingError("the pickle takes more values than there are", at: start)
    }
    return top
  }

  private mutating func remember(_ number: Int, _ start: Int) throws(ParsingError) {
    memo[number] = try top(start)
    memoized += 1
  }

  private mutating func recall(_ number: Int, _ start: Int) throws(ParsingError) {
    guard let value = memo[number] else {
      throw ParsingError("the pickle recalls what it never kept", at: start)
    }
    stack.append(value)
  }

  // MARK: values

  private mutating func tuple(_ items: [PickleValue]) {
    arena.tuples.append(items)
    stack.append(.tuple(arena.tuples.count - 1))
  }

  private mutating func dict(_ items: [(key: PickleValue, value: PickleValue)]) {
    arena.dicts.append(items)
    stack.append(.dict(arena.dicts.count - 1))
  }

  private mutating func append(_ items: [PickleValue], _ start: Int) throws(ParsingError) {
    guard case .list(let index) = try top(start) else {
      throw ParsingError("the pickle appends to what is no list", at: start)
    }
    arena.lists[index] += items
  }

  private mutating func set(_ items: [PickleValue], _ start: Int) throws(ParsingError) {
    guard case .dict(let index) = try top(start), items.count % 2 == 0 else {
      throw ParsingError("the pickle sets members of what is no dict", at: start)
    }
    for position in stride(from: 0, to: items.count, by: 2) {
      arena.dicts[index].append((items[position], items[position + 1]))
    }
  }

  private mutating func text(_ count: Int) throws(ParsingError) -> String {
    let start = reader.offset
    guard let text = String(validating: try reader.take(count, "text"), as: UTF8.self) else {
      throw ParsingError("a text of the pickle is not UTF-8", at: start)
    }
    return text
  }

  /// Little-endian two's complement of 0 to 255 bytes; what does not fit is of no use as a size.
  private mutating func long() throws(ParsingError) -> PickleValue {
    let bytes = try reader.take(Int(try reader.u8("integer length")), "integer")
    guard bytes.count <= 8 else { return .other }
    var value: UInt64 = (bytes.last ?? 0) & 0x80 == 0 ? 0 : .max
    for byte in bytes.reversed() { value = value << 8 | UInt64(byte) }
    return .int(Int(Int64(bitPattern: value)))
  }

  // MARK: names

  private mutating func global(_ opcode: UInt8, _ start: Int) throws(ParsingError) {
    let module: String
    let name: String
    if opcode == 0x93 {
      let parts = try pop(2, start).map(\.textValue)
      guard let first = parts[0], let second = parts[1] else {
        throw ParsingError("a name of the pickle is no text", at: start)
      }
      (module, name) = (first, second)
    } else {
      module = try line(start)
      name = try line(start)
    }
    guard let global = PickleGlobal(module: module, name: name) else {
      throw ParsingError(
        "the pickle uses \"\(printable(module, limit: 60)).\(printable(name, limit: 60))\", which is "
          + "not on the list of what plain tensors need", at: start, kind: .unsupported)
    }
    stack.append(.global(global))
  }

  private mutating func line(_ start: Int) throws(ParsingError) -> String {
    var bytes: [UInt8] = []
    while true {
      let byte = try reader.u8("a name")
      if byte == 10 { break }
      guard bytes.count < 256 else { throw ParsingError("a name has no end", at: start) }
      bytes.append(byte)
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw ParsingError("a name of the pickle is not UTF-8", at: start)
    }
    return text
  }

  /// ("storage", type, key, device, element count).
  private mutating func persistent(_ start: Int) throws(ParsingError) {
    guard let index = try pop(1, start)[0].tupleIndex, arena.tuples[index].count == 5,
      arena.tuples[index][0].textValue == "storage",
      case .global(.storageType(let type)) = arena.tuples[index][1],
      let key = arena.tuples[index][2].textValue, arena.tuples[index][3].textValue != nil,
      let count = arena.tuples[index][4].intValue, count >= 0
    else {
      throw ParsingError("a storage of the pickle is not described as PyTorch does", at: start)
    }
    stack.append(.storage(TorchStorage(key: key, type: type, elementCount: count)))
  }

  private mutating func reduce(_ start: Int) throws(ParsingError) {
    let pair = try pop(2, start)
    guard case .global(let function) = pair[0], let index = pair[1].tupleIndex else {
      throw ParsingError("the pickle calls what is no function", at: start)
    }
    let arguments = arena.tuples[index]
    switch (function, arguments.count) {
    case (.orderedDict, 0), (.counter, 0): dict([])
    case (.counter, 1):
      guard case .dict = arguments[0] else { throw badArguments(start) }
      stack.append(arguments[0])
    case (.size, 1):
      guard case .tuple = arguments[0] else { throw badArguments(start) }
      stack.append(arguments[0])
    case (.device, 1...2): stack.append(.other)
    case (.rebuildTensor, 6...7):
      arena.tensors.append(try tensor(arguments, start))
      stack.append(.tensor(arena.tensors.count - 1))
    case (.rebuildParameter, 3):
      guard case .tensor = arguments[0] else { throw badArguments(start) }
      stack.append(arguments[0])
    default: throw badArguments(start)
    }
  }

  private func badArguments(_ start: Int) -> ParsingError {
    ParsingError("the pickle calls a function with other arguments than PyTorch does", at: start)
  }

  /// (storage, offset, shape, strides, requires gradient, hooks[, metadata]).
  private func tensor(
    _ arguments: [PickleValue], _ start: Int
  ) throws(ParsingError) -> TorchTensor {
    guard case .storage(let storage) = arguments[0], let offset = arguments[1].intValue,
      offset >= 0,
      let shape = counts(arguments[2]), let strides = counts(arguments[3]),
      shape.count == strides.count
    else { throw badArguments(start) }
    return TorchTensor(storage: storage, offset: offset, shape: shape, strides: strides)
  }

  private func counts(_ value: PickleValue) -> [Int]? {
    guard let index = value.tupleIndex, arena.tuples[index].count <= TensorSpec.rankLimit else {
      return nil
    }
    let values = arena.tuples[index].compactMap(\.intValue).filter { $0 >= 0 }
    return values.count == arena.tuples[index].count ? values : nil
  }

  /// Sets attributes. Those of an ordered dict (`_metadata` of a state dict) are versions of modules,
  /// of no use here; nothing else may have any.
  private mutating func build(_ start: Int) throws(ParsingError) {
    _ = try pop(1, start)
    guard case .dict = try top(start) else {
      throw ParsingError("the pickle sets attributes of what is no dict", at: start)
    }
  }
}
