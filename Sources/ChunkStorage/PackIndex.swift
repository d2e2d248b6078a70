package import ProofPrimitives

/// The frames of a pack in order of place: stored id and length (`spec/archive.md` §5.2).
///
/// Says nothing that has to be believed: a wrong place yields bytes with another digest.
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

    package var range: Range<Int> { offset..<offset + byteCount }
  }

  private static let magic = Array("polpidx1".utf8)
  private static let rowByteCount = 36
  /// What encryption adds to a payload.
  private static let tagByteLimit = 16
  /// What stands before the first frame of a pack.
  package static let packHeaderByteCount = 16
  /// 1 GiB: offsets fit 32 bits with room, and one index fits in memory many times over.
  package static let packByteLimit = 1 << 30
  /// Frames of a pack: an index at this limit is 36 MiB. Writers close a pack long before.
  package static let frameLimit = 1 << 20
  package static let byteLimit = 28 + frameLimit * rowByteCount

  package let packNumber: UInt32
  package let packByteCount: Int
  /// In order of place, without gaps.
  package let rows: [Row]

  /// - Parameter frames: Stored id and length of each frame, in order of place.
  package init(packNumber: UInt32, frames: some Sequence<(storedID: Digest, byteCount: Int)>) {
    self.packNumber = packNumber
    var offset = PackIndex.packHeaderByteCount
    var rows: [Row] = []
    for frame in frames {
      rows.append(Row(storedID: frame.storedID, offset: offset, byteCount: frame.byteCount))
      offset += frame.byteCount
    }
    self.rows = rows
    packByteCount = offset
  }

  /// The frame that begins next after `offset`.
  ///
  /// - Complexity: O(log n).
  package func firstRow(after offset: Int) -> Row? {
    var low = 0
    var high = rows.count
    while low < high {
      let middle = (low + high) / 2
      if rows[middle].offset <= offset { low = middle + 1 } else { high = middle }
    }
    return low < rows.count ? rows[low] : nil
  }

  package var encoded: [UInt8] {
    var writer = ByteWriter()
    writer.raw(PackIndex.magic)
    writer.u32(packNumber)
    writer.u32(UInt32(rows.count))
    writer.u64(UInt64(packByteCount))
    for row in rows {
      writer.digest(row.storedID)
      writer.u32(UInt32(row.byteCount))
    }
    writer.u32(crc32c(writer.bytes))
    return writer.bytes
  }

  /// - Parameter rawLimit: The archive's chunk size, where it is known.
  package init(
    parsing bytes: [UInt8], rawLimit: Int = ChunkFrame.rawByteLimit
  ) throws(ParsingError) {
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
    var offset = PackIndex.packHeaderByteCount
    for _ in 0..<count {
      let start = reader.offset
      let row = Row(
        storedID: try reader.digest("stored id"), offset: offset,
        byteCount: Int(try reader.u32("frame length")))
      guard
        row.byteCount <= ChunkFrame.headerByteCount + rawLimit + PackIndex.tagByteLimit
      else { throw ParsingError("a frame is over the limit", at: start + 32, kind: .limit) }
      guard row.byteCount > ChunkFrame.headerByteCount, row.range.upperBound <= packByteCount
      else { throw ParsingError("a frame is outside of its pack", at: start + 32) }
      offset = row.range.upperBound
      rows.append(row)
    }
    guard offset == packByteCount else {
      throw ParsingError("the frames do not fill the pack", at: 16)
    }
    let ids = rows.map(\.storedID).sorted()
    guard !zip(ids, ids.dropFirst()).contains(where: { $0 == $1 }) else {
      throw ParsingError("a stored id stands twice", at: 24)
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
