internal import ChunkStorage
internal import ProofPrimitives

/// A member of a zip file.
struct ZipMember: Sendable {
  let name: String
  let isDeflated: Bool
  /// Of the bytes as they are when inflated.
  let checksum: UInt32
  /// From the member's own header to the end of its bytes.
  let extent: Range<Int>
  /// The bytes as they stand in the file.
  let stored: Range<Int>
  /// Inflated.
  let byteCount: Int
}

/// The members of a zip file, by its central directory (PKWARE APPNOTE 6.3.10 §4.3; zip64 §4.3.14).
///
/// Stricter than most readers: nothing is encrypted, split or named twice, members do not overlap, each
/// agrees with its own header, and the directory ends where the end record begins. No name is ever
/// used as a path.
struct ZipDirectory: Sendable {
  let members: [ZipMember]
  private let positions: [[UInt8]: Int]

  /// 64 MiB: 600,000 members.
  private static let byteLimit = 64 << 20
  private static let memberLimit = 1 << 20
  private static let endByteCount = 22
  private static let zip64EndByteCount = 56
  /// Deflate makes at most 1,032 bytes of one (RFC 1951: 258 bytes in two bits).
  static let deflateRatio = 1032

  private struct Span {
    let count: Int
    let range: Range<Int>
  }

  init(_ file: RandomAccessFile) throws(CheckpointFileError) {
    let span = try ZipDirectory.locate(file)
    let bytes = try storing { () throws(StorageError) in try file.bytes(span.range) }
    var members: [ZipMember] = []
    var reader = ByteReader(bytes)
    var names = Set<[UInt8]>()
    for _ in 0..<span.count {
      let entry = try parsing(file.place, offset: span.range.lowerBound) {
        () throws(ParsingError) in
        try Entry(&reader)
      }
      guard names.insert(Array(entry.name.utf8)).inserted else {
        throw ZipDirectory.malformed(file, "two members are named \"\(entry.shown)\"")
      }
      members.append(try ZipDirectory.member(entry, file, end: span.range.lowerBound))
    }
    try parsing(file.place, offset: span.range.lowerBound) { () throws(ParsingError) in
      try reader.finish("central directory")
    }
    members.sort { $0.extent.lowerBound < $1.extent.lowerBound }
    for (left, right) in zip(members, members.dropFirst())
    where left.extent.upperBound > right.extent.lowerBound {
      throw ZipDirectory.malformed(
        file,
        "the members \"\(printable(right.name, limit: 60))\" and "
          + "\"\(printable(left.name, limit: 60))\" overlap")
    }
    self.members = members
    positions = Dictionary(
      members.indices.map { (Array(members[$0].name.utf8), $0) },
      uniquingKeysWith: { first, _ in first })
  }

  subscript(name: String) -> ZipMember? {
    positions[Array(name.utf8)].map { members[$0] }
  }

  static func malformed(_ file: RandomAccessFile, _ message: String) -> CheckpointFileError {
    CheckpointFileError(
      .malformed, at: file.place, message, remedy: CheckpointFileError.again)
  }

  /// Finds the central directory through the end record, which a comment of up to 65,535 bytes may
  /// follow.
  private static func locate(_ file: RandomAccessFile) throws(CheckpointFileError) -> Span {
    let tailStart = max(0, file.byteCount - endByteCount - 65_535)
    let tail = try storing { () throws(StorageError) in
      try file.bytes(tailStart..<file.byteCount)
    }
    let signature: [UInt8] = [0x50, 0x4b, 5, 6]
    var position = tail.count - endByteCount
    while position >= 0 {
      if tail[position] == 0x50, tail[position..<position + 4].elementsEqual(signature) {
        let comment = Int(tail[position + 20]) | Int(tail[position + 21]) << 8
        if position + endByteCount + comment == tail.count { break }
      }
      position -= 1
    }
    guard position >= 0 else {
      throw malformed(file, "the zip's end record is missing: the file is cut short or no zip")
    }
    let endOffset = tailStart + position
    let place = file.place
    var end = try parsing(place, offset: endOffset) { () throws(ParsingError) in
      var reader = ByteReader(tail[(position + 4)...])
      return try EndRecord(&reader)
    }
    var limit = endOffset
    if endOffset >= 20 {
      let locator = try storing { () throws(StorageError) in
        try file.bytes(endOffset - 20..<endOffset)
      }
      if locator.starts(with: [0x50, 0x4b, 6, 7]) {
        let offset = try parsing(place, offset: endOffset - 20) { () throws(ParsingError) in
          var reader = ByteReader(locator[4...])
          return try zip64Offset(&reader)
        }
        guard endOffset >= 20 + zip64EndByteCount,
          offset == UInt64(endOffset - 20 - zip64EndByteCount)
        else {
          throw malformed(file, "the zip64 end record does not stand before its locator")
        }
        let record = try storing { () throws(StorageError) in
          try file.bytes(Int(offset)..<endOffset - 20)
        }
        end = try parsing(place, offset: Int(offset)) { () throws(ParsingError) in
          var reader = ByteReader(record)
          return try EndRecord(zip64: &reader, narrow: end)
        }
        limit = Int(offset)
      }
    }
    guard end.offset <= UInt64(limit), end.byteCount == UInt64(limit) - end.offset else {
      throw malformed(file, "the central directory does not end where the end record begins")
    }
    guard end.byteCount <= UInt64(byteLimit), end.count <= UInt64(memberLimit) else {
      throw CheckpointFileError(
        .limit, at: place,
        "the central directory has \(end.count) members in \(end.byteCount) bytes; the limits are "
          + "\(memberLimit) and \(byteLimit)", remedy: "split the file")
    }
    return Span(count: Int(end.count), range: Int(end.offset)..<limit)
  }

  private static func zip64Offset(_ reader: inout ByteReader) throws(ParsingError) -> UInt64 {
    try reader.expect([0, 0, 0, 0], "the zip64 end record's disk")
    let offset = try reader.u64("zip64 end record offset")
    try reader.expect([1, 0, 0, 0], "the number of disks")
    return offset
  }

  /// Checks a member against its own header.
  private static func member(
    _ entry: Entry, _ file: RandomAccessFile, end: Int
  ) throws(CheckpointFileError) -> ZipMember {
    let nameByteCount = entry.name.utf8.count
    guard entry.headerOffset <= UInt64(end), 30 + nameByteCount <= end - Int(entry.headerOffset)
    else {
      throw malformed(file, "the member \"\(entry.shown)\" begins behind the members' end")
    }
    let start = Int(entry.headerOffset)
    let head = try storing { () throws(StorageError) in
      try file.bytes(start..<start + 30 + nameByteCount)
    }
    let extraByteCount = Int(head[28]) | Int(head[29]) << 8
    let ownNameCount = Int(head[26]) | Int(head[27]) << 8
    let ownMethod = UInt16(head[8]) | UInt16(head[9]) << 8
    guard head.starts(with: [0x50, 0x4b, 3, 4]), ownNameCount == nameByteCount,
      head[30...].elementsEqual(entry.name.utf8), ownMethod == entry.method
    else {
      throw malformed(
        file, "the member \"\(entry.shown)\" has another header than the directory says")
    }
    let data = start + 30 + nameByteCount + extraByteCount
    guard data <= end, entry.storedByteCount <= UInt64(end - data) else {
      throw malformed(file, "the member \"\(entry.shown)\" ends behind the members' end")
    }
    let count = Int(entry.storedByteCount)
    // What deflate cannot make of these bytes need not be tried.
    let ceiling = entry.method == 0 ? count : (count + 1) * deflateRatio
    guard entry.byteCount <= UInt64(ceiling), entry.method != 0 || entry.byteCount == UInt64(count)
    else {
      throw malformed(
        file, "the member \"\(entry.shown)\" claims \(entry.byteCount) bytes out of \(count)")
    }
    return ZipMember(
      name: entry.name, isDeflated: entry.method == 8, checksum: entry.checksum,
      extent: start..<data + count, stored: data..<data + count, byteCount: Int(entry.byteCount))
  }
}

/// The end record; `offset` is the central directory's.
private struct EndRecord {
  let count: UInt64
  let byteCount: UInt64
  let offset: UInt64

  /// After the signature.
  init(_ reader: inout ByteReader) throws(ParsingError) {
    try reader.expect([0, 0, 0, 0], "the disk of a zip that is not split")
    let count = try reader.u16("members here")
    guard try reader.u16("members") == count else {
      throw ParsingError("the zip is split over several files", at: 6, kind: .unsupported)
    }
    self.count = UInt64(count)
    byteCount = UInt64(try reader.u32("directory length"))
    offset = UInt64(try reader.u32("directory offset"))
  }

  /// The zip64 record, which must agree with what the narrow one could hold.
  init(zip64 reader: inout ByteReader, narrow: EndRecord) throws(ParsingError) {
    try reader.expect([0x50, 0x4b, 6, 6], "the zip64 end record's signature")
    try reader.expect([44, 0, 0, 0, 0, 0, 0, 0], "the zip64 end record's length")
    _ = try reader.u32("versions")
    try reader.expect([UInt8](repeating: 0, count: 8), "the disk of a zip that is not split")
    let here = try reader.u64("members here")
    count = try reader.u64("members")
    byteCount = try reader.u64("directory length")
    offset = try reader.u64("directory offset")
    guard here == count, narrow.count == 0xffff || narrow.count == count,
      narrow.byteCount == 0xffff_ffff || narrow.byteCount == byteCount,
      narrow.offset == 0xffff_ffff || narrow.offset == offset
    else { throw ParsingError("the zip's two end records say different things", at: 24) }
  }
}

/// A row of the central directory.
private struct Entry {
  let name: String
  let method: UInt16
  let checksum: UInt32
  let storedByteCount: UInt64
  let byteCount: UInt64
  let headerOffset: UInt64

  var shown: String { printable(name, limit: 60) }

  init(_ reader: inout ByteReader) throws(ParsingError) {
    let start = reader.offset
    try reader.expect([0x50, 0x4b, 1, 2], "a directory row's signature")
    _ = try reader.u32("versions")
    let flags = try reader.u16("flags")
    // Bits 0, 6 and 13: encryption; bit 5: patches.
    guard flags & 0b0010_0000_0110_0001 == 0 else {
      throw ParsingError("a member is encrypted or patched", at: start + 8, kind: .unsupported)
    }
    method = try reader.u16("method")
    guard method == 0 || method == 8 else {
      throw ParsingError(
        "a member is compressed by method \(method); only stored and deflated ones are read",
        at: start + 10, kind: .unsupported)
    }
    _ = try reader.u32("time")
    checksum = try reader.u32("checksum")
    let narrow = (
      stored: try reader.u32("stored length"), whole: try reader.u32("length")
    )
    let nameByteCount = Int(try reader.u16("name length"))
    let extraByteCount = Int(try reader.u16("extra length"))
    let commentByteCount = Int(try reader.u16("comment length"))
    try reader.expect([0, 0], "the disk of a zip that is not split")
    _ = try reader.take(6, "attributes")
    let offset = try reader.u32("header offset")
    guard let name = String(validating: try reader.take(nameByteCount, "name"), as: UTF8.self)
    else {
      throw ParsingError("a member's name is not UTF-8", at: start + 46, kind: .unsupported)
    }
    self.name = name
    var wide = Zip64Fields(try reader.take(extraByteCount, "extra fields"))
    _ = try reader.take(commentByteCount, "comment")
    byteCount = try wide.value(narrow.whole, "length", at: start + 24)
    storedByteCount = try wide.value(narrow.stored, "stored length", at: start + 20)
    headerOffset = try wide.value(offset, "header offset", at: start + 42)
  }
}

/// The eight-byte values of a row whose four bytes are all ones, in the order of the format.
private struct Zip64Fields {
  private var reader: ByteReader?

  init(_ extra: ArraySlice<UInt8>) {
    var fields = ByteReader(extra)
    // A field that is cut short ends the list: other programs pad with single bytes.
    while fields.remaining >= 4 {
      guard let id = try? fields.u16("id"), let count = try? fields.u16("length"),
        let body = try? fields.take(Int(count), "field")
      else { return }
      if id == 1 {
        reader = ByteReader(body)
        return
      }
    }
  }

  mutating func value(
    _ narrow: UInt32, _ field: String, at offset: Int
  ) throws(ParsingError) -> UInt64 {
    guard narrow == UInt32.max else { return UInt64(narrow) }
    guard var reader else {
      throw ParsingError("the zip64 field for the \(field) is missing", at: offset)
    }
    let value = try reader.u64("zip64 \(field)")
    self.reader = reader
    return value
  }
}
