/// Bech32 (BIP 173) without its limit on length, as age uses it for keys.
///
/// Case is kept apart from the value: a string is all lower or all upper case, and the checksum is over
/// the lower-case form. Kept to at most `limit` characters, so that a checksum that finds few errors in
/// long strings is not asked to.
enum Bech32 {
  private static let limit = 200
  private static let alphabet = Array("qpzry9x8gf2tvdw0s3jn54khce6mua7l".utf8)
  private static let checksumCount = 6

  /// - Parameter prefix: Lower-case ASCII; the result is in lower case.
  static func encode(prefix: String, _ bytes: [UInt8]) -> String {
    let values = regroup(bytes, from: 8, to: 5, pads: true) ?? []
    let expanded = expand(Array(prefix.utf8))
    let zeros = [UInt8](repeating: 0, count: checksumCount)
    let sum = polymod(expanded + values + zeros) ^ 1
    let checksum = (0..<checksumCount).map { UInt8(sum >> UInt32(5 * (5 - $0)) & 31) }
    let text = (values + checksum).map { alphabet[Int($0)] }
    return prefix + "1" + String(decoding: text, as: UTF8.self)
  }

  /// The bytes of `text`, or nil unless it is the one encoding of them under `prefix`, letter case too.
  ///
  /// - Parameter prefix: ASCII of one case, which is the case of the whole text.
  static func decode(_ text: String, prefix: String) -> [UInt8]? {
    let lower = prefix.lowercased()
    // Exactly one case is right, so the other never reaches the table.
    guard text.utf8.count <= limit,
      text == (prefix == lower ? text.lowercased() : text.uppercased())
    else { return nil }
    let letters = Array(text.lowercased().utf8)
    let start = Array((lower + "1").utf8)
    guard letters.count >= start.count + checksumCount, letters.starts(with: start) else {
      return nil
    }
    var values: [UInt8] = []
    for letter in letters.dropFirst(start.count) {
      guard let value = alphabet.firstIndex(of: letter) else { return nil }
      values.append(UInt8(value))
    }
    guard polymod(expand(Array(lower.utf8)) + values) == 1 else { return nil }
    return regroup(values.dropLast(checksumCount), from: 5, to: 8, pads: false)
  }

  private static func expand(_ prefix: [UInt8]) -> [UInt8] {
    prefix.map { $0 >> 5 } + [0] + prefix.map { $0 & 31 }
  }

  private static func polymod(_ values: [UInt8]) -> UInt32 {
    let generators: [UInt32] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3]
    var sum: UInt32 = 1
    for value in values {
      let top = sum >> 25
      sum = (sum & 0x1ff_ffff) << 5 ^ UInt32(value)
      for (bit, generator) in generators.enumerated() where top >> UInt32(bit) & 1 == 1 {
        sum ^= generator
      }
    }
    return sum
  }

  /// Nil when what is left over at the end is a whole group or not zero.
  private static func regroup(
    _ values: some Sequence<UInt8>, from: UInt32, to: UInt32, pads: Bool
  ) -> [UInt8]? {
    var out: [UInt8] = []
    var group: UInt32 = 0
    var bits: UInt32 = 0
    for value in values {
      group = (group << from | UInt32(value)) & 0xfff
      bits += from
      while bits >= to {
        bits -= to
        out.append(UInt8(truncatingIfNeeded: group >> bits & (1 << to - 1)))
      }
    }
    if pads {
      if bits > 0 { out.append(UInt8(truncatingIfNeeded: group << (to - bits) & (1 << to - 1))) }
    } else {
      guard bits < from, group & (1 << bits - 1) == 0 else { return nil }
    }
    return out
  }
}
