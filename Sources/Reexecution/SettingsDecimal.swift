/// A non-negative decimal of the settings: the text that is hashed and the float32 that is used.
///
/// Text, because JSON numbers of the canonical form are integers, and because a decimal says what the
/// author of the settings meant. Grammar (`spec/settings.md` §3.1): digits without leading zeros,
/// then optionally a point and digits that do not end in zero. So one value has one text.
package struct SettingsDecimal: Equatable, Sendable {
  /// 24 characters hold every float32 of practical size to more digits than it has.
  package static let characterLimit = 24

  package let text: String
  /// The nearest float32, ties to even. Finite: 24 digits stay far below the largest float32.
  package let value: Float

  /// Nil unless the text fits the grammar.
  package init?(_ text: String) {
    let bytes = Array(text.utf8)
    guard !bytes.isEmpty, bytes.count <= SettingsDecimal.characterLimit else { return nil }
    let isDigit = { (byte: UInt8) in (48...57).contains(byte) }
    let whole = bytes.prefix { isDigit($0) }
    guard !whole.isEmpty, whole.count == 1 || whole.first != 48 else { return nil }
    let rest = bytes.dropFirst(whole.count)
    if let point = rest.first {
      let fraction = rest.dropFirst()
      guard point == 46, let last = fraction.last, last != 48, fraction.allSatisfy(isDigit) else {
        return nil
      }
    }
    guard let value = Float(text), value.isFinite else { return nil }
    self.text = text
    self.value = value
  }
}
