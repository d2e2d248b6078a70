/// Lower-case hexadecimal.
package enum Hex {
  private static let digits = Array("0123456789abcdef".utf8)

  package static func encode(_ bytes: some Collection<UInt8>) -> String {
    var out = [UInt8]()
    out.reserveCapacity(bytes.count * 2)
    for byte in bytes {
      out.append(digits[Int(byte >> 4)])
      out.append(digits[Int(byte & 15)])
    }
    return String(decoding: out, as: UTF8.self)
  }

  /// The two digits of a byte.
  static func digits(of byte: UInt8) -> [UInt8] {
    [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
  }

  /// Nil for upper case, odd lengths and anything that is not a digit: one value, one encoding.
  package static func decode(_ text: String) -> [UInt8]? { decode(ascii: Array(text.utf8)[...]) }

  package static func decode(ascii input: ArraySlice<UInt8>) -> [UInt8]? {
    func value(_ digit: UInt8) -> UInt8? {
      switch digit {
      case 48...57: digit - 48
      case 97...102: digit - 87
      default: nil
      }
    }
    guard input.count % 2 == 0 else { return nil }
    var out = [UInt8]()
    out.reserveCapacity(input.count / 2)
    for index in stride(from: input.startIndex, to: input.endIndex, by: 2) {
      guard let high = value(input[index]), let low = value(input[index + 1]) else { return nil }
      out.append(high << 4 | low)
    }
    return out
  }
}

/// Standard base64 with padding (RFC 4648 §4), decoded strictly.
package enum Base64 {
  private static let alphabet = Array(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
  private static let values: [UInt8] = {
    var table = [UInt8](repeating: 255, count: 256)
    for (value, letter) in alphabet.enumerated() { table[Int(letter)] = UInt8(value) }
    return table
  }()

  package static func encode(_ bytes: some Collection<UInt8>) -> String {
    let input = Array(bytes)
    var out = [UInt8]()
    out.reserveCapacity((input.count + 2) / 3 * 4)
    var index = 0
    while index < input.count {
      let left = input.count - index
      let group =
        UInt32(input[index]) << 16
        | (left > 1 ? UInt32(input[index + 1]) << 8 : 0) | (left > 2 ? UInt32(input[index + 2]) : 0)
      out.append(alphabet[Int(group >> 18 & 63)])
      out.append(alphabet[Int(group >> 12 & 63)])
      out.append(left > 1 ? alphabet[Int(group >> 6 & 63)] : 61)
      out.append(left > 2 ? alphabet[Int(group & 63)] : 61)
      index += 3
    }
    return String(decoding: out, as: UTF8.self)
  }

  /// Nil for missing padding, other alphabets, white space, or unused bits that are not zero.
  package static func decode(_ text: some StringProtocol) -> [UInt8]? {
    decode(ascii: Array(text.utf8)[...])
  }

  package static func decode(ascii input: ArraySlice<UInt8>) -> [UInt8]? {
    guard input.count % 4 == 0 else { return nil }
    var out = [UInt8]()
    out.reserveCapacity(input.count / 4 * 3)
    for start in stride(from: input.startIndex, to: input.endIndex, by: 4) {
      let isLast = start + 4 == input.endIndex
      let padding = isLast ? (input[start + 3] == 61 ? (input[start + 2] == 61 ? 2 : 1) : 0) : 0
      var group: UInt32 = 0
      for position in 0..<4 {
        let value = position >= 4 - padding ? 0 : values[Int(input[start + position])]
        guard value < 64 else { return nil }
        group = group << 6 | UInt32(value)
      }
      if padding == 1 { guard group & 0xff == 0 else { return nil } }
      if padding == 2 { guard group & 0xffff == 0 else { return nil } }
      out.append(UInt8(group >> 16 & 255))
      if padding < 2 { out.append(UInt8(group >> 8 & 255)) }
      if padding < 1 { out.append(UInt8(group & 255)) }
    }
    return out
  }
}

/// Text from a stranger, made safe for a terminal or a log: control characters, direction marks and
/// everything else that does not print is written as an escape, and long text is cut.
package func printable(_ text: String, limit: Int = 200) -> String {
  var out = ""
  for scalar in text.unicodeScalars {
    guard out.unicodeScalars.count < limit else { return out + "…" }
    let isHarmless =
      scalar.value >= 32 && scalar.value < 127 || (scalar.value > 160 && isPrinted(scalar))
    if isHarmless {
      out.unicodeScalars.append(scalar)
    } else {
      out += "\\u{" + String(scalar.value, radix: 16) + "}"
    }
  }
  return out
}

private func isPrinted(_ scalar: Unicode.Scalar) -> Bool {
  switch scalar.properties.generalCategory {
  case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator,
    .paragraphSeparator:
    false
  default: true
  }
}
