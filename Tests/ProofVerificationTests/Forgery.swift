import ChunkStorage
import Cryptography
import Foundation
import ProofPrimitives

@testable import ProofArchive

/// What a prover can say otherwise once the training is over, before it is hashed and signed again.
struct Forgery {
  var opening: OpeningRecord
  var records: [CheckpointRecord]
  /// Nil: as the records say.
  var norms: [NormsTable.Row]?
  var modelDigest: Digest
  var stepCount: Int?
  /// Whose signature the seal carries.
  var signer: SigningKey
  /// The encoded records, for those that no encoder would make; applied last.
  var bend: (@Sendable (inout [[UInt8]]) -> Void)?

  private let path: String
  private let header: RecordsHeader
  private var envelopes: [[UInt8]]

  /// As it stands before this change.
  func reader() throws -> ArchiveReader { try ArchiveReader(try DirectoryObjectSource(path)) }

  /// Rewrites a sealed archive: the chain, the tables, the object table and the seal.
  ///
  /// - Parameter files: Changes stored files after the tables were written and before `objects` is.
  static func reseal(
    _ path: String, by key: SigningKey, _ change: ((inout Forgery) throws -> Void)? = nil,
    files: ((String) throws -> Void)? = nil
  ) throws {
    var forgery = try Forgery(path, key)
    let old = forgery.records.map { $0.sequence }
    try change?(&forgery)
    try forgery.write(path, old, files)
  }

  private init(_ path: String, _ key: SigningKey) throws {
    self.path = path
    let seal = try ArchiveReader.seal(in: try DirectoryObjectSource(path))
    let bytes = try readFile("\(path)/records")
    var frames: [RecordFrame] = []
    var offset = RecordsHeader.byteCount
    header = try RecordsHeader(parsing: Array(bytes[..<offset]))
    while offset < bytes.count {
      let header = try RecordFrame.Header(
        Array(bytes[offset..<offset + RecordFrame.headerByteCount]))
      frames.append(
        try RecordFrame(
          parsing: Array(bytes[offset..<offset + header.frameByteCount]), number: frames.count,
          keys: nil))
      offset += header.frameByteCount
    }
    opening = try OpeningRecord(parsing: frames[0].record[...])
    records = []
    for frame in frames.dropFirst() {
      records.append(try CheckpointRecord(parsing: frame.record[...], opening: opening))
    }
    envelopes = frames.map(\.envelope)
    modelDigest = seal.modelDigest
    signer = key
  }

  /// A record with other contents; its place in the chain is set when it is written.
  static func record(
    _ old: CheckpointRecord, step: Int? = nil, steps: [CheckpointRecord.Step]? = nil,
    signatureRoot: Digest? = nil, norms: UpdateNorms? = nil, sequence: UInt64? = nil,
    previous: Digest? = nil, gap: CheckpointRecord.Gap? = nil
  ) -> CheckpointRecord {
    CheckpointRecord(
      sequence: sequence ?? old.sequence, previous: previous ?? old.previous,
      step: step ?? old.step, steps: steps ?? old.steps, gap: gap ?? old.gap,
      signatureRoot: signatureRoot ?? old.signatureRoot, norms: norms ?? old.norms,
      layout: old.layout, chunks: old.chunks) ?? old
  }

  private func write(
    _ path: String, _ oldSequences: [UInt64], _ files: ((String) throws -> Void)?
  ) throws {
    var encoded = [opening.encoded]
    var order = [0]
    for (position, record) in records.enumerated() {
      let linked = Forgery.record(
        record, sequence: UInt64(position + 1),
        previous: RecordHeader.hash((encoded.last ?? [])[...]))
      encoded.append(linked.encoded)
      order.append(Int(record.sequence))
    }
    bend?(&encoded)
    var body = header.encoded
    var rows: [RecordIndex.Row] = []
    for (position, record) in encoded.enumerated() {
      let frame = RecordFrame.encode(record: record, envelope: envelopes[order[position]])
      rows.append(
        RecordIndex.Row(
          hash: RecordHeader.hash(record[...]), offset: body.count,
          frameByteCount: frame.count,
          step: position == 0 ? 0 : records[position - 1].step))
      body += frame
    }
    let table = NormsTable(
      rows: norms ?? records.dropFirst().map { .init(endStep: $0.step, norms: $0.norms) }
    ).encoded
    try writeFile(body, "\(path)/records")
    try writeFile(RecordIndex(rows: rows).encoded, "\(path)/records.index")
    try writeFile(table, "\(path)/norms")
    try files?(path)
    try Forgery.sign(
      path, by: signer, opening: opening, rows: rows, table: table,
      steps: stepCount ?? records.last?.step ?? 0, model: modelDigest)
  }

  /// `objects` and `seal` over what lies in the folder.
  private static func sign(
    _ path: String, by key: SigningKey, opening: OpeningRecord, rows: [RecordIndex.Row],
    table: [UInt8], steps: Int, model: Digest
  ) throws {
    let objects = try ObjectTable.ofFiles(in: DirectoryListing.names(path), at: path)
    try writeFile(objects.encoded, "\(path)/objects")
    let seal = try Seal(
      archiveID: opening.archiveID, archiveRoot: RecordIndex.root(ofHashes: rows.map(\.hash)),
      recordCount: rows.count, stepCount: steps, modelDigest: model, objectRoot: objects.root,
      objectCount: objects.rows.count, normsDigest: NormsTable.digest(table),
      finalRecord: rows[rows.count - 1].hash, signedBy: key)
    try writeFile(seal.encoded, "\(path)/seal")
  }
}
