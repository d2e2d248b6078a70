internal import ProofPrimitives

/// The text form of an age file: PEM, as strictly as C2SP age.md ("ASCII armor") and RFC 7468 §3 (Figure 3)
/// allow, so that one file has one text but for white space around it and the kind of its line ends.
enum AgeArmor {
  private static let start = Array("-----BEGIN AGE ENCRYPTED FILE-----".utf8)
  private static let end = Array("-----END AGE ENCRYPTED FILE-----".utf8)
  private static let columns = 64
  /// White space before the first line that is looked through.
  private static let leadingLimit = 1024
  private static let whiteSpace = Array(" \t\r\n".utf8)

  /// Text of the largest file: lines with CRLF, and white space around it.
  static func byteLimit(_ fileByteCount: Int) -> Int {
    (fileByteCount + 47) / 48 * (columns + 2) + 2 * leadingLimit + start.count + end.count
  }

  /// Whether this is meant as armor: no binary file begins like this.
  static func isArmored(_ file: [UInt8]) -> Bool {
    file.prefix(leadingLimit).drop { whiteSpace.contains($0) }.starts(with: Array("-----".utf8))
  }

  static func decode(_ text: [UInt8]) throws(ParsingError) -> [UInt8] {
    var rest = text.drop { whiteSpace.contains($0) }
    while let last = rest.last, whiteSpace.contains(last) { rest.removeLast() }
    guard nextLine(&rest)?.elementsEqual(start) == true else {
      throw ParsingError("the armor does not begin with its line", at: 0)
    }
    var out: [UInt8] = []
    out.reserveCapacity(rest.count / 4 * 3)
    var isLast = false
    while true {
      let offset = rest.startIndex
      guard let line = nextLine(&rest) else {
        throw ParsingError("the armor ends without its last line", at: offset)
      }
      if line.elementsEqual(end) {
        guard rest.isEmpty else { throw ParsingError("bytes stand after the armor", at: offset) }
        return out
      }
      guard !isLast, (1...columns).contains(line.count),
        let bytes = Base64.decode(String(decoding: line, as: UTF8.self))
      else {
        throw ParsingError("a line of the armor is not 64 columns of canonical base64", at: offset)
      }
      // Only the last line is shorter, or padded.
      isLast = line.count < columns || line.last == UInt8(ascii: "=")
      out += bytes
    }
  }

  /// The line up to LF or CRLF, or the rest; nil when there is none.
  private static func nextLine(_ rest: inout ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    guard !rest.isEmpty else { return nil }
    guard let end = rest.firstIndex(of: UInt8(ascii: "\n")) else {
      defer { rest = rest[rest.endIndex...] }
      return rest
    }
    let line = rest[..<end]
    rest = rest[(end + 1)...]
    return line.last == UInt8(ascii: "\r") ? line.dropLast() : line
  }
}
