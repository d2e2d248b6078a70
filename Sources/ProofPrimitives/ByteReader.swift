/// Why a byte string was refused, and where.
package struct ParsingError: Error, Equatable, Sendable {
  package enum Kind: Sendable {
    /// A rule of the format is broken.
    case malformed
    /// A version, kind or algorithm that this build does not know.
    case unsupported
    /// A checksum, digest or length does not match: the bytes changed after they were written.
    case damaged
    /// Larger than a stated limit.
    case limit
  }

  package let kind: Kind
  /// What is wrong, in words that follow "at byte N: ".
  package let reason: String
  /// Position of the first byte that could not be accepted.
  package let offset: Int

  package init(_ reason: String, at offset: Int, kind: Kind = .malformed) {
    self.kind = kind
    self.reason = reason
    self.offset = offset
  }
}

/// A cursor over bytes from a stranger: every read is compared with what is left before it happens.
///
/// All integers are little-endian. Nothing is allocated from a length that was not checked.
package struct ByteReader {
  private let bytes: ArraySlice<UInt8>
  /// Position from the start of the input.
  package private(set) var offset: Int

  package init(_ bytes: [UInt8]) { self.init(bytes[...]) }

  package init(_ bytes: ArraySlice<UInt8>) {
    self.bytes = bytes
    offset = 0
  }

  package var remaining: Int { bytes.count - offset }

  /// The next `count` bytes; `field` names what was expected there.
  package mutating func take(
    _ count: Int, _ field: String
  ) throws(ParsingError) -> ArraySlice<UInt8> {
    guard count >= 0, count <= remaining else {
      throw ParsingError("\(field) wants \(count) bytes and \(remaining) are left", at: offset)
    }
    let start = bytes.startIndex + offset
    offset += count
    return bytes[start..<start + count]
  }

  package mutating func u8(_ field: String) throws(ParsingError) -> UInt8 {
    let slice = try take(1, field)
    return slice[slice.startIndex]
  }

  package mutating func u16(_ field: String) throws(ParsingError) -> UInt16 {
    UInt16(truncatingIfNeeded: try unsigned(2, field))
  }

  package mutating func u32(_ field: String) throws(ParsingError) -> UInt32 {
    UInt32(truncatingIfNeeded: try unsigned(4, field))
  }

  package mutating func u64(_ field: String) throws(ParsingError) -> UInt64 {
    try unsigned(8, field)
  }

  private mutating func unsigned(_ width: Int, _ field: String) throws(ParsingError) -> UInt64 {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    for byte in try take(width, field) {
      value |= UInt64(byte) << shift
      shift += 8
    }
    return value
  }

  package mutating func digest(_ field: String) throws(ParsingError) -> Digest {
    let start = offset
    guard let digest = Digest(try take(Digest.byteCount, field)) else {
      throw ParsingError("\(field) is not a digest", at: start)
    }
    return digest
  }

  /// A u16 byte count, then that many bytes of UTF-8 without control characters (U+0000 to U+001F
  /// and U+007F; what else does not print is for `printable` to escape).
  package mutating func string(_ field: String, limit: Int) throws(ParsingError) -> String {
    let start = offset
    let count = Int(try u16("\(field) length"))
    guard count <= limit else {
      throw ParsingError(
        "\(field) has \(count) bytes, the limit is \(limit)", at: start, kind: .limit)
    }
    let slice = try take(count, field)
    guard let text = String(validating: slice, as: UTF8.self) else {
      throw ParsingError("\(field) is not UTF-8", at: start + 2)
    }
    guard !text.unicodeScalars.contains(where: { $0.value < 32 || $0.value == 127 }) else {
      throw ParsingError("\(field) holds a control character", at: start + 2)
    }
    return text
  }

  /// A u32 count of items of at least `itemByteCount` bytes, refused when they cannot all be there.
  ///
  /// - Parameter limit: A maximum that the format states; a larger count is `.limit`, whatever is left.
  package mutating func count(
    _ field: String, itemByteCount: Int, limit: Int = .max
  ) throws(ParsingError) -> Int {
    let start = offset
    let count = Int(try u32(field))
    guard count <= limit else {
      throw ParsingError("\(field) is \(count), the limit is \(limit)", at: start, kind: .limit)
    }
    guard count <= remaining / max(1, itemByteCount) else {
      throw ParsingError("\(field) is \(count), more than the bytes that are left hold", at: start)
    }
    return count
  }

  /// Refuses a constant field with any other value, such as a reserved one that is not zero.
  package mutating func expect(
    _ expected: [UInt8], _ field: String
  ) throws(ParsingError) {
    let start = offset
    guard try take(expected.count, field).elementsEqual(expected) else {
      throw ParsingError("\(field) is not \(Hex.encode(expected))", at: start)
    }
  }

  /// Refuses trailing bytes.
  package func finish(_ thing: String) throws(ParsingError) {
    guard remaining == 0 else {
      throw ParsingError("\(remaining) bytes stand after the end of the \(thing)", at: offset)
    }
  }
}

/// Builds canonical byte strings; the mirror of `ByteReader`.
package struct ByteWriter {
  package private(set) var bytes: [UInt8] = []

  package init() {}

  package mutating func raw(_ more: some Collection<UInt8>) { bytes.append(contentsOf: more) }
  package mutating func u8(_ value: UInt8) { bytes.append(value) }
  package mutating func u16(_ value: UInt16) { integer(value) }
  package mutating func u32(_ value: UInt32) { integer(value) }
  package mutating func u64(_ value: UInt64) { integer(value) }
  package mutating func digest(_ value: Digest) { value.append(to: &bytes) }

  /// A u16 byte count and the text. The caller keeps it under 65,536 bytes.
  package mutating func string(_ text: String) {
    precondition(text.utf8.count <= 65_535, "a string field holds at most 65,535 bytes")
    u16(UInt16(text.utf8.count))
    raw(text.utf8)
  }

  private mutating func integer(_ value: some FixedWidthInteger) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }
}
