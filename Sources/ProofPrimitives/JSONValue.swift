/// A JSON value as this project uses it: no null, integers within ±(2^53 - 1), objects without
/// duplicate keys.
///
/// The **canonical form** (what is hashed or signed; `spec/glossary.md`, "Canonical JSON"): no white
/// space, keys in bytewise order, ASCII keys, no numbers but integers, and in strings only the
/// escapes `\"`, `\\` and `\u00xx` (lower case) for control characters. One value has one encoding.
package indirect enum JSONValue: Equatable, Sendable {
  case string(String)
  case integer(Int64)
  case bool(Bool)
  /// Reports only; refused in the canonical form.
  case double(Double)
  case array([JSONValue])
  /// Keys are unique; kept in the order given.
  case object([Member])

  package struct Member: Equatable, Sendable {
    package let key: String
    package let value: JSONValue

    package init(_ key: String, _ value: JSONValue) {
      self.key = key
      self.value = value
    }

    /// Bytewise order of the keys' UTF-8, which Swift's own order of strings is not.
    fileprivate static func precedes(_ left: Member, _ right: Member) -> Bool {
      left.key.utf8.lexicographicallyPrecedes(right.key.utf8)
    }
  }

  /// The largest integer that every JSON reader keeps exactly: 2^53 - 1.
  package static let integerLimit: Int64 = 9_007_199_254_740_991

  package static func int(_ value: some BinaryInteger) -> JSONValue {
    .integer(Int64(clamping: value))
  }

  /// An object from pairs, sorted.
  package static func map(_ pairs: [(String, JSONValue)]) -> JSONValue {
    .object(
      pairs.map { Member($0.0, $0.1) }.sorted(by: Member.precedes))
  }

  package subscript(key: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.key.utf8.elementsEqual(key.utf8) }?.value
  }

  package var stringValue: String? { if case .string(let text) = self { text } else { nil } }
  package var integerValue: Int64? { if case .integer(let value) = self { value } else { nil } }
  package var boolValue: Bool? { if case .bool(let value) = self { value } else { nil } }
  package var arrayValue: [JSONValue]? { if case .array(let items) = self { items } else { nil } }
  package var members: [Member]? { if case .object(let members) = self { members } else { nil } }
  /// A non-negative integer that fits `Int`.
  package var countValue: Int? {
    guard case .integer(let value) = self, value >= 0 else { return nil }
    return Int(value)
  }

  /// Sorted keys, no white space. Canonical when the value holds no `.double`, no integer beyond
  /// `integerLimit`, and no key that is not ASCII or stands twice.
  package var encoded: [UInt8] {
    var out = [UInt8]()
    write(to: &out, indent: nil)
    return out
  }

  package var encodedText: String { String(decoding: encoded, as: UTF8.self) }

  /// Two spaces an indent, for people; the same members in the order given.
  package var prettyText: String {
    var out = [UInt8]()
    write(to: &out, indent: 0)
    return String(decoding: out, as: UTF8.self)
  }

  private func write(to out: inout [UInt8], indent: Int?) {
    func newline(_ depth: Int) {
      out.append(10)
      out.append(contentsOf: repeatElement(32, count: depth * 2))
    }
    switch self {
    case .string(let text): JSONValue.writeString(text, to: &out)
    case .integer(let value): out.append(contentsOf: String(value).utf8)
    case .bool(let value): out.append(contentsOf: (value ? "true" : "false").utf8)
    case .double(let value):
      // JSON has no NaN or infinity; a string says so instead of breaking the document.
      if value.isFinite {
        out.append(contentsOf: "\(value)".utf8)
      } else {
        JSONValue.writeString("\(value)", to: &out)
      }
    case .array(let items):
      out.append(91)
      for (position, item) in items.enumerated() {
        if position > 0 { out.append(44) }
        if let indent { newline(indent + 1) }
        item.write(to: &out, indent: indent.map { $0 + 1 })
      }
      if let indent, !items.isEmpty { newline(indent) }
      out.append(93)
    case .object(let members):
      out.append(123)
      let ordered =
        indent == nil
        ? members.sorted(by: Member.precedes)
        : members
      for (position, member) in ordered.enumerated() {
        if position > 0 { out.append(44) }
        if let indent { newline(indent + 1) }
        JSONValue.writeString(member.key, to: &out)
        out.append(58)
        if indent != nil { out.append(32) }
        member.value.write(to: &out, indent: indent.map { $0 + 1 })
      }
      if let indent, !members.isEmpty { newline(indent) }
      out.append(125)
    }
  }

  private static func writeString(_ text: String, to out: inout [UInt8]) {
    out.append(34)
    var text = text
    text.withUTF8 { bytes in
      // Runs without an escape are copied whole: a receipt has one line end in forty bytes.
      var start = 0
      for position in bytes.indices {
        let byte = bytes[position]
        guard byte < 32 || byte == 34 || byte == 92 || byte == 127 else { continue }
        out.append(contentsOf: bytes[start..<position])
        out.append(contentsOf: escape(of: Unicode.Scalar(byte)))
        start = position + 1
      }
      out.append(contentsOf: bytes[start...])
    }
    out.append(34)
  }

  /// The one escape of a scalar in the canonical form; none for those that stand for themselves.
  static func escape(of scalar: Unicode.Scalar) -> [UInt8] {
    switch scalar.value {
    case 34, 92: [92, UInt8(scalar.value)]
    case 0..<32, 127:
      [92, 117, 48, 48] + Hex.digits(of: UInt8(scalar.value))
    default: []
    }
  }
}
