import Foundation
import GRDB
import MerkleTrees
import ProofPrimitives

/// `index.sqlite`: entries that were given a place and are not yet under a head.
///
/// All of it is written in the order of places, in one transaction for a batch: what waits for the disk
/// here does not grow with the log. What entries can be found by stands in `ClaimStore`, behind the head.
struct SequenceDatabase {
  let queue: DatabaseQueue
  let path: String

  /// Versions below 3 also held what `claims.sqlite` holds now. Entries in waiting are kept from all.
  private static let version = 3

  init(path: String) throws(LedgerError) {
    self.path = path
    queue = try inDatabase(path) {
      var configuration = Configuration()
      configuration.prepareDatabase { db in
        try db.execute(sql: "PRAGMA journal_mode = WAL")
        // An entry may stand here alone: each commit waits for the disk.
        try db.execute(sql: "PRAGMA synchronous = FULL")
      }
      let queue = try DatabaseQueue(path: path, configuration: configuration)
      try queue.write { db in
        if try Int.fetchOne(db, sql: "PRAGMA user_version") != SequenceDatabase.version {
          try db.execute(
            sql: """
              DROP TABLE IF EXISTS entries; DROP TABLE IF EXISTS claims;
              PRAGMA user_version = \(SequenceDatabase.version);
              """)
        }
        try db.execute(
          sql: """
            CREATE TABLE IF NOT EXISTS pending (
              entryIndex INTEGER PRIMARY KEY, bytes BLOB NOT NULL
            );
            """)
      }
      return queue
    }
  }

  /// Gives the entries the places from `size` on and makes them durable, in one transaction. Entries below
  /// need no keeping any more.
  func keep(_ entries: [PreparedEntry], from size: TreeSize) throws(LedgerError) {
    try inDatabase(path) {
      try queue.write { db in
        try db.execute(
          sql: "DELETE FROM pending WHERE entryIndex < ?", arguments: [Int64(size.value)])
        let keep = try db.cachedStatement(sql: "INSERT OR REPLACE INTO pending VALUES (?, ?)")
        for (position, entry) in entries.enumerated() {
          try keep.execute(
            arguments: [Int64(size.value) + Int64(position), Data(entry.bytes)])
        }
      }
    }
  }

  /// Entries that were given a place and are not yet under a head, in order and without a gap.
  func pending(after published: TreeSize) throws(LedgerError) -> [[UInt8]] {
    let rows = try inDatabase(path) {
      try queue.read { db in
        try GRDB.Row.fetchAll(
          db,
          sql: "SELECT entryIndex, bytes FROM pending WHERE entryIndex >= ? ORDER BY entryIndex",
          arguments: [Int64(published.value)]
        ).map { (Int64.fromDatabaseValue($0["entryIndex"]), Data.fromDatabaseValue($0["bytes"])) }
      }
    }
    var entries: [[UInt8]] = []
    for (index, bytes) in rows {
      guard index == Int64(published.value) + Int64(entries.count), let bytes,
        bytes.count <= EntryBundle.entryByteLimit
      else {
        throw LedgerError(
          .indexDisagrees, "the entries that wait for a head do not follow on from it",
          remedy: "restore index.sqlite; without it, entries in waiting are lost", path: path)
      }
      entries.append(Array(bytes))
    }
    return entries
  }
}
