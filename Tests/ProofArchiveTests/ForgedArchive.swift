import ChunkStorage
import Cryptography
import ProofPrimitives
import ProofTestSupport

@testable import ProofArchive

/// A small sealed archive whose prover says something else afterwards, and signs that.
struct ForgedArchive {
  /// What the seal says; the object table is always that of the files.
  struct Statement {
    var archiveID: Digest
    var archiveRoot: Digest
    var recordCount: Int
    var stepCount: Int
    var objectCount: Int
    var normsDigest: Digest
    var finalRecord: Digest
  }

  static let epochKey = EpochKey(secret: SmallArchive.digest(0x42))
  static let access = ArchiveAccess.epochKey(epochKey)

  let path: String
  private let honest: Seal

  /// Checkpoints at steps 0, 2, 4 and so on.
  init(at path: String, isEncrypted: Bool = false, steps: Int = 6, claims: JSONValue? = nil) throws
  {
    self.path = path
    var options = ArchiveWriter.Options()
    options.epochKey = isEncrypted ? ForgedArchive.epochKey : nil
    let writer = try ArchiveWriter.create(
      at: path, opening: SmallArchive.opening(), settings: SmallArchive.settings,
      policy: SmallArchive.policy, dataset: SmallArchive.dataset(), options: options)
    try SmallArchive.record(writer, to: steps)
    honest = try writer.seal(with: SmallArchive.key(), claims: claims)
  }

  func source() throws -> DirectoryObjectSource { try DirectoryObjectSource(path) }

  func reader() throws -> ArchiveReader { try ArchiveReader(try source()) }

  func bytes(_ name: String) throws -> [UInt8] { try SmallArchive.bytes("\(path)/\(name)") }

  func edit(_ name: String, _ change: (inout [UInt8]) throws -> Void) throws {
    var bytes = try bytes(name)
    try change(&bytes)
    try SmallArchive.write(bytes, to: "\(path)/\(name)")
  }

  /// Another copy beside this one.
  func copy(_ suffix: String) throws -> ForgedArchive {
    try SmallArchive.copy(path, to: path + suffix)
    return ForgedArchive(standingAt: path + suffix, honest)
  }

  private init(standingAt path: String, _ seal: Seal) {
    self.path = path
    honest = seal
  }

  func index() throws -> RecordIndex { try RecordIndex(parsing: try bytes("records.index")) }

  /// Places that are false, under hashes that are right.
  func editIndex(_ change: (Int, RecordIndex.Row) -> RecordIndex.Row) throws {
    let rows = try index().rows.enumerated().map { change($0, $1) }
    try SmallArchive.write(RecordIndex(rows: rows).encoded, to: "\(path)/records.index")
  }

  /// Changes encoded records; their places follow, their chain does not.
  func editRecords(_ change: (inout [[UInt8]]) throws -> Void) throws {
    let old = try index().rows
    let file = try bytes("records")
    let frames = try old.enumerated().map {
      try RecordFrame(parsing: Array(file[$1.range]), number: $0, keys: nil)
    }
    var records = frames.map(\.record)
    try change(&records)
    var body = Array(file[..<RecordsHeader.byteCount])
    var rows: [RecordIndex.Row] = []
    for (number, record) in records.enumerated() {
      let frame = RecordFrame.encode(record: record, envelope: frames[number].envelope)
      rows.append(
        RecordIndex.Row(
          hash: RecordHeader.hash(record[...]), offset: body.count, frameByteCount: frame.count,
          step: old[number].step))
      body += frame
    }
    try SmallArchive.write(body, to: "\(path)/records")
    try SmallArchive.write(RecordIndex(rows: rows).encoded, to: "\(path)/records.index")
  }

  /// Object table and seal over what lies in the folder, which is not encrypted.
  func sign(
    objects: (ObjectTable.Row) -> ObjectTable.Row = { $0 },
    more: [ObjectTable.Row] = [], statement change: (inout Statement) -> Void = { _ in }
  ) throws {
    let files = try ObjectTable.ofFiles(in: DirectoryListing.names(path), at: path)
    let table = ObjectTable(rows: files.rows.map(objects) + more)
    try SmallArchive.write(table.encoded, to: "\(path)/objects")
    let rows = try index().rows
    var statement = Statement(
      archiveID: honest.archiveID, archiveRoot: RecordIndex(rows: rows).root,
      recordCount: rows.count,
      stepCount: honest.stepCount, objectCount: table.rows.count,
      normsDigest: NormsTable.digest(try bytes("norms")), finalRecord: rows.last?.hash ?? .zero)
    change(&statement)
    let seal = try Seal(
      archiveID: statement.archiveID, archiveRoot: statement.archiveRoot,
      recordCount: statement.recordCount, stepCount: statement.stepCount,
      modelDigest: honest.modelDigest, objectRoot: table.root, objectCount: statement.objectCount,
      normsDigest: statement.normsDigest, finalRecord: statement.finalRecord,
      signedBy: SmallArchive.key())
    try SmallArchive.write(seal.encoded, to: "\(path)/seal")
  }

  /// The same, with another length for one file, whose digest stays.
  func signLength(of name: String, _ byteCount: Int) throws {
    try sign(objects: {
      $0.name == name ? .init(name: $0.name, byteCount: byteCount, digest: $0.digest) : $0
    })
  }
}

func withForgedArchive(
  isEncrypted: Bool = false, steps: Int = 6, claims: JSONValue? = nil,
  _ body: (ForgedArchive) throws -> Void
) throws {
  try withTemporaryDirectory { folder in
    try body(
      ForgedArchive(at: "\(folder)/a.pol", isEncrypted: isEncrypted, steps: steps, claims: claims))
  }
}
