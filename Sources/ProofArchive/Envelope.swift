package import ProofPrimitives

/// Where a record's chunks are stored: outside of every hash (`spec/archive.md` §5.3).
package struct Envelope: Equatable, Sendable {
  /// One stored frame.
  package struct Place: Hashable, Sendable {
    package let pack: UInt32
    /// Number of the frame within its pack, from 0.
    package let frame: UInt32

    package init(pack: UInt32, frame: UInt32) {
      self.pack = pack
      self.frame = frame
    }
  }

  /// A stored frame, and what opens it in an encrypted archive.
  package struct Frame: Hashable, Sendable {
    package let place: Place
    package let key: ObjectKey?

    package init(_ place: Place, key: ObjectKey? = nil) {
      self.place = place
      self.key = key
    }
  }

  package struct Row: Equatable, Sendable {
    package let frame: Frame
    /// Position among the ancestors of the frame that this one is a delta against; nil for none.
    package let parent: Int?
    package var place: Place { frame.place }

    package init(_ frame: Frame, parent: Int? = nil) {
      self.frame = frame
      self.parent = parent
    }
  }

  package static let byteLimit = 64 << 20
  private static let rowByteCount = 12
  private static let keyByteCount = Digest.byteCount

  /// 0 = the archive is not encrypted, 1 = it is, and each row has a key.
  package let suite: UInt16

  /// One for each distinct chunk of the record, in order of first appearance.
  package let rows: [Row]
  /// Frames that others are deltas against. A parent stands before its children.
  package let ancestors: [Row]

  package init(rows: [Row], ancestors: [Row] = [], suite: UInt16 = 0) {
    self.suite = suite
    self.rows = rows
    self.ancestors = ancestors
  }

  /// The frames that have to be decoded before `row`, the furthest first.
  package func chain(of row: Row) -> [Frame] {
    var chain: [Frame] = []
    var next = row.parent
    while let position = next {
      chain.append(ancestors[position].frame)
      next = ancestors[position].parent
    }
    return chain.reversed()
  }

  package var encoded: [UInt8] {
    let all = rows + ancestors
    var writer = ByteWriter()
    writer.u16(1)
    writer.u16(suite)
    writer.u32(UInt32(rows.count))
    writer.u32(UInt32(ancestors.count))
    for row in all { writer.u32(row.place.pack) }
    for row in all { writer.u32(row.place.frame) }
    for row in all { writer.u32(row.parent.map { UInt32($0 + 1) } ?? 0) }
    if suite == 1 { for row in all { writer.digest(row.frame.key?.secret ?? .zero) } }
    return writer.bytes
  }

  /// - Parameter header: States cipher suite and the longest chain of ancestors.
  package init(
    parsing bytes: ArraySlice<UInt8>, header: RecordsHeader
  ) throws(ParsingError) {
    var reader = ByteReader(bytes)
    guard try reader.u16("envelope version") == 1 else {
      throw ParsingError("unsupported envelope version", at: 0, kind: .unsupported)
    }
    suite = try reader.u16("cipher suite")
    guard suite <= 1 else {
      throw ParsingError("unsupported cipher suite", at: 2, kind: .unsupported)
    }
    guard suite == header.suite else {
      throw ParsingError("the cipher suite is not that of the archive", at: 2)
    }
    let rowByteCount = Envelope.rowByteCount + (suite == 1 ? Envelope.keyByteCount : 0)
    let rowCount = Int(try reader.u32("row count"))
    let ancestorCount = Int(try reader.u32("ancestor count"))
    let count = rowCount + ancestorCount
    guard reader.remaining / rowByteCount >= count else {
      throw ParsingError("the envelope does not hold its \(count) rows", at: 4)
    }
    var packs: [UInt32] = []
    var frames: [UInt32] = []
    packs.reserveCapacity(count)
    frames.reserveCapacity(count)
    for _ in 0..<count {
      let pack = try reader.u32("pack number")
      guard pack <= ArchiveFiles.packNumberLimit else {
        throw ParsingError(
          "a pack number has more than eight digits", at: reader.offset - 4, kind: .limit)
      }
      packs.append(pack)
    }
    for _ in 0..<count { frames.append(try reader.u32("frame number")) }
    let parentOffset = reader.offset
    var parents: [Int] = []
    parents.reserveCapacity(count)
    for position in 0..<count {
      let parent = Int(try reader.u32("parent"))
      // A parent before its children leaves no room for a cycle.
      let limit = position < rowCount ? ancestorCount : position - rowCount
      guard parent <= limit else {
        throw ParsingError("a parent does not stand before its child", at: reader.offset - 4)
      }
      parents.append(parent)
    }
    var keys: [ObjectKey] = []
    if suite == 1 {
      keys.reserveCapacity(count)
      for _ in 0..<count { keys.append(ObjectKey(secret: try reader.digest("object key"))) }
    }
    try reader.finish("envelope")
    var isParent = [Bool](repeating: false, count: ancestorCount)
    for parent in parents where parent > 0 { isParent[parent - 1] = true }
    guard isParent.allSatisfy({ $0 }) else {
      throw ParsingError("an ancestor is nobody's parent", at: parentOffset)
    }
    var depths = [Int](repeating: 0, count: ancestorCount)
    for position in rowCount..<count where parents[position] > 0 {
      depths[position - rowCount] = depths[parents[position] - 1] + 1
    }
    for position in 0..<count where parents[position] > 0 {
      guard depths[parents[position] - 1] + 1 <= header.depth else {
        throw ParsingError(
          "a chain of deltas is longer than the archive declares", at: parentOffset + position * 4)
      }
    }
    func row(_ position: Int) -> Row {
      Row(
        Frame(
          Place(pack: packs[position], frame: frames[position]),
          key: keys.isEmpty ? nil : keys[position]),
        parent: parents[position] == 0 ? nil : parents[position] - 1)
    }
    rows = (0..<rowCount).map(row)
    ancestors = (rowCount..<count).map(row)
  }

  /// Reads the envelope of a record with these chunks: one row for each distinct one, in order.
  package init(
    parsing bytes: ArraySlice<UInt8>, chunks: [Digest], header: RecordsHeader
  ) throws(ParsingError) {
    try self.init(parsing: bytes, header: header)
    guard rows.count == Set(chunks).count else {
      throw ParsingError("the envelope has not one row for each chunk of the record", at: 4)
    }
  }
}
