internal import ChunkStorage
internal import ProofArchive
internal import ProofPrimitives

/// The head of an array in NumPy's format, versions 1.0 to 3.0 (NumPy enhancement proposal 1).
struct NumpyHeader {
  let type: ElementType
  let shape: [Int]
  let isFortranOrder: Bool
  /// Bytes before the array's own.
  let byteCount: Int

  /// What NumPy itself accepts; the text is a Python literal that it parses.
  static let textLimit = 10_000
  static let prefixByteCount = 12
  private static let magic: [UInt8] = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]

  static func isNumpy(_ bytes: some Collection<UInt8>) -> Bool { bytes.starts(with: magic) }

  /// The head at the start of `range`, whose bytes are then exactly the array's.
  ///
  /// - Parameter place: For messages: the file, and which of its arrays.
  static func read(
    _ file: RandomAccessFile, in range: Range<Int>, place: String
  ) throws(CheckpointFileError) -> NumpyHeader {
    let end = min(range.upperBound, range.lowerBound + prefixByteCount + textLimit)
    let bytes = try storing { () throws(StorageError) in
      try file.bytes(range.lowerBound..<end)
    }
    return try parsing(place, offset: range.lowerBound) { () throws(ParsingError) in
      let header = try NumpyHeader(parsing: bytes)
      guard
        let spec = TensorSpec(name: "array", role: .weight, type: header.type, shape: header.shape),
        spec.byteCount == range.count - header.byteCount
      else {
        throw ParsingError("the array's bytes do not fit its shape", at: header.byteCount)
      }
      return header
    }
  }

  /// - Parameter bytes: The first bytes of the array's file: all of them, or more than the limit.
  init(parsing bytes: [UInt8]) throws(ParsingError) {
    var reader = ByteReader(bytes)
    try reader.expect(NumpyHeader.magic, "the magic")
    let major = try reader.u8("version")
    guard (1...3).contains(major), try reader.u8("minor version") == 0 else {
      throw ParsingError(
        "the version of the array's format is not known", at: 6, kind: .unsupported)
    }
    let count = major == 1 ? Int(try reader.u16("head length")) : Int(try reader.u32("head length"))
    guard count <= NumpyHeader.textLimit else {
      throw ParsingError(
        "the head has \(count) bytes, the limit is \(NumpyHeader.textLimit)", at: 8, kind: .limit)
    }
    let start = reader.offset
    var literal = PythonLiteral(Array(try reader.take(count, "head")), offset: start)
    let fields = try literal.head()
    guard let type = NumpyHeader.type(fields.descriptor) else {
      let isOrder = fields.descriptor.hasPrefix(">")
      throw ParsingError(
        "the element type \"\(printable(fields.descriptor, limit: 40))\" is "
          + (isOrder ? "big-endian: save it with .astype('<' ...)" : "not one that is read"),
        at: start, kind: .unsupported)
    }
    self.type = type
    shape = fields.shape
    isFortranOrder = fields.isFortranOrder
    byteCount = reader.offset
  }

  private static let names: [String: ElementType] = [
    "|b1": .bool, "|u1": .u8, "|i1": .i8, "<u2": .u16, "<i2": .i16, "<f2": .f16, "<u4": .u32,
    "<i4": .i32, "<f4": .f32, "<u8": .u64, "<i8": .i64, "<f8": .f64,
  ]

  static func type(_ descriptor: String) -> ElementType? { names[descriptor] }

  /// Nil for types that NumPy has not: BF16 and the eight-bit floats.
  static func descriptor(_ type: ElementType) -> String? {
    names.first { $0.value == type }?.key
  }

  /// A head as NumPy writes it: version 1.0, padded with spaces so that the array begins at a multiple
  /// of 64. Sixteen dimensions stay far below that version's limit.
  static func encode(_ type: String, _ shape: [Int]) -> [UInt8] {
    let dimensions = shape.map { "\($0)" }.joined(separator: ", ") + (shape.count == 1 ? "," : "")
    var text = Array(
      "{'descr': '\(type)', 'fortran_order': False, 'shape': (\(dimensions)), }".utf8)
    while (10 + text.count + 1) % 64 != 0 { text.append(32) }
    text.append(10)
    var writer = ByteWriter()
    writer.raw(magic)
    writer.raw([1, 0])
    writer.u16(UInt16(text.count))
    writer.raw(text)
    return writer.bytes
  }
}

/// The one Python literal in an array's head: a dict of three members.
private struct PythonLiteral {
  private let bytes: [UInt8]
  private let offset: Int
  private var position = 0

  init(_ bytes: [UInt8], offset: Int) {
    self.bytes = bytes
    self.offset = offset
  }

  mutating func head() throws(ParsingError) -> (
    descriptor: String, isFortranOrder: Bool, shape: [Int]
  ) {
    var descriptor: String?
    var order: Bool?
    var shape: [Int]?
    try take(0x7b)
    while !next(is: 0x7d) {
      let key = try string()
      try take(0x3a)
      switch key {
      case "descr" where descriptor == nil: descriptor = try string()
      case "fortran_order" where order == nil: order = try bool()
      case "shape" where shape == nil: shape = try tuple()
      default: throw failure("the key \"\(printable(key, limit: 40))\" is unknown or stands twice")
      }
      if !next(is: 0x7d) { try take(0x2c) }
    }
    try take(0x7d)
    while position < bytes.count, bytes[position] == 32 || bytes[position] == 10 { position += 1 }
    guard position == bytes.count else { throw failure("bytes stand after the head's dict") }
    guard let descriptor, let order, let shape else {
      throw failure("a key of the head is missing")
    }
    return (descriptor, order, shape)
  }

  private func failure(_ message: String) -> ParsingError {
    ParsingError(message, at: offset + position)
  }

  private mutating func skipSpaces() {
    while position < bytes.count, bytes[position] == 32 { position += 1 }
  }

  private mutating func next(is byte: UInt8) -> Bool {
    skipSpaces()
    return position < bytes.count && bytes[position] == byte
  }

  private mutating func take(_ byte: UInt8) throws(ParsingError) {
    guard next(is: byte) else {
      throw failure("the head's dict wants \"\(Character(Unicode.Scalar(byte)))\" here")
    }
    position += 1
  }

  private mutating func string() throws(ParsingError) -> String {
    skipSpaces()
    guard position < bytes.count, bytes[position] == 0x27 || bytes[position] == 0x22 else {
      throw ParsingError(
        "the element type is a record or no text: only plain arrays are read",
        at: offset + position,
        kind: .unsupported)
    }
    let quote = bytes[position]
    guard let end = bytes[(position + 1)...].firstIndex(of: quote),
      let text = String(validating: bytes[position + 1..<end], as: UTF8.self), !text.contains("\\")
    else { throw failure("a text in the head is not closed") }
    position = end + 1
    return text
  }

  private mutating func bool() throws(ParsingError) -> Bool {
    skipSpaces()
    for (word, value) in [("True", true), ("False", false)]
    where bytes[position...].starts(with: word.utf8) {
      position += word.utf8.count
      return value
    }
    throw failure("fortran_order is neither True nor False")
  }

  private mutating func tuple() throws(ParsingError) -> [Int] {
    var values: [Int] = []
    try take(0x28)
    while !next(is: 0x29) {
      let digits = bytes[position...].prefix { (0x30...0x39).contains($0) }
      guard let value = Int(String(decoding: digits, as: UTF8.self)),
        values.count < TensorSpec.rankLimit
      else { throw failure("the shape is no tuple of at most \(TensorSpec.rankLimit) counts") }
      values.append(value)
      position += digits.count
      if !next(is: 0x29) { try take(0x2c) }
    }
    try take(0x29)
    return values
  }
}
