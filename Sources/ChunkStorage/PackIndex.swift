package import ProofPrimitives

/// Where each chunk of a pack stands: stored id → range (`spec/archive.md` §5.2).
///
/// Says nothing that has to be believed: a wrong range yields bytes with another digest.
package struct PackIndex: Equatable, Sendable {
  package struct Row: Equatable, Sendable {
    package let storedID: Digest
    package let offset: Int
    package let byteCount: Int

    package init(storedID: Digest, offset: Int, byteCount: Int) {
      self.storedID = storedID
      self.offset = offset
      self.byteCount = byteCount
    }
  }

  private static let magic = Array("polpidx1".utf8)
  private static let rowByteCount = 40
  /// 1 GiB: offsets fit 32 bits with room, and one index fits in memory many times over.
  package static let packByteLimit = 1 << 30
  /// More than a pack of 64 MiB has frames of the smallest kind; an index at this limit is 160 MiB.
  private static let rowLimit = 1 << 22
  package static let byteLimit = 32 + rowLimit * rowByteCount

  package let packNumber: UInt32
  package let packByteCount: Int
  /// In order of stored id.
  package let rows: [Row]

  package init(packNumber: UInt32, packByteCount: Int, rows: [Row]) {
    self.packNumber = packNumber
    self.packByteCount = packByteCount
    self.rows = rows.sorted { $0.storedID < $1.storedID }
  }

  package subscript(storedID: Digest) -> Row? {
    var low = 0
    var high = rows.count
    while low < high {
      let middle = (low + high) / 2
      if rows[middle].storedID < storedID { low = middle + 1 } else { high = middle }
    }
    return low < rows.count && rows[low].storedID == storedID ? rows[low] : nil
  }

  package var encoded: [UInt8] {
    var writer = ByteWriter()
    writer.raw(PackIndex.magic)
    writer.u32(packNumber)
    writer.u32(UInt32(rows.count))
    writer.u64(UInt64(packByteCount))
    for row in rows {
      writer.digest(row.storedID)
      writer.u32(UInt32(row.offset))
      writer.u32(UInt32(row.byteCount))
    }
    writer.u32(crc32c(writer.bytes))
    return writer.bytes
  }

  /// The pack length that an index of this pack states, when its checksum, magic and number are right.
  package static func claimedPackByteCount(_ bytes: [UInt8], of number: UInt32) -> Int? {
    guard var reader = try? checkedTable(bytes),
      (try? reader.expect(PackIndex.magic, "magic")) != nil,
      (try? reader.u32("pack number")) == number, (try? reader.u32("row count")) != nil,
      let length = try? reader.u64("pack length")
    else { return nil }
    return Int(clamping: length)
  }

  package init(parsing bytes: [UInt8]) throws(ParsingError) {
    var reader = try checkedTable(bytes)
    try reader.expect(PackIndex.magic, "magic of the pack index")
    packNumber = try reader.u32("pack number")
    let count = Int(try reader.u32("row count"))
    let length = try reader.u64("pack length")
    guard length <= UInt64(PackIndex.packByteLimit) else {
      throw ParsingError("the pack length is over the limit", at: 16, kind: .limit)
    }
    packByteCount = Int(length)
    guard reader.remaining == count * PackIndex.rowByteCount else {
      throw ParsingError("the pack index does not hold its \(count) rows", at: reader.offset)
    }
    var rows: [Row] = []
    rows.reserveCapacity(count)
    for _ in 0..<count {
      let start = reader.offset
      let row = Row(
        storedID: try reader.digest("stored id"), offset: Int(try reader.u32("offset")),
        byteCount: Int(try reader.u32("frame length")))
      guard row.offset >= 16, row.byteCount > ChunkFrame.headerByteCount,
        row.byteCount <= ChunkFrame.headerByteCount + ChunkFrame.rawByteLimit,
        row.offset + row.byteCount <= packByteCount
      else { throw ParsingError("a frame is outside of its pack", at: start + 32) }
      if let last = rows.last, !(last.storedID < row.storedID) {
        throw ParsingError("stored ids are not in order", at: start)
      }
      rows.append(row)
    }
    self.rows = rows
  }
}

/// A reader over a table that ends in the CRC-32C of all before, which is compared first.
package func checkedTable(_ bytes: [UInt8]) throws(ParsingError) -> ByteReader {
  let end = bytes.count - 4
  guard end >= 0 else {
    throw ParsingError("a table is too short for its checksum", at: 0, kind: .damaged)
  }
  var checksum = ByteReader(bytes[end...])
  guard try checksum.u32("checksum") == crc32c(bytes[..<end]) else {
    throw ParsingError("the checksum does not match", at: end, kind: .damaged)
  }
  return ByteReader(bytes[..<end])
}
