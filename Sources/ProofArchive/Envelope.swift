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
    let count = try reader.count("row count", itemByteCount: 36, limit: ChunkLayout.chunkLimit)
    var rows: [Row] = []
    rows.reserveCapacity(count)
    for _ in 0..<count {
      rows.append(
        Row(storedID: try reader.digest("stored id"), packNumber: try reader.u32("pack number")))
    }
    try reader.finish("envelope")
    self.rows = rows
  }
}
