import ProofPrimitives
import ProofTestSupport
import Testing

private struct TextCase: Decodable, Sendable, CustomTestStringConvertible {
  let id: String
  let encoding: String
  let text: String
  let bytes: HexBytes?
  var testDescription: String { id }

  static func all() throws -> [TextCase] {
    try TestVectors.cases("primitives/text.json", of: TextCase.self)
  }
}

@Suite("Hexadecimal, base64 and printable text") struct TextEncodingTests {
  @Test("one value has one text, and every other text is refused", arguments: try TextCase.all())
  private func vectors(vector: TextCase) {
    let isHex = vector.encoding == "hex"
    #expect((isHex ? Hex.decode(vector.text) : Base64.decode(vector.text)) == vector.bytes?.bytes)
    if let bytes = vector.bytes?.bytes {
      #expect((isHex ? Hex.encode(bytes) : Base64.encode(bytes)) == vector.text)
    }
  }

  @Test("of all texts of two letters before padding, 256 are base64")
  func lastGroups() {
    let letters = (UInt8.min...126).map { Character(Unicode.Scalar($0)) }
    var accepted = 0
    for first in letters {
      for second in letters where Base64.decode("\(first)\(second)==") != nil { accepted += 1 }
    }
    #expect(accepted == 256)
  }

  @Test(
    "what does not print is escaped",
    arguments: [
      ("plain text, \u{e9}\u{20ac}\u{1f600}", "plain text, \u{e9}\u{20ac}\u{1f600}"),
      ("\u{1b}[31m", "\\u{1b}[31m"), ("a\nb\r\t\0", "a\\u{a}b\\u{d}\\u{9}\\u{0}"),
      ("\u{7f}\u{80}\u{9b}\u{9f}", "\\u{7f}\\u{80}\\u{9b}\\u{9f}"), ("\u{a0}", "\\u{a0}"),
      ("\u{202e}evil\u{2066}", "\\u{202e}evil\\u{2066}"),
      ("\u{200b}\u{feff}", "\\u{200b}\\u{feff}"),
      ("\u{2028}\u{2029}", "\\u{2028}\\u{2029}"), ("\u{ad}", "\\u{ad}"),
      ("\u{e000}\u{e0041}\u{10ffff}", "\\u{e000}\\u{e0041}\\u{10ffff}"), ("\r\n", "\\u{d}\\u{a}"),
    ])
  func escapes(text: String, expected: String) {
    #expect(printable(text) == expected)
  }

  @Test("long text is cut and says so")
  func cut() {
    #expect(printable("abcd", limit: 4) == "abcd")
    #expect(printable("abcde", limit: 4) == "abcd…")
    #expect(printable("abc", limit: 0) == "…")
    #expect(printable("", limit: 0) == "")
    // An escape is never cut in two, and combining marks do not hide from the count.
    #expect(printable("\u{1b}\u{1b}", limit: 1) == "\\u{1b}…")
    #expect(
      printable("e" + String(repeating: "\u{301}", count: 500)).unicodeScalars.count == 201)
  }
}
