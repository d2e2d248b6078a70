package import ProofPrimitives

/// Where a record's chunks are stored: outside of every hash (`spec/archive.md` §5.3).
package struct Envelope: Equatable, Sendable {
  package struct Row: Equatable, Sendable {
    package let storedID: Digest
    package let packNumber: UInt32

    package init(storedID: Digest, packNumber: UInt32) {
      self.storedID = storedID
      self.packNumber = packNumber
    }
  }

  package static let byteLimit = 64 << 20

  /// One for each distinct chunk of the record, in order of first appearance.
  package let rows: [Row]

  package init(rows: [Row]) { self.rows = rows }

  package var encoded: [UInt8] {
    var writer = ByteWriter()
    writer.u16(1)
    writer.u16(0)
    writer.u32(UInt32(rows.count))
    for row in rows {
      writer.digest(row.storedID)
      writer.u32(row.packNumber)
    }
    return writer.bytes
  }

  package init(parsing bytes: ArraySlice<UInt8>) throws(ParsingError) {
    var reader = ByteReader(bytes)
    guard try reader.u16("envelope version") == 1 else {
      throw ParsingError("unsupported envelope version", at: 0, kind: .unsupported)
    }
    guard try reader.u16("cipher suite") == 0 else {
      throw ParsingError("unsupported cipher suite", at: 2, kind: .unsupported)
    }
    let count = try reader.count("row count", itemByteCount: 36)
    var rows: [Row] = []
    rows.reserveCapacity(count)
    for _ in 0..<count {
      let row = Row(
        storedID: try reader.digest("stored id"), packNumber: try reader.u32("pack number"))
      guard row.packNumber <= ArchiveFiles.packNumberLimit else {
        throw ParsingError("a pack number has more than eight digits", at: reader.offset - 4)
      }
      rows.append(row)
    }
    try reader.finish("envelope")
    self.rows = rows
  }

  /// Reads the envelope of a record with these chunks: one row for each distinct one, in order.
  package init(
    parsing bytes: ArraySlice<UInt8>, chunks: [Digest], archiveID: Digest
  ) throws(ParsingError) {
    try self.init(parsing: bytes)
    var seen = Set<Digest>()
    var position = 0
    for chunk in chunks where seen.insert(chunk).inserted {
      guard position < rows.count,
        rows[position].storedID == PackWriter.storedID(of: chunk, in: archiveID)
      else {
        throw ParsingError("row \(position) is not of the record's chunk", at: 8 + position * 36)
      }
      position += 1
    }
    guard position == rows.count else {
      throw ParsingError("the envelope has more rows than the record chunks", at: 4)
    }
  }
}
