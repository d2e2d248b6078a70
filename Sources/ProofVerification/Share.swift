/// A part of a whole as people write it, such as `0.05`: exact, in billionths.
///
/// Not a `Double`, which holds neither 0.05 nor 0.999: two verifiers would have to round alike.
/// Grammar (`spec/verification.md` §6): `0` or `1`, then optionally a point and 1 to 9 digits; at most 1.
package struct Share: Equatable, Sendable, CustomStringConvertible {
  /// How many make a whole.
  package static let one = 1_000_000_000

  /// 0 to `one`.
  package let billionths: Int

  /// - Parameter billionths: 0 to `one`.
  package init(billionths: Int) {
    precondition((0...Share.one).contains(billionths))
    self.billionths = billionths
  }

  /// Nil unless the text fits the grammar.
  package init?(_ text: String) {
    let bytes = Array(text.utf8)
    guard let whole = bytes.first, whole == 48 || whole == 49 else { return nil }
    let digits = bytes.dropFirst(2)
    if bytes.count > 1 {
      guard bytes[1] == 46, (1...9).contains(digits.count),
        digits.allSatisfy({ (48...57).contains($0) })
      else { return nil }
    }
    var value = Int(whole - 48)
    for position in 0..<9 {
      let digit = position < digits.count ? digits[digits.startIndex + position] : 48
      value = value * 10 + Int(digit - 48)
    }
    guard value <= Share.one else { return nil }
    billionths = value
  }

  /// The nearest `Double`: both numbers are exact, and a division rounds once.
  package var value: Double { Double(billionths) / Double(Share.one) }
  /// The nearest `Double` to what is left to the whole.
  package var complement: Double { Double(Share.one - billionths) / Double(Share.one) }
  package var description: String { "\(value)" }
}
