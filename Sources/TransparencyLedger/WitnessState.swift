import Cryptography
import Foundation
import GRDB
import MerkleTrees
import ProofPrimitives

/// Two heads of one log that do not go together, as a witness met them (`spec/witness.md` §6).
package struct WitnessEvidence: Hashable, Sendable {
  package enum Kind: String, Sendable, CaseIterable {
    /// Two roots for one size: conclusive by itself.
    case forked
    /// Larger, and the proof that came with it does not verify.
    case unproved
    /// Smaller than the one cosigned before.
    case rolledBack
  }

  package let kind: Kind
  /// The note cosigned last, with the log's lines and the witness's own.
  package let remembered: [UInt8]
  /// The note that was refused, with the log's verified lines alone.
  package let shown: [UInt8]
}

/// `witness.sqlite`: the last head cosigned of each origin, and evidence against logs.
///
/// It is never made again and never restored: a witness that forgets cosigns a rollback.
struct WitnessState: Sendable {
  /// Of one kind and origin. Replaying old heads is free to anybody.
  static let evidenceLimit = 16

  private let queue: DatabaseQueue
  private let path: String

  struct Record: Equatable {
    let size: TreeSize
    let root: Digest
    /// Of the last cosignature.
    let time: UInt64
    let note: [UInt8]
  }

  /// What is to be done about one request.
  struct Decision {
    let answer: WitnessAnswer
    var record: Record?
    var evidence: WitnessEvidence?
  }

  init(creatingAt path: String) throws(LedgerError) {
    try self.init(path: path)
    try inDatabase(path) {
      try queue.write { db in
        try db.execute(
          sql: """
            CREATE TABLE heads (
              origin BLOB PRIMARY KEY, size INTEGER NOT NULL, root TEXT NOT NULL,
              time INTEGER NOT NULL, note BLOB NOT NULL
            );
            CREATE TABLE evidence (
              origin BLOB NOT NULL, kind TEXT NOT NULL, shownDigest TEXT NOT NULL,
              remembered BLOB NOT NULL, shown BLOB NOT NULL,
              PRIMARY KEY (origin, kind, shownDigest)
            );
            """)
      }
    }
  }

  /// Opens a file that the caller has seen to be there.
  init(openingAt path: String) throws(LedgerError) {
    try self.init(path: path)
  }

  private init(path: String) throws(LedgerError) {
    self.path = path
    queue = try inDatabase(path) {
      var configuration = Configuration()
      // Another process may hold the lock for as long as a commit takes.
      configuration.busyMode = .timeout(10)
      // One self-contained file, in place when the transaction returns: no log to lose beside it.
      configuration.prepareDatabase { db in
        try db.execute(sql: "PRAGMA journal_mode = DELETE")
        try db.execute(sql: "PRAGMA synchronous = EXTRA")
      }
      return try DatabaseQueue(path: path, configuration: configuration)
    }
  }

  /// Decides about a request and does what was decided, in one transaction.
  ///
  /// The write lock is held from before the record is read, so two deciders never see the same
  /// record. When this returns, it is on the disk.
  func decide(
    _ origin: [UInt8], _ decision: (Record?) throws(LedgerError) -> Decision
  ) throws(LedgerError) -> WitnessAnswer {
    try inDatabase(path) {
      var answer: WitnessAnswer?
      try queue.inTransaction(.immediate) { db in
        let decided = try decision(try WitnessState.record(origin, db, path))
        if let evidence = decided.evidence { try WitnessState.keep(evidence, origin, db) }
        if let record = decided.record { try store(record, origin, db) }
        answer = decided.answer
        return .commit
      }
      guard let answer else { throw DatabaseError(resultCode: .SQLITE_ABORT) }
      return answer
    }
  }

  func record(_ origin: [UInt8]) throws(LedgerError) -> Record? {
    try inDatabase(path) { try queue.read { try WitnessState.record(origin, $0, path) } }
  }

  /// What was kept about an origin, oldest first.
  func evidence(_ origin: [UInt8]) throws(LedgerError) -> [WitnessEvidence] {
    try inDatabase(path) {
      try queue.read { db in
        try Row.fetchAll(
          db,
          sql: "SELECT kind, remembered, shown FROM evidence WHERE origin = ? ORDER BY rowid",
          arguments: [Data(origin)]
        ).compactMap { row in
          guard
            let kind = String.fromDatabaseValue(row["kind"])
              .flatMap(WitnessEvidence.Kind.init(rawValue:)),
            let remembered = Data.fromDatabaseValue(row["remembered"]),
            let shown = Data.fromDatabaseValue(row["shown"])
          else { return nil }
          return WitnessEvidence(kind: kind, remembered: Array(remembered), shown: Array(shown))
        }
      }
    }
  }

  private static func record(_ origin: [UInt8], _ db: Database, _ path: String) throws -> Record? {
    guard
      let row = try Row.fetchOne(
        db, sql: "SELECT size, root, time, note FROM heads WHERE origin = ?",
        arguments: [Data(origin)])
    else { return nil }
    guard let size = Int64.fromDatabaseValue(row["size"]), size >= 0,
      let root = String.fromDatabaseValue(row["root"]).flatMap(Digest.init(hex:)),
      let time = Int64.fromDatabaseValue(row["time"]), time > 0,
      let note = Data.fromDatabaseValue(row["note"])
    else {
      throw LedgerError(
        .database, "the record of the last cosigned head is not readable",
        remedy: "do not make it again: end this witness and start one with another name and key",
        path: path)
    }
    return Record(
      size: TreeSize(UInt64(size)), root: root, time: UInt64(time), note: Array(note))
  }

  /// Takes a larger size, or the same size and root, whatever was decided.
  private func store(_ record: Record, _ origin: [UInt8], _ db: Database) throws {
    try db.execute(
      sql: """
        INSERT INTO heads VALUES (?, ?, ?, ?, ?) ON CONFLICT (origin) DO UPDATE
        SET size = excluded.size, root = excluded.root, time = excluded.time, note = excluded.note
        WHERE excluded.size > size OR (excluded.size = size AND excluded.root = root)
        """,
      arguments: [
        Data(origin), Int64(record.size.value), record.root.hex, Int64(record.time),
        Data(record.note),
      ])
    guard db.changesCount == 1 else {
      throw LedgerError(
        .headConflict, "a tree of \(record.size) would be cosigned after another that it denies",
        remedy: "report this", path: path)
    }
  }

  private static func keep(
    _ evidence: WitnessEvidence, _ origin: [UInt8], _ db: Database
  ) throws {
    let kept =
      try Int.fetchOne(
        db, sql: "SELECT COUNT(*) FROM evidence WHERE origin = ? AND kind = ?",
        arguments: [Data(origin), evidence.kind.rawValue]) ?? 0
    guard kept < evidenceLimit else { return }
    // The same text with other lines is the same head.
    let text = try SignedNote(parsing: evidence.shown).text
    try db.execute(
      sql: "INSERT OR IGNORE INTO evidence VALUES (?, ?, ?, ?, ?)",
      arguments: [
        Data(origin), evidence.kind.rawValue, SHA256.hash(text).hex, Data(evidence.remembered),
        Data(evidence.shown),
      ])
  }
}
