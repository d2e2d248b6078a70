internal import ChunkStorage
internal import Cryptography
internal import MerkleTrees
package import ProofPrimitives

/// `records.index`: hash and place of every record (`spec/archive.md` §6).
///
/// The hashes are checked against the signed root; the places are hints.
package struct RecordIndex: Equatable, Sendable {
  package struct Row: Equatable, Sendable {
    package let hash: Digest
    package let offset: Int
    /// Of the frame, header included.
    package let frameByteCount: Int
    package let step: Int
    var range: Range<Int> { offset..<offset + frameByteCount }

    package init(hash: Digest, offset: Int, frameByteCount: Int, step: Int) {
      self.hash = hash
      self.offset = offset
      self.frameByteCount = frameByteCount
      self.step = step
    }
  }

  private static let magic = Array("polridx1".utf8)
  private static let rowByteCount = 52
  /// 16 million records; the table is then 1 GiB and wants another version of the format.
  package static let rowLimit = 1 << 24
  package static let byteLimit = 20 + rowLimit * rowByteCount

  package let rows: [Row]

  package init(rows: [Row]) { self.rows = rows }

  /// RFC 6962 root over the record hashes: the archive root.
  package static func root(ofHashes hashes: [Digest]) -> Digest {
    MerkleTree.root(ofLeafHashes: hashes.map { MerkleTree.leafHash(of: $0.bytes) })
  }

  package var root: Digest { RecordIndex.root(ofHashes: rows.map(\.hash)) }

  package var encoded: [UInt8] {
    var writer = ByteWriter()
    writer.raw(RecordIndex.magic)
    writer.u64(UInt64(rows.count))
    for row in rows {
      writer.digest(row.hash)
      writer.u64(UInt64(row.offset))
      writer.u32(UInt32(row.frameByteCount))
      writer.u64(UInt64(row.step))
    }
    writer.u32(crc32c(writer.bytes))
    return writer.bytes
  }

  init(parsing bytes: [UInt8]) throws(ParsingError) {
    var reader = try checkedTable(bytes)
    try reader.expect(RecordIndex.magic, "magic of the record index")
    let count = try reader.u64("record count")
    guard count <= UInt64(RecordIndex.rowLimit),
      reader.remaining == Int(count) * RecordIndex.rowByteCount
    else { throw ParsingError("the record index does not hold its rows", at: 8) }
    var rows: [Row] = []
    rows.reserveCapacity(Int(count))
    for _ in 0..<count {
      let hash = try reader.digest("record hash")
      let offset = try reader.u64("frame offset")
      let count = Int(try reader.u32("frame length"))
      let step = try reader.u64("step")
      guard offset < 1 << 62, step <= UInt64(CheckpointRecord.stepLimit),
        (RecordFrame.headerByteCount...RecordFrame.byteLimit).contains(count)
      else { throw ParsingError("a row is out of bounds", at: reader.offset - 20) }
      rows.append(
        Row(hash: hash, offset: Int(offset), frameByteCount: count, step: Int(step)))
    }
    self.rows = rows
  }
}

/// `norms`: the norms of all segments, so that the largest can be found without reading every record.
package struct NormsTable: Equatable, Sendable {
  package struct Row: Equatable, Sendable {
    package let endStep: Int
    package let norms: UpdateNorms

    package init(endStep: Int, norms: UpdateNorms) {
      self.endStep = endStep
      self.norms = norms
    }
  }

  private static let magic = Array("polnorm1".utf8)
  private static let rowByteCount = 40
  package static let byteLimit = 16 + RecordIndex.rowLimit * rowByteCount

  package let rows: [Row]

  package init(rows: [Row]) { self.rows = rows }

  package var encoded: [UInt8] {
    var writer = ByteWriter()
    writer.raw(NormsTable.magic)
    writer.u64(UInt64(rows.count))
    for row in rows {
      writer.u64(UInt64(row.endStep))
      row.norms.write(to: &writer)
    }
    return writer.bytes
  }

  package static func digest(_ encoded: [UInt8]) -> Digest { SHA256.hash(.norms, encoded) }

  init(parsing bytes: [UInt8]) throws(ParsingError) {
    var reader = ByteReader(bytes)
    try reader.expect(NormsTable.magic, "magic of the norms table")
    let count = try reader.u64("segment count")
    guard count <= UInt64(RecordIndex.rowLimit),
      reader.remaining == Int(count) * NormsTable.rowByteCount
    else { throw ParsingError("the norms table does not hold its rows", at: 8) }
    var rows: [Row] = []
    rows.reserveCapacity(Int(count))
    for _ in 0..<count {
      let step = try reader.u64("step")
      guard step <= UInt64(CheckpointRecord.stepLimit) else {
        throw ParsingError("a step is over the limit", at: reader.offset - 8)
      }
      rows.append(Row(endStep: Int(step), norms: try UpdateNorms(&reader)))
    }
    self.rows = rows
  }
}

/// `objects`: length and digest of every file, so that anybody can check the published bytes.
package struct ObjectTable: Equatable, Sendable {
  package struct Row: Equatable, Sendable {
    package let name: String
    package let byteCount: Int
    package let digest: Digest

    package init(name: String, byteCount: Int, digest: Digest) {
      self.name = name
      self.byteCount = byteCount
      self.digest = digest
    }

    var encoded: [UInt8] {
      var writer = ByteWriter()
      writer.string(name)
      writer.u64(UInt64(byteCount))
      writer.digest(digest)
      return writer.bytes
    }
  }

  private static let magic = Array("polobjs1".utf8)
  static let nameLimit = 255
  /// Two files a pack of 64 MiB: enough for 30 TiB.
  private static let rowLimit = 1 << 20
  package static let byteLimit = 12 + rowLimit * (2 + nameLimit + 40)

  /// In bytewise order of names.
  package let rows: [Row]
  /// As it was read: a signed length may be more than a row holds, and a copy keeps it.
  package let encoded: [UInt8]

  package init(rows: [Row]) {
    self.rows = rows.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    var writer = ByteWriter()
    writer.raw(ObjectTable.magic)
    writer.u32(UInt32(rows.count))
    for row in self.rows { writer.raw(row.encoded) }
    encoded = writer.bytes
  }

  package var root: Digest {
    MerkleTree.root(
      ofLeafHashes: rows.map { MerkleTree.leafHash(of: DomainTag.object.bytes + $0.encoded) })
  }

  private typealias RawRow = (name: ArraySlice<UInt8>, byteCount: UInt64, digest: Digest)

  /// Tells the rows apart and compares their root. What is wrong here is nobody's statement: the root
  /// covers the rows and not what stands around them.
  private static func rawRows(
    _ bytes: [UInt8], root: Digest
  ) throws(ParsingError) -> [RawRow] {
    var reader = ByteReader(bytes)
    var raw: [RawRow] = []
    var leaves: [Digest] = []
    let hasMagic: Bool
    do throws(ParsingError) {
      hasMagic = try reader.take(8, "magic").elementsEqual(ObjectTable.magic)
      let count = try reader.count("object count", itemByteCount: 42)
      for _ in 0..<count {
        let start = reader.offset
        let name = try reader.take(Int(try reader.u16("name length")), "object name")
        raw.append((name, try reader.u64("object length"), try reader.digest("object digest")))
        leaves.append(
          MerkleTree.leafHash(of: DomainTag.object.bytes + bytes[start..<reader.offset]))
      }
    } catch {
      // No root can match rows that cannot be told apart.
      throw ParsingError(error.reason, at: error.offset, kind: .damaged)
    }
    guard MerkleTree.root(ofLeafHashes: leaves) == root else {
      throw ParsingError("the rows do not give the seal's object root", at: 12, kind: .damaged)
    }
    guard hasMagic else { throw ParsingError("magic of the object table is another", at: 0) }
    try reader.finish("object table")
    return raw
  }

  /// What is wrong here, the prover signed.
  private init(signed raw: [RawRow], _ bytes: [UInt8]) throws(ParsingError) {
    for (last, next) in zip(raw, raw.dropFirst())
    where !last.name.lexicographicallyPrecedes(next.name) {
      throw ParsingError("the objects are not in order", at: 12)
    }
    var rows: [Row] = []
    for row in raw {
      guard row.name.count <= ObjectTable.nameLimit else {
        throw ParsingError("an object's name is over the limit", at: 12, kind: .limit)
      }
      guard let name = String(validating: row.name, as: UTF8.self), ArchiveFiles.isKnown(name),
        name != ArchiveFiles.seal, name != ArchiveFiles.objects
      else { throw ParsingError("an object's name is not one of an archive", at: 12) }
      // No file is as long as a clamped length.
      rows.append(Row(name: name, byteCount: Int(clamping: row.byteCount), digest: row.digest))
    }
    self.rows = rows
    encoded = bytes
  }

  /// Reads `objects` of a sealed archive.
  static func load(_ source: any ObjectSource, _ seal: Seal) throws(ArchiveError) -> (
    table: ObjectTable, byteCount: Int
  ) {
    let bytes = try ArchiveReader.whole(ArchiveFiles.objects, in: source, limit: byteLimit)
    return (try parse(bytes, seal, at: source.location), bytes.count)
  }

  /// The table of a sealed archive, against its seal.
  ///
  /// - Parameter location: Of the copy, for messages; nil for a file that is named otherwise.
  static func parse(
    _ bytes: [UInt8], _ seal: Seal, at location: String? = nil
  ) throws(ArchiveError) -> ObjectTable {
    let place = location.map { "\($0)/\(ArchiveFiles.objects)" } ?? ArchiveFiles.objects
    let raw = try parsing(place) { () throws(ParsingError) in
      try rawRows(bytes, root: seal.objectRoot)
    }
    let table = try parsing(ArchiveFiles.objects, isSigned: true) { () throws(ParsingError) in
      try ObjectTable(signed: raw, bytes)
    }
    guard table.rows.count == seal.objectCount else {
      throw ArchiveReader.falseSeal("the object count is not that of the object table")
    }
    return table
  }
}
