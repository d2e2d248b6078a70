/// What a client would rather have (RFC 9110 §12).
enum ContentNegotiation {
  /// One element of `Accept` or `Accept-Encoding`: a lower-case name and a weight in thousandths.
  private struct Preference {
    let name: String
    let weight: Int
  }

  /// The offer with the highest weight; of equals the first. Nil when all have weight 0.
  ///
  /// - Parameters:
  ///   - offers: Media types in lower case, without parameters, best first.
  ///   - accept: The field's value; nil or empty takes anything.
  static func choose(_ offers: [String], accept: String?) -> Int? {
    let preferences = parse(accept)
    guard !preferences.isEmpty else { return offers.isEmpty ? nil : 0 }
    var best: (position: Int, weight: Int)?
    for (position, offer) in offers.enumerated() {
      // The most specific range that fits an offer decides, wherever it stands.
      let kind = offer.prefix { $0 != "/" }
      let weight =
        preferences.first { $0.name == offer }?.weight
        ?? preferences.first { $0.name == "\(kind)/*" }?.weight
        ?? preferences.first { $0.name == "*/*" }?.weight ?? 0
      if weight > best?.weight ?? 0 { best = (position, weight) }
    }
    return best?.position
  }

  /// Whether gzip is to be sent where there is a gzip form: only if the client says so, and does not
  /// like the plain form better.
  static func takesGzip(_ acceptEncoding: String?) -> Bool {
    let preferences = parse(acceptEncoding)
    func weight(_ names: String...) -> Int? {
      preferences.first { names.contains($0.name) }?.weight
    }
    let gzip = weight("gzip", "x-gzip") ?? weight("*") ?? 0
    return gzip > 0 && gzip >= weight("identity") ?? 0
  }

  /// Elements that are malformed are left out.
  private static func parse(_ field: String?) -> [Preference] {
    guard let field else { return [] }
    return field.utf8.split(separator: UInt8(ascii: ",")).compactMap { element in
      let parts = element.split(separator: UInt8(ascii: ";")).map { trimmed($0) }
      guard let name = parts.first, !name.isEmpty else { return nil }
      var weight = 1000
      for part in parts.dropFirst() where part.hasPrefix("q=") {
        guard let value = thousandths(part.utf8.dropFirst(2)) else { return nil }
        weight = value
      }
      return Preference(name: name, weight: weight)
    }
  }

  /// Lower case, without the white space around.
  static func trimmed(_ text: some BidirectionalCollection<UInt8>) -> String {
    func isSpace(_ byte: UInt8) -> Bool { byte == 32 || byte == 9 }
    let front = text.drop(while: isSpace)
    var end = front.endIndex
    while end > front.startIndex, isSpace(front[front.index(before: end)]) {
      end = front.index(before: end)
    }
    return String(
      decoding: front[..<end].map { (65...90).contains($0) ? $0 + 32 : $0 }, as: UTF8.self)
  }

  /// A weight of RFC 9110 §12.4.2: `0` or `1`, and at most three decimals.
  private static func thousandths(_ text: some Collection<UInt8>) -> Int? {
    let digits = Array(text)
    guard let first = digits.first, first == 48 || first == 49, digits.count <= 5,
      digits.count == 1 || digits[1] == UInt8(ascii: ".")
    else { return nil }
    var value = Int(first - 48) * 1000
    var unit = 100
    for digit in digits.dropFirst(2) {
      guard (48...57).contains(digit) else { return nil }
      value += Int(digit - 48) * unit
      unit /= 10
    }
    return value <= 1000 ? value : nil
  }
}
