/// What a `Range` field asks of a representation (RFC 9110 §14; `spec/ledger-service.md` §4).
enum ByteRangeRequest: Equatable {
  /// No field, or one that is to be ignored.
  case whole
  case part(Range<Int>)
  case unsatisfiable

  init(_ field: String?, byteCount: Int) {
    guard let field, field.utf8.count <= 200 else {
      self = .whole
      return
    }
    let text = ContentNegotiation.trimmed(field.utf8)
    guard text.hasPrefix("bytes="),
      let dash = text.utf8.firstIndex(of: UInt8(ascii: "-"))
    else {
      self = .whole
      return
    }
    let spec = ContentNegotiation.trimmed(text.utf8.dropFirst(6))
    let first = spec.utf8.prefix { $0 != UInt8(ascii: "-") }
    let last = text.utf8[text.utf8.index(after: dash)...]
    if first.isEmpty {
      self = .suffix(last, byteCount)
      return
    }
    guard let start = ByteRangeRequest.position(first) else {
      self = .whole
      return
    }
    var end = Int.max
    if !last.isEmpty {
      guard let position = ByteRangeRequest.position(last), position >= start else {
        self = .whole
        return
      }
      end = position
    }
    self = start < byteCount ? .part(start..<min(end, byteCount - 1) + 1) : .unsatisfiable
  }

  private static func suffix(_ digits: Substring.UTF8View, _ byteCount: Int) -> ByteRangeRequest {
    guard let count = position(digits) else { return .whole }
    guard count > 0 else { return .unsatisfiable }
    // A suffix of nothing can be satisfied, and no Content-Range can say so.
    return byteCount == 0 ? .whole : .part(byteCount - min(count, byteCount)..<byteCount)
  }

  /// Digits only; a number that no file reaches stands for all of them.
  private static func position(_ digits: some Collection<UInt8>) -> Int? {
    guard !digits.isEmpty else { return nil }
    var value = 0
    for digit in digits {
      guard (48...57).contains(digit) else { return nil }
      let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = tens.addingReportingOverflow(Int(digit - 48))
      value = overflow || carry ? Int.max : sum
    }
    return value
  }
}
