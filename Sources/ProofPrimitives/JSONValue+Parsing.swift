extension JSONValue {
  /// How strictly bytes are read.
  package enum Form: Sendable {
    /// Exactly the bytes that `encoded` would give; anything else is refused.
    case canonical
    /// White space, any key order, every JSON escape and fractions; duplicate keys still refused.
    case relaxed
  }

  /// Depth of nesting that any document here needs, with room: deeper ones are attacks on the stack.
  package static let depthLimit = 32

  /// Parses a whole document. The caller has bounded `bytes.count`; memory is proportional to it.
  package init(parsing bytes: some Collection<UInt8>, form: Form) throws(ParsingError) {
    var parser = JSONParser(bytes: Array(bytes), form: form)
    self = try parser.document()
  }
}

private struct JSONParser {
  let bytes: [UInt8]
  let form: JSONValue.Form
  var offset = 0

  init(bytes: [UInt8], form: JSONValue.Form) {
    self.bytes = bytes
    self.form = form
  }

  mutating func document() throws(ParsingError) -> JSONValue {
    skipSpace()
    let value = try self.value(depth: 0)
    skipSpace()
    guard offset == bytes.count else {
      throw ParsingError("bytes stand after the JSON value", at: offset)
    }
    return value
  }

  /// The canonical form is judged where it is read: white space is never skipped, keys must rise, an escape
  /// is the one that `encoded` writes, and the grammar of numbers leaves integers one spelling.
  private func needsCanonical(_ isCanonical: Bool, at offset: Int) throws(ParsingError) {
    guard form == .relaxed || isCanonical else {
      throw ParsingError("the JSON is not in canonical form", at: offset)
    }
  }

  private var next: UInt8? { offset < bytes.count ? bytes[offset] : nil }

  private mutating func skipSpace() {
    guard form == .relaxed else { return }
    while let byte = next, byte == 32 || byte == 9 || byte == 10 || byte == 13 { offset += 1 }
  }

  private mutating func value(depth: Int) throws(ParsingError) -> JSONValue {
    guard depth < JSONValue.depthLimit else {
      throw ParsingError("JSON nests deeper than \(JSONValue.depthLimit)", at: offset)
    }
    switch next {
    case 34: return .string(try string())
    case 123: return try object(depth: depth)
    case 91: return try array(depth: depth)
    case 116:
      try literal("true")
      return .bool(true)
    case 102:
      try literal("false")
      return .bool(false)
    case .some(45), .some(48...57): return try number()
    default: throw ParsingError("no JSON value here", at: offset)
    }
  }

  private mutating func literal(_ word: String) throws(ParsingError) {
    guard bytes[offset...].starts(with: word.utf8) else {
      throw ParsingError("no JSON value here", at: offset)
    }
    offset += word.utf8.count
  }

  private mutating func object(depth: Int) throws(ParsingError) -> JSONValue {
    offset += 1
    var members: [JSONValue.Member] = []
    // By bytes: Swift's equality of strings would take keys for one that other readers keep apart.
    var seen = Set<[UInt8]>()
    var last: String?
    skipSpace()
    if next == 125 {
      offset += 1
      return .object([])
    }
    while true {
      skipSpace()
      let start = offset
      guard next == 34 else { throw ParsingError("an object key is missing", at: offset) }
      let key = try string()
      let isAgain =
        form == .canonical
        ? last.map { $0.utf8.elementsEqual(key.utf8) } ?? false
        : !seen.insert(Array(key.utf8)).inserted
      if isAgain {
        throw ParsingError("the key \"\(printable(key, limit: 40))\" stands twice", at: start)
      }
      if form == .canonical {
        guard key.utf8.allSatisfy({ $0 <= 126 }) else {
          throw ParsingError("a key is not ASCII", at: start)
        }
        if let last {
          try needsCanonical(last.utf8.lexicographicallyPrecedes(key.utf8), at: start)
        }
        last = key
      }
      skipSpace()
      guard next == 58 else { throw ParsingError("a colon is missing", at: offset) }
      offset += 1
      skipSpace()
      members.append(JSONValue.Member(key, try value(depth: depth + 1)))
      skipSpace()
      switch next {
      case 44: offset += 1
      case 125:
        offset += 1
        return .object(members)
      default: throw ParsingError("an object is not closed", at: offset)
      }
    }
  }

  private mutating func array(depth: Int) throws(ParsingError) -> JSONValue {
    offset += 1
    var items: [JSONValue] = []
    skipSpace()
    if next == 93 {
      offset += 1
      return .array([])
    }
    while true {
      skipSpace()
      items.append(try value(depth: depth + 1))
      skipSpace()
      switch next {
      case 44: offset += 1
      case 93:
        offset += 1
        return .array(items)
      default: throw ParsingError("an array is not closed", at: offset)
      }
    }
  }

  private mutating func number() throws(ParsingError) -> JSONValue {
    let start = offset
    if next == 45 { offset += 1 }
    let digits = offset
    guard skipDigits() > 0, bytes[digits] != 48 || offset == digits + 1 else {
      throw ParsingError("a number is malformed", at: start)
    }
    // RFC 8259 §6; `Double.init` alone would also take "1." and others.
    var isFraction = false
    if next == 46 {
      isFraction = true
      offset += 1
      guard skipDigits() > 0 else { throw ParsingError("a number is malformed", at: start) }
    }
    if next == 101 || next == 69 {
      isFraction = true
      offset += 1
      if next == 43 || next == 45 { offset += 1 }
      guard skipDigits() > 0 else { throw ParsingError("a number is malformed", at: start) }
    }
    // 40 digits hold every value in use; longer ones are a way to burn time.
    guard offset - start <= 40 else { throw ParsingError("a number is too long", at: start) }
    let text = String(decoding: bytes[start..<offset], as: UTF8.self)
    if isFraction {
      guard form == .relaxed, let value = Double(text), value.isFinite else {
        throw ParsingError("only integers are allowed here", at: start)
      }
      return .double(value)
    }
    guard text != "-0" else { throw ParsingError("an integer is written -0", at: start) }
    // Not `abs`, which traps on Int64.min.
    guard let value = Int64(text), value.magnitude <= JSONValue.integerLimit.magnitude else {
      throw ParsingError("an integer is beyond 2^53 - 1", at: start)
    }
    return .integer(value)
  }

  private mutating func skipDigits() -> Int {
    let start = offset
    while let byte = next, (48...57).contains(byte) { offset += 1 }
    return offset - start
  }

  private mutating func string() throws(ParsingError) -> String {
    let start = offset
    offset += 1
    // Most strings are one run without escapes.
    var end = offset
    while end < bytes.count, bytes[end] >= 32, bytes[end] != 34, bytes[end] != 92,
      bytes[end] != 127
    {
      end += 1
    }
    var out = Array(bytes[offset..<end])
    offset = end
    while let byte = next {
      switch byte {
      case 34:
        offset += 1
        guard let text = String(validating: out, as: UTF8.self) else {
          throw ParsingError("a string is not UTF-8", at: start)
        }
        return text
      case 92:
        let escapeStart = offset
        let scalar = try escape()
        try needsCanonical(
          bytes[escapeStart..<offset].elementsEqual(JSONValue.escape(of: scalar)), at: start)
        out.append(contentsOf: String(Character(scalar)).utf8)
      case 0..<32: throw ParsingError("a control character stands in a string", at: offset)
      default:
        try needsCanonical(byte != 127, at: offset)
        out.append(byte)
        offset += 1
      }
    }
    throw ParsingError("a string is not closed", at: start)
  }

  /// The scalar that the escape at the cursor stands for; surrogates must come in pairs.
  private mutating func escape() throws(ParsingError) -> Unicode.Scalar {
    let start = offset
    offset += 1
    let letter = next
    offset += 1
    switch letter {
    case 34: return "\""
    case 92: return "\\"
    case 47: return "/"
    case 98: return "\u{8}"
    case 102: return "\u{c}"
    case 110: return "\n"
    case 114: return "\r"
    case 116: return "\t"
    case 117:
      let high = try hexUnit(start)
      if (0xD800..<0xDC00).contains(high) {
        guard offset + 1 < bytes.count, bytes[offset] == 92, bytes[offset + 1] == 117 else {
          throw ParsingError("a surrogate stands alone", at: start)
        }
        offset += 2
        let low = try hexUnit(start)
        guard (0xDC00..<0xE000).contains(low),
          let scalar = Unicode.Scalar(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
        else { throw ParsingError("a surrogate stands alone", at: start) }
        return scalar
      }
      guard let scalar = Unicode.Scalar(high) else {
        throw ParsingError("a surrogate stands alone", at: start)
      }
      return scalar
    default: throw ParsingError("an escape is unknown", at: start)
    }
  }

  private mutating func hexUnit(_ start: Int) throws(ParsingError) -> UInt32 {
    guard offset + 4 <= bytes.count,
      let unit = UInt32(
        String(decoding: bytes[offset..<offset + 4], as: UTF8.self), radix: 16),
      bytes[offset] != 43, bytes[offset] != 45
    else { throw ParsingError("an escape is cut short", at: start) }
    offset += 4
    return unit
  }
}
