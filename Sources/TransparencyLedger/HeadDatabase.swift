import Foundation
import GRDB
import MerkleTrees
import ProofPrimitives

/// The last head this log allowed itself to sign: one row in `head.sqlite`, apart from everything
/// else, never rebuilt from anything and never restored from a backup.
///
/// It is what keeps a restored or damaged tree from making the log contradict itself. Beside the head
/// stands which head readers have, and the cosignatures under it (`spec/witness.md` §7).
struct HeadDatabase {
  let queue: DatabaseQueue
  let path: String

  struct Record: Equatable {
    /// The last head that may be signed.
    var head: TreeHead
    /// The head that readers have, or are about to: `head`, or an earlier one while witnesses are
    /// asked.
    var published: TreeHead
    /// The lines of witnesses under the published head; often none.
    var cosignatures: [UInt8]
    /// Bytes of `history` before the published head's own line.
    var historyByteCount: Int

    /// A head that is published as soon as it is signed.
    init(head: TreeHead, historyByteCount: Int) {
      self.head = head
      published = head
      cosignatures = []
      self.historyByteCount = historyByteCount
    }
  }

  init(creatingAt path: String, head: TreeHead) throws(LedgerError) {
    try self.init(path: path)
    try inDatabase(path) {
      try queue.write { db in
        try db.execute(
          sql: """
            CREATE TABLE head (
              id INTEGER PRIMARY KEY CHECK (id = 1),
              origin TEXT NOT NULL, size INTEGER NOT NULL, root TEXT NOT NULL,
              historyByteCount INTEGER NOT NULL, publishedSize INTEGER NOT NULL,
              publishedRoot TEXT NOT NULL, cosignatures BLOB NOT NULL
            );
            """)
        try db.execute(
          sql: "INSERT INTO head VALUES (1, ?, ?, ?, 0, ?, ?, x'')",
          arguments: [
            head.origin, Int64(head.size.value), head.root.hex, Int64(head.size.value),
            head.root.hex,
          ])
      }
    }
  }

  /// Opens a file that is there; one that is not is never made anew.
  init(openingAt path: String) throws(LedgerError) {
    try self.init(path: path)
    try inDatabase(path) {
      try queue.write { db in
        // Records from before there were witnesses: what was signed was published.
        guard try !db.columns(in: "head").contains(where: { $0.name == "publishedSize" }) else {
          return
        }
        try db.execute(
          sql: """
            ALTER TABLE head ADD COLUMN publishedSize INTEGER NOT NULL DEFAULT 0;
            ALTER TABLE head ADD COLUMN publishedRoot TEXT NOT NULL DEFAULT '';
            ALTER TABLE head ADD COLUMN cosignatures BLOB NOT NULL DEFAULT x'';
            UPDATE head SET publishedSize = size, publishedRoot = root;
            """)
      }
    }
  }

  private init(path: String) throws(LedgerError) {
    self.path = path
    queue = try inDatabase(path) {
      var configuration = Configuration()
      // In place when the transaction returns, with no log beside it that could be lost. The rollback journal
      // keeps its file: one that comes and goes costs two changes of the folder for each head.
      configuration.prepareDatabase { db in
        try db.execute(sql: "PRAGMA journal_mode = PERSIST")
        try db.execute(sql: "PRAGMA synchronous = EXTRA")
      }
      return try DatabaseQueue(path: path, configuration: configuration)
    }
  }

  func record() throws(LedgerError) -> Record {
    try inDatabase(path) { try queue.read { db in try HeadDatabase.record(db, path) } }
  }

  private static func record(_ db: Database, _ path: String) throws -> Record {
    guard
      let row = try Row.fetchOne(
        db,
        sql: """
          SELECT origin, size, root, historyByteCount, publishedSize, publishedRoot, cosignatures
          FROM head WHERE id = 1
          """),
      let size = Int64.fromDatabaseValue(row["size"]), size >= 0,
      let root = String.fromDatabaseValue(row["root"]).flatMap(Digest.init(hex:)),
      let origin = String.fromDatabaseValue(row["origin"]),
      let historyByteCount = Int.fromDatabaseValue(row["historyByteCount"]),
      let publishedSize = Int64.fromDatabaseValue(row["publishedSize"]), publishedSize >= 0,
      let publishedRoot = String.fromDatabaseValue(row["publishedRoot"])
        .flatMap(Digest.init(hex:)),
      let cosignatures = Data.fromDatabaseValue(row["cosignatures"])
    else {
      throw LedgerError(
        .database, "the record of the last signed head is not readable",
        remedy: "do not make it again: end this log and start one with another origin", path: path)
    }
    var record = Record(
      head: TreeHead(origin: origin, size: TreeSize(UInt64(size)), root: root),
      historyByteCount: historyByteCount)
    record.published = TreeHead(
      origin: origin, size: TreeSize(UInt64(publishedSize)), root: publishedRoot)
    record.cosignatures = Array(cosignatures)
    return record
  }

  /// Moves from `old` to `new` in one transaction, or changes nothing.
  ///
  /// Neither a smaller size nor the same size with another root ever gets in, for the signed head and
  /// for the published one; nothing is signed or published that did not.
  func swap(_ old: Record, for new: Record) throws(LedgerError) {
    func conflict(_ reason: String) -> LedgerError {
      LedgerError(
        .headConflict, reason,
        remedy: "find out what else writes to this ledger, then open it again", path: path)
    }
    func check(_ old: TreeHead, _ new: TreeHead) throws(LedgerError) {
      guard new.origin.utf8.elementsEqual(old.origin.utf8), new.size >= old.size else {
        throw conflict("a tree of \(new.size) would follow \(old.size)")
      }
      guard new.size > old.size || new.root == old.root else {
        throw conflict("another root for \(new.size) entries was signed before")
      }
    }
    try inDatabase(path) {
      try queue.write { db in
        let present = try HeadDatabase.record(db, path)
        guard present == old else {
          throw conflict("the last signed head is not the one this process knows")
        }
        try check(present.head, new.head)
        try check(present.published, new.published)
        if case .ends(let size, _) = try HeadDatabase.life(db), new.head.size > size {
          throw conflict("this log ends with \(size) entries")
        }
        // What is published was signed.
        try check(new.published, new.head)
        try db.execute(
          sql: """
            UPDATE head SET size = ?, root = ?, historyByteCount = ?, publishedSize = ?,
              publishedRoot = ?, cosignatures = ? WHERE id = 1
            """,
          arguments: [
            Int64(new.head.size.value), new.head.root.hex, new.historyByteCount,
            Int64(new.published.size.value), new.published.root.hex, Data(new.cosignatures),
          ])
      }
    }
  }
}

/// Runs database work, so that every error that leaves is this module's.
func inDatabase<Value>(_ path: String, _ work: () throws -> Value) throws(LedgerError) -> Value {
  do {
    return try work()
  } catch let error as LedgerError {
    throw error
  } catch let error as DatabaseError where error.resultCode == .SQLITE_FULL {
    throw LedgerError(
      .database, "no space is left for the database", remedy: "free some space, then try again",
      path: path, cause: error)
  } catch {
    throw LedgerError(
      .database, "the database gave an error", remedy: "check the disk and the permissions",
      path: path, cause: error)
  }
}
