import ProofPrimitives
import ProofTestSupport
import Testing

private struct JSONCase: Decodable, Sendable, CustomTestStringConvertible {
  let id: String
  let bytes: HexBytes
  let times: Int?
  let expect: String
  let offset: String?
  let canonical: HexBytes?
  var testDescription: String { id }

  var content: [UInt8] { Array(repeatElement(bytes.bytes, count: times ?? 1).joined()) }

  static func all(_ expect: String) throws -> [JSONCase] {
    try TestVectors.cases("primitives/json.json", of: JSONCase.self).filter { $0.expect == expect }
  }
}

private func refusal(_ bytes: [UInt8], _ form: JSONValue.Form) -> ParsingError? {
  do throws(ParsingError) {
    _ = try JSONValue(parsing: bytes, form: form)
    return nil
  } catch {
    return error
  }
}

@Suite("JSON values") struct JSONValueTests {
  @Test(
    "the canonical form is read in both forms and written again",
    arguments: try JSONCase.all("canonical"))
  private func canonical(vector: JSONCase) throws {
    for form in [JSONValue.Form.canonical, .relaxed] {
      let value = try JSONValue(parsing: vector.content, form: form)
      #expect(value.encoded == vector.content)
      #expect(try JSONValue(parsing: Array(value.prettyText.utf8), form: .relaxed) == value)
    }
  }

  @Test("other spellings are read only in the relaxed form", arguments: try JSONCase.all("relaxed"))
  private func relaxed(vector: JSONCase) throws {
    #expect(refusal(vector.content, .canonical) != nil)
    let value = try JSONValue(parsing: vector.content, form: .relaxed)
    if let canonical = vector.canonical { #expect(value.encoded == canonical.bytes) }
  }

  @Test("what is not JSON is refused in both forms", arguments: try JSONCase.all("refused"))
  private func refused(vector: JSONCase) throws {
    let relaxed = try #require(refusal(vector.content, .relaxed))
    let canonical = try #require(refusal(vector.content, .canonical))
    if let offset = vector.offset.flatMap({ Int($0) }) {
      #expect(relaxed.offset == offset)
      // The canonical form stops earlier where a fraction is already too much.
      #expect(canonical.offset <= offset)
    }
  }

  @Test("of a document's neighbours only what is written again the same is canonical")
  func neighbours() throws {
    let document = Array(
      #"{"a":[1,-20,true,"x\"\\\u001f\u007f é"],"b":{"":{},"c":[]},"z":9007199254740991}"#.utf8)
    #expect(refusal(document, .canonical) == nil)
    let letters = Array(#"{}[]",:\u0019aAbcfz-+.eE é/"#.utf8) + [0, 9, 10, 31, 127, 128, 255]
    var (same, other) = (0, 0)
    func compare(_ bytes: [UInt8]) {
      let relaxed = try? JSONValue(parsing: bytes, form: .relaxed)
      // Keys beyond ASCII are refused for other reasons; the letters here make none that stays valid.
      let isOwn =
        relaxed.map { $0.encoded == bytes && !$0.hasFractions && !$0.hasWideKeys } ?? false
      #expect(
        (refusal(bytes, .canonical) == nil) == isOwn, "\(String(decoding: bytes, as: UTF8.self))")
      if isOwn { same += 1 } else { other += 1 }
    }
    for place in document.indices {
      var shorter = document
      shorter.remove(at: place)
      compare(shorter)
      for letter in letters {
        var changed = document
        changed[place] = letter
        compare(changed)
        var longer = document
        longer.insert(letter, at: place)
        compare(longer)
      }
    }
    #expect(same > 200 && other > 4000)
  }

  @Test("refusals outnumber what is accepted")
  func balance() throws {
    let accepted = try JSONCase.all("canonical").count + JSONCase.all("relaxed").count
    #expect(try JSONCase.all("refused").count > accepted)
  }

  private static let sample = Array(
    #"{"a":[1,true,"x\"y"],"b":{"c":-12},"d":"\#u{e9}\u000a"}"#.utf8)

  @Test("a document cut short is refused", arguments: 0..<sample.count)
  func cut(byteCount: Int) {
    #expect(refusal(JSONValueTests.sample, .canonical) == nil)
    #expect(refusal(Array(JSONValueTests.sample[..<byteCount]), .canonical) != nil)
    #expect(refusal(Array(JSONValueTests.sample[..<byteCount]), .relaxed) != nil)
  }

  @Test(
    "any byte added to a canonical document makes it another or none", arguments: 0..<sample.count)
  func inserted(position: Int) throws {
    let sample = JSONValueTests.sample
    let value = try JSONValue(parsing: sample, form: .canonical)
    for byte in UInt8.min...UInt8.max {
      var longer = sample
      longer.insert(byte, at: position)
      guard let other = try? JSONValue(parsing: longer, form: .canonical) else { continue }
      #expect(other != value)
      #expect(other.encoded == longer)
    }
  }

  @Test("an object from pairs is sorted by bytes, and a member is found by its key")
  func map() {
    let value = JSONValue.map([("b", .int(1)), ("a", .bool(true)), ("B", .string("x"))])
    #expect(value.encodedText == #"{"B":"x","a":true,"b":1}"#)
    #expect(value["a"]?.boolValue == true)
    #expect(value["b"]?.integerValue == 1)
    #expect(value["B"]?.stringValue == "x")
    #expect(value["c"] == nil)
    #expect(value.members?.count == 3)
    #expect(JSONValue.array([])["a"] == nil)
  }

  @Test("a count is a non-negative integer only")
  func counts() {
    #expect(JSONValue.int(7).countValue == 7)
    #expect(JSONValue.int(0).countValue == 0)
    #expect(JSONValue.int(-1).countValue == nil)
    #expect(JSONValue.double(1).countValue == nil)
    #expect(JSONValue.string("1").countValue == nil)
    #expect(JSONValue.bool(true).integerValue == nil)
  }

  @Test("a report never holds what JSON has no word for")
  func notFinite() throws {
    let value = JSONValue.array([.double(.nan), .double(.infinity), .double(-.infinity)])
    #expect(value.encodedText == #"["nan","inf","-inf"]"#)
  }

  @Test(
    "finite numbers of a report come back bit for bit",
    arguments: [
      0.1, -0.0, Double.leastNonzeroMagnitude, 1.797_693_134_862_315_7e308, 1e16, 123_456.75,
    ])
  func doubles(number: Double) throws {
    let bytes = JSONValue.double(number).encoded
    #expect(refusal(bytes, .canonical) != nil)
    guard case .double(let again) = try JSONValue(parsing: bytes, form: .relaxed) else {
      Issue.record("not a fraction")
      return
    }
    #expect(again.bitPattern == number.bitPattern)
  }
}

extension JSONValue {
  fileprivate var hasFractions: Bool {
    switch self {
    case .double: true
    case .array(let items): items.contains { $0.hasFractions }
    case .object(let members): members.contains { $0.value.hasFractions }
    default: false
    }
  }

  fileprivate var hasWideKeys: Bool {
    switch self {
    case .array(let items): items.contains { $0.hasWideKeys }
    case .object(let members):
      members.contains { $0.key.utf8.contains { $0 > 126 } || $0.value.hasWideKeys }
    default: false
    }
  }
}
