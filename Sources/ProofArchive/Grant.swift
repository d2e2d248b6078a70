internal import Cryptography
package import ProofPrimitives

/// What a prover hands to one verifier so that an encrypted archive can be read: the epoch key, or the
/// keys of some segments (`spec/encryption.md` §6). It travels inside an age file.
package struct Grant: Equatable, Sendable {
  package enum Scope: Equatable, Sendable {
    case wholeArchive(EpochKey)
    /// Segment numbers ascending, and exactly the keys that they need.
    case segments([UInt32], ObjectKeyTable)
  }

  /// With `segmentLimit`, as many as an age file holds. More points than a million are sampled by nobody
  /// who could not be given the whole archive.
  package static let keyLimit = 1 << 20
  package static let segmentLimit = 1 << 20
  private static let magic = Array("polgrnt1".utf8)
  private static let rowByteCount = 41

  package let archiveID: Digest
  package let epoch: UInt32
  package let sealDigest: Digest
  package let scope: Scope

  /// A grant of everything.
  package init(_ key: ContentKey, sealDigest: Digest) {
    archiveID = key.archiveID
    epoch = key.epoch
    self.sealDigest = sealDigest
    scope = .wholeArchive(key.epochKey)
  }

  /// A grant of some segments.
  ///
  /// - Parameters:
  ///   - segments: Numbers in any order, each once; none is a grant to check the structure alone.
  ///   - rows: Keys in any order: settings, policy, claims where there are any, record index, norms, record
  ///     0, records s + 1 and s + 2 of each segment s, and the data points that their steps use.
  package init(
    archiveID: Digest, epoch: UInt32, sealDigest: Digest, segments: [UInt32],
    rows: [ObjectKeyTable.Row]
  ) throws(ParsingError) {
    self.archiveID = archiveID
    self.epoch = epoch
    self.sealDigest = sealDigest
    scope = try Grant.checked(segments.sorted(), rows.sorted { $0.stands(before: $1) })
  }

  package var encoded: [UInt8] {
    var writer = ByteWriter()
    writer.raw(Grant.magic)
    writer.u16(1)
    writer.u16(1)
    writer.u32(epoch)
    writer.digest(archiveID)
    writer.digest(sealDigest)
    switch scope {
    case .wholeArchive(let key):
      writer.raw([0, 0, 0, 0])
      writer.digest(key.secret)
    case .segments(let segments, let table):
      writer.raw([1, 0, 0, 0])
      writer.u32(UInt32(segments.count))
      for segment in segments { writer.u32(segment) }
      writer.u32(UInt32(table.rows.count))
      for row in table.rows {
        writer.u8(row.kind.rawValue)
        writer.u64(row.number)
        writer.digest(row.key.secret)
      }
    }
    return writer.bytes
  }

  package init(parsing bytes: [UInt8]) throws(ParsingError) {
    var reader = ByteReader(bytes)
    try reader.expect(Grant.magic, "magic of the grant")
    guard try reader.u16("grant version") == 1 else {
      throw ParsingError("unsupported grant version", at: 8, kind: .unsupported)
    }
    guard try reader.u16("cipher suite") == 1 else {
      throw ParsingError("unsupported cipher suite", at: 10, kind: .unsupported)
    }
    epoch = try reader.u32("key epoch")
    guard epoch >= 1 else { throw ParsingError("key epochs are counted from 1", at: 12) }
    archiveID = try reader.digest("archive id")
    sealDigest = try reader.digest("seal digest")
    let scope = try reader.u8("scope")
    guard scope <= 1 else {
      throw ParsingError("unsupported scope \(scope)", at: 80, kind: .unsupported)
    }
    try reader.expect([0, 0, 0], "reserved")
    if scope == 0 {
      self.scope = .wholeArchive(EpochKey(secret: try reader.digest("epoch key")))
    } else {
      self.scope = try Grant.segmentScope(&reader)
    }
    try reader.finish("grant")
  }

  private static func segmentScope(_ reader: inout ByteReader) throws(ParsingError) -> Scope {
    let segmentCount = try reader.count("segment count", itemByteCount: 4, limit: segmentLimit)
    var segments: [UInt32] = []
    segments.reserveCapacity(segmentCount)
    for _ in 0..<segmentCount { segments.append(try reader.u32("segment number")) }
    let rowCount = try reader.count("key count", itemByteCount: rowByteCount, limit: keyLimit)
    var rows: [ObjectKeyTable.Row] = []
    rows.reserveCapacity(rowCount)
    for _ in 0..<rowCount {
      let start = reader.offset
      guard let kind = ObjectKind(rawValue: try reader.u8("object kind")) else {
        throw ParsingError("unsupported object kind", at: start, kind: .unsupported)
      }
      rows.append(
        ObjectKeyTable.Row(
          kind: kind, number: try reader.u64("object number"),
          key: ObjectKey(secret: try reader.digest("object key"))))
    }
    return try checked(segments, rows)
  }

  /// The scope, if the segments ascend and the keys ascend and are those that the segments need: all of
  /// them, and no record besides.
  private static func checked(
    _ segments: [UInt32], _ rows: [ObjectKeyTable.Row]
  ) throws(ParsingError) -> Scope {
    guard segments.count <= segmentLimit, rows.count <= keyLimit else {
      throw ParsingError("a grant of too many segments or keys", at: 84, kind: .limit)
    }
    guard zip(segments, segments.dropFirst()).allSatisfy({ $0 < $1 }) else {
      throw ParsingError("the segment numbers do not ascend", at: 88)
    }
    let firstRow = 92 + 4 * segments.count
    guard let table = ObjectKeyTable(rows: rows) else {
      throw ParsingError("the keys do not ascend by kind and number", at: firstRow)
    }
    var records: Set<UInt64> = [0]
    for segment in segments { records.formUnion([UInt64(segment) + 1, UInt64(segment) + 2]) }
    for (index, row) in rows.enumerated() {
      let isNamed =
        switch row.kind {
        case .chunk: false
        case .record: records.remove(row.number) != nil
        case .settings, .policy, .claims, .recordIndex, .norms: row.number == 0
        case .dataPoint: true
        }
      guard isNamed else {
        throw ParsingError(
          "no segment of the grant needs this key", at: firstRow + index * rowByteCount)
      }
    }
    let always: [ObjectKind] = [.settings, .policy, .recordIndex, .norms]
    guard records.isEmpty, always.allSatisfy({ table.key($0, 0) != nil }) else {
      throw ParsingError("a key that the segments need is missing", at: firstRow)
    }
    return .segments(segments, table)
  }
}

extension Grant: CustomStringConvertible, CustomReflectable {
  package var description: String {
    switch scope {
    case .wholeArchive: "Grant(of archive \(archiveID))"
    case .segments(let segments, _): "Grant(of \(segments.count) segments of \(archiveID))"
    }
  }
  /// Keys are not dumped.
  package var customMirror: Mirror { Mirror(self, children: ["archiveID": archiveID]) }
}
