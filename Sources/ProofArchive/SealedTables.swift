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
    package let recordByteCount: Int
    package let envelopeByteCount: Int
    package let step: Int
    var frameByteCount: Int {
      RecordFrame.headerByteCount + recordByteCount + envelopeByteCount
    }
  }

  private static let magic = Array("polridx1".utf8)
  private static let rowByteCount = 56
  /// 16 million records; the table is then 1 GiB and wants another version of the format.
  package static let rowLimit = 1 << 24
  package static let byteLimit = 20 + rowLimit * rowByteCount

  package let rows: [Row]

  init(rows: [Row]) { self.rows = rows }

  /// RFC 6962 root over the record hashes: the archive root.
  package static func root(ofHashes hashes: [Digest]) -> Digest {
    MerkleTree.root(ofLeafHashes: hashes.map { MerkleTree.leafHash(of: $0.bytes) })
  }

  package var root: Digest { RecordIndex.root(ofHashes: rows.map(\.hash)) }

  var encoded: [UInt8] {
    var writer = ByteWriter()
    writer.raw(RecordIndex.magic)
    writer.u64(UInt64(rows.count))
    for row in rows {
      writer.digest(row.hash)
      writer.u64(UInt64(row.offset))
      writer.u32(UInt32(row.recordByteCount))
      writer.u32(UInt32(row.envelopeByteCount))
      writer.u64(UInt64(row.step))
    }
    writer.u32(crc32c(writer.bytes))
    return writer.bytes
  }

  init(parsing bytes: [UInt8]) throws(ParsingError) {
    var reader = ByteReader(bytes)
    try reader.expect(RecordIndex.magic, "magic of the record index")
    let count = try reader.u64("record count")
    guard count <= UInt64(RecordIndex.rowLimit),
      reader.remaining == Int(count) * RecordIndex.rowByteCount + 4
    else { throw ParsingError("the record index does not hold its rows", at: 8) }
    var rows: [Row] = []
    rows.reserveCapacity(Int(count))
    for _ in 0..<count {
      let hash = try reader.digest("record hash")
      let offset = try reader.u64("frame offset")
      let record = Int(try reader.u32("record length"))
      let envelope = Int(try reader.u32("envelope length"))
      let step = try reader.u64("step")
      guard offset < 1 << 62, step <= UInt64(CheckpointRecord.stepLimit),
        record <= RecordFrame.recordLimit, envelope <= Envelope.byteLimit
      else { throw ParsingError("a row is out of bounds", at: reader.offset - 24) }
      rows.append(
        Row(
          hash: hash, offset: Int(offset), recordByteCount: record, envelopeByteCount: envelope,
          step: Int(step)))
    }
    let crc = crc32c(bytes[0..<reader.offset])
    guard try reader.u32("checksum") == crc else {
      throw ParsingError("the checksum does not match", at: reader.offset - 4, kind: .damaged)
    }
    self.rows = rows
  }
}

/// `norms`: the norms of all segments, so that the largest can be found without reading every record.
package struct NormsTable: Equatable, Sendable {
  package struct Row: Equatable, Sendable {
    package let endStep: Int
    package let norms: UpdateNorms
  }

  private static let magic = Array("polnorm1".utf8)
  private static let rowByteCount = 40
  package static let byteLimit = 16 + RecordIndex.rowLimit * rowByteCount

  package let rows: [Row]

  init(rows: [Row]) { self.rows = rows }

  var encoded: [UInt8] {
    var writer = ByteWriter()
    writer.raw(NormsTable.magic)
    writer.u64(UInt64(rows.count))
    for row in rows {
      writer.u64(UInt64(row.endStep))
      row.norms.write(to: &writer)
    }
    return writer.bytes
  }

  static func digest(_ encoded: [UInt8]) -> Digest { SHA256.hash(.norms, encoded) }

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
  private static let nameLimit = 255
  /// Two files a pack of 64 MiB: enough for 30 TiB.
  private static let rowLimit = 1 << 20
  package static let byteLimit = 12 + rowLimit * (2 + nameLimit + 40)

  /// In bytewise order of names.
  package let rows: [Row]

  package init(rows: [Row]) {
    self.rows = rows.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
  }

  package var root: Digest {
    MerkleTree.root(
      ofLeafHashes: rows.map { MerkleTree.leafHash(of: DomainTag.object.bytes + $0.encoded) })
  }

  var encoded: [UInt8] {
    var writer = ByteWriter()
    writer.raw(ObjectTable.magic)
    writer.u32(UInt32(rows.count))
    for row in rows { writer.raw(row.encoded) }
    return writer.bytes
  }

  init(parsing bytes: [UInt8]) throws(ParsingError) {
    var reader = ByteReader(bytes)
    try reader.expect(ObjectTable.magic, "magic of the object table")
    let count = try reader.count("object count", itemByteCount: 42, limit: ObjectTable.rowLimit)
    var rows: [Row] = []
    for _ in 0..<count {
      let start = reader.offset
      let name = try reader.string("object name", limit: ObjectTable.nameLimit)
      let length = try reader.u64("object length")
      guard ArchiveFiles.isKnown(name), name != ArchiveFiles.seal, name != ArchiveFiles.objects,
        length < 1 << 62
      else { throw ParsingError("an object's name or length is not allowed", at: start) }
      if let last = rows.last, !last.name.utf8.lexicographicallyPrecedes(name.utf8) {
        throw ParsingError("the objects are not in order", at: start)
      }
      rows.append(
        Row(name: name, byteCount: Int(length), digest: try reader.digest("object digest")))
    }
    try reader.finish("object table")
    self.rows = rows
  }
}
