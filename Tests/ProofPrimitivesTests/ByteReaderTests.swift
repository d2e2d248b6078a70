import ProofPrimitives
import Testing

/// One of everything, with sentinels around it so that a slice's own indices do not start at zero.
private func everything() -> [UInt8] {
  var writer = ByteWriter()
  writer.u8(0x01)
  writer.u16(0x0203)
  writer.u32(0x0405_0607)
  writer.u64(0x0809_0a0b_0c0d_0e0f)
  writer.digest(Digest(loading: 7))
  writer.string("n\u{e9}")
  writer.u32(2)
  writer.u16(10)
  writer.u16(11)
  writer.raw([0xaa, 0xbb])
  return writer.bytes
}

private func readEverything(_ bytes: ArraySlice<UInt8>) throws(ParsingError) {
  var reader = ByteReader(bytes)
  #expect(try reader.u8("byte") == 0x01)
  #expect(try reader.u16("short") == 0x0203)
  #expect(try reader.u32("word") == 0x0405_0607)
  #expect(try reader.u64("long") == 0x0809_0a0b_0c0d_0e0f)
  #expect(try reader.digest("digest") == Digest(loading: 7))
  #expect(try reader.string("name", limit: 3) == "n\u{e9}")
  #expect(try reader.count("items", itemByteCount: 2, limit: 2) == 2)
  #expect(try reader.u16("item") == 10)
  #expect(try reader.u16("item") == 11)
  try reader.expect([0xaa, 0xbb], "end mark")
  try reader.finish("test")
}

extension Digest {
  fileprivate init(loading byte: UInt8) {
    self = [UInt8](repeating: byte, count: 32).withUnsafeBytes { bytes in
      bytes.baseAddress.map { Digest(loadingFrom: $0) } ?? .zero
    }
  }
}

private func refusal(_ body: () throws(ParsingError) -> Void) -> ParsingError? {
  do throws(ParsingError) {
    try body()
    return nil
  } catch {
    return error
  }
}

@Suite("Byte reader and writer") struct ByteReaderTests {
  @Test("integers are little-endian")
  func littleEndian() {
    #expect(everything().prefix(7) == [0x01, 0x03, 0x02, 0x07, 0x06, 0x05, 0x04])
    #expect(everything()[7..<15].elementsEqual((0x08...0x0f).reversed()))
  }

  @Test("what was written is read, from a slice with any start")
  func roundTrip() throws {
    try readEverything(everything()[...])
    let framed = [9, 9, 9] + everything() + [9]
    try readEverything(framed[3..<framed.count - 1])
  }

  @Test("a cut at any length is refused at a field that is there", arguments: 0..<62)
  func cut(byteCount: Int) throws {
    let bytes = everything()
    #expect(bytes.count == 62)
    let error = try #require(
      refusal { () throws(ParsingError) in try readEverything(bytes[..<byteCount]) })
    #expect(error.offset <= byteCount)
  }

  @Test("a refused read leaves the cursor where it was", arguments: [-1, 4, 5, Int.max, Int.min])
  func bounds(count: Int) throws {
    var reader = ByteReader([1, 2, 3])
    #expect(throws: ParsingError.self) { try reader.take(count, "field") }
    #expect(reader.offset == 0)
    #expect(reader.remaining == 3)
    #expect(try reader.take(3, "field") == [1, 2, 3])
    #expect(try reader.take(0, "nothing").isEmpty)
    #expect(refusal { () throws(ParsingError) in _ = try reader.u8("byte") }?.offset == 3)
  }

  @Test("bytes after the end are refused where they start")
  func trailing() throws {
    var reader = ByteReader([1, 2, 3])
    _ = try reader.u8("byte")
    let error = refusal { () throws(ParsingError) in try reader.finish("record") }
    #expect(error == ParsingError("2 bytes stand after the end of the record", at: 1))
  }

  @Test("a constant field with one other bit is refused", arguments: 0..<16)
  func constant(bit: Int) throws {
    var bytes: [UInt8] = [0x00, 0x00]
    bytes[bit / 8] ^= 1 << (bit % 8)
    var reader = ByteReader(bytes)
    let error = refusal { () throws(ParsingError) in try reader.expect([0, 0], "reserved") }
    #expect(error == ParsingError("reserved is not 0000", at: 0))
  }

  @Test(
    "text that is too long, cut, not UTF-8 or not printable is refused",
    arguments: [
      [], [1], [1, 0], [2, 0, 0x41], [5, 0, 0x41, 0x41, 0x41, 0x41, 0x41], [0xff, 0xff, 0x41],
      [1, 0, 0xff], [2, 0, 0xc0, 0x80], [3, 0, 0xed, 0xa0, 0x80], [2, 0, 0xe2, 0x82], [1, 0, 0],
      [1, 0, 10], [1, 0, 27], [1, 0, 31], [1, 0, 127], [3, 0, 0x41, 9, 0x41],
    ] as [[UInt8]])
  func badText(bytes: [UInt8]) {
    var reader = ByteReader(bytes)
    #expect(throws: ParsingError.self) { try reader.string("name", limit: 4) }
  }

  @Test("text up to its limit is read", arguments: ["", "a", "abcd", "\u{20ac}", "\u{1f600}", " "])
  func goodText(text: String) throws {
    var writer = ByteWriter()
    writer.string(text)
    var reader = ByteReader(writer.bytes)
    #expect(Array(try reader.string("name", limit: 4).utf8) == Array(text.utf8))
    try reader.finish("text")
  }

  @Test(
    "a count beyond its limit, or beyond what is left, is refused before anything is allocated",
    arguments: [4, 5, 6, 1000, 0x7fff_ffff, 0xffff_ffff] as [UInt32])
  func counts(count: UInt32) {
    var writer = ByteWriter()
    writer.u32(count)
    writer.raw([UInt8](repeating: 0, count: 15))
    var limited = ByteReader(writer.bytes)
    #expect(throws: ParsingError.self) {
      try limited.count("items", itemByteCount: 0, limit: 3)
    }
    var bounded = ByteReader(writer.bytes)
    #expect(throws: ParsingError.self) {
      try bounded.count("items", itemByteCount: 4, limit: Int(UInt32.max))
    }
  }
}
