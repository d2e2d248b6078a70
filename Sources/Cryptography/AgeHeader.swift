internal import ProofPrimitives

/// The text at the start of an age file: one stanza for each recipient, each with the file key wrapped,
/// and a MAC under that key (C2SP age.md, "Header").
struct AgeHeader {
  struct Stanza: Equatable {
    /// Never empty; each argument is one or more of the characters from `!` to `~`.
    let arguments: [String]
    let body: [UInt8]
  }

  /// Room for 600 recipients. age sets no limit; what is longer was not made for one verifier.
  static let byteLimit = 65_536
  private static let versionLine = Array("age-encryption.org/v1\n".utf8)
  private static let versionStart = Array("age-encryption.org/".utf8)
  private static let columns = 64

  let stanzas: [Stanza]
  /// HMAC-SHA256 over `authenticated`, 32 bytes.
  let mac: [UInt8]
  /// The header from its first byte to `---`.
  let authenticated: [UInt8]
  let byteCount: Int

  static func mac(fileKey: [UInt8], over authenticated: [UInt8]) -> [UInt8] {
    let key = hkdfSHA256(secret: fileKey, salt: [], info: Array("header".utf8))
    return hmacSHA256(key: key.bytes, message: authenticated).bytes
  }

  /// The bytes of a header with these stanzas.
  static func encoded(_ stanzas: [Stanza], fileKey: [UInt8]) -> [UInt8] {
    var out = versionLine
    for stanza in stanzas {
      out += Array("-> \(stanza.arguments.joined(separator: " "))\n".utf8)
      var rest = Array(UnpaddedBase64.encode(stanza.body).utf8)[...]
      // The last line is the first that is shorter than 64 columns, so it may have to be empty.
      while rest.count >= columns {
        out += rest.prefix(columns) + [UInt8(ascii: "\n")]
        rest = rest.dropFirst(columns)
      }
      out += rest + [UInt8(ascii: "\n")]
    }
    out += Array("---".utf8)
    return out + Array(" \(UnpaddedBase64.encode(mac(fileKey: fileKey, over: out)))\n".utf8)
  }

  /// Reads the header that `file` begins with.
  init(parsing file: [UInt8]) throws(ParsingError) {
    guard file.starts(with: AgeHeader.versionLine) else {
      guard file.starts(with: AgeHeader.versionStart) else {
        throw ParsingError("this is no age file in binary form", at: 0)
      }
      throw ParsingError("another version of age than v1", at: 19, kind: .unsupported)
    }
    var lines = Lines(file.prefix(AgeHeader.byteLimit), isCut: file.count > AgeHeader.byteLimit)
    _ = try lines.next()
    var stanzas: [Stanza] = []
    while true {
      let start = lines.offset
      let line = try lines.next()
      if line.starts(with: Array("---".utf8)) {
        guard !stanzas.isEmpty else { throw ParsingError("the header has no stanza", at: start) }
        guard line.starts(with: Array("--- ".utf8)),
          let mac = UnpaddedBase64.decode(line.dropFirst(4)), mac.count == 32
        else { throw ParsingError("the header's last line is not `--- ` and a MAC", at: start) }
        self.mac = mac
        authenticated = Array(file[..<(start + 3)])
        byteCount = lines.offset
        self.stanzas = stanzas
        return
      }
      stanzas.append(try AgeHeader.stanza(line, at: start, &lines))
    }
  }

  private static func stanza(
    _ line: ArraySlice<UInt8>, at start: Int, _ lines: inout Lines
  ) throws(ParsingError) -> Stanza {
    guard line.starts(with: Array("-> ".utf8)) else {
      throw ParsingError("neither a stanza nor the header's end", at: start)
    }
    var arguments: [String] = []
    for word in line.dropFirst(3).split(separator: 32, omittingEmptySubsequences: false) {
      guard !word.isEmpty, word.allSatisfy({ (0x21...0x7e).contains($0) }) else {
        throw ParsingError("an argument is empty or holds what does not print", at: start)
      }
      arguments.append(String(decoding: word, as: UTF8.self))
    }
    var body: [UInt8] = []
    while true {
      let start = lines.offset
      let line = try lines.next()
      guard line.count <= columns, let bytes = UnpaddedBase64.decode(line) else {
        throw ParsingError("a line of a stanza is not canonical base64", at: start)
      }
      body += bytes
      if line.count < columns { return Stanza(arguments: arguments, body: body) }
    }
  }

  /// Lines that end in LF; the last of them too.
  private struct Lines {
    let bytes: ArraySlice<UInt8>
    let isCut: Bool
    private(set) var offset = 0

    init(_ bytes: ArraySlice<UInt8>, isCut: Bool) {
      self.bytes = bytes
      self.isCut = isCut
    }

    mutating func next() throws(ParsingError) -> ArraySlice<UInt8> {
      let rest = bytes.dropFirst(offset)
      guard let end = rest.firstIndex(of: UInt8(ascii: "\n")) else {
        throw isCut
          ? ParsingError("the header is longer than \(byteLimit) bytes", at: offset, kind: .limit)
          : ParsingError("the header is cut short", at: offset)
      }
      offset = end - bytes.startIndex + 1
      return rest[..<end]
    }
  }
}

/// Base64 (RFC 4648 §4) without `=`, one encoding for each value.
enum UnpaddedBase64 {
  static func encode(_ bytes: [UInt8]) -> String {
    String(Base64.encode(bytes).prefix { $0 != "=" })
  }

  /// Nil for padding, other alphabets, and unused bits that are not zero.
  static func decode(_ text: ArraySlice<UInt8>) -> [UInt8]? {
    guard !text.contains(UInt8(ascii: "=")) else { return nil }
    let padding = [UInt8](repeating: UInt8(ascii: "="), count: (4 - text.count % 4) % 4)
    // A single digit over holds six bits of a byte, and "x===" is no base64 either.
    guard padding.count < 3 else { return nil }
    return Base64.decode(String(decoding: text + padding, as: UTF8.self))
  }
}
