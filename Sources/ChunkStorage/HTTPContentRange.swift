/// The `Content-Range` of an answer (RFC 9110 §14.4), read strictly.
struct HTTPContentRange: Equatable, Sendable {
  /// Nil for `*`, which stands in a 416 answer.
  let range: Range<Int>?
  /// Nil for `*`: the server does not know.
  let total: Int?

  init?(_ text: String) {
    guard text.lowercased().hasPrefix("bytes ") else { return nil }
    let parts = text.dropFirst(6).split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2 else { return nil }

    if parts[1] == "*" {
      total = nil
    } else {
      guard let value = Self.number(parts[1]) else { return nil }
      total = value
    }
    if parts[0] == "*" {
      guard total != nil else { return nil }
      range = nil
      return
    }
    let ends = parts[0].split(separator: "-", omittingEmptySubsequences: false)
    guard ends.count == 2, let first = Self.number(ends[0]), let last = Self.number(ends[1]),
      first <= last, total.map({ last < $0 }) ?? true
    else { return nil }
    range = first..<last + 1
  }

  /// Digits only, below 2^62 so that adding one is safe.
  static func number(_ text: some StringProtocol) -> Int? {
    guard !text.isEmpty, text.utf8.allSatisfy({ (48...57).contains($0) }), let value = Int(text),
      value < 1 << 62
    else { return nil }
    return value
  }
}
