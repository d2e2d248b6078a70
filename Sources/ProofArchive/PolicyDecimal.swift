/// A learning rate of a policy: the text that is hashed and the float32 that is compared.
///
/// Grammar (`spec/verification.md` §3): digits without a leading zero; optionally a point and digits;
/// optionally `e`, a sign or none, and digits. No sign before it. The text is kept, so that a policy
/// that was read has its own bytes again, and its own digest.
struct PolicyDecimal: Equatable, Sendable {
  static let characterLimit = 24

  let text: String
  /// The nearest float32, ties to even; finite.
  let value: Float

  /// - Parameter value: Finite and not negative: such a number's description fits the grammar.
  init(_ value: Float) {
    precondition(value.isFinite && value.sign == .plus)
    self.value = value
    text = "\(value)"
  }

  /// Nil unless the text fits the grammar and its float32 is finite.
  init?(_ text: String) {
    guard text.utf8.count <= PolicyDecimal.characterLimit else { return nil }
    var rest = Array(text.utf8)[...]
    func digits() -> Int {
      let count = rest.prefix { (48...57).contains($0) }.count
      rest = rest.dropFirst(count)
      return count
    }
    let leading = rest.first
    let whole = digits()
    guard whole == 1 || (whole > 1 && leading != 48) else { return nil }
    if rest.first == 46 {
      rest = rest.dropFirst()
      guard digits() > 0 else { return nil }
    }
    if rest.first == 101 {
      rest = rest.dropFirst()
      if rest.first == 43 || rest.first == 45 { rest = rest.dropFirst() }
      guard digits() > 0 else { return nil }
    }
    guard rest.isEmpty, let value = Float(text), value.isFinite else { return nil }
    self.text = text
    self.value = value
  }
}
