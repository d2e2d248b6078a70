import Foundation
import GRDB
import MerkleTrees
import ProofPrimitives

/// `index.sqlite`: which entries have been given a place, and what they can be found by.
///
/// Only `pending` holds something that stands nowhere else, and only until the head covers it; all
/// the rest can be made again from the bundles. Digests are 32 bytes each: as text they would double
/// what a look-up has to keep in memory.
struct SequenceDatabase {
  let queue: DatabaseQueue
  let path: String

  /// Of the tables that can be made again; an index of another version is emptied, which makes
  /// opening the log fill it from the bundles.
  private static let version = 2

  init(path: String) throws(LedgerError) {
    self.path = path
    queue = try inDatabase(path) {
      var configuration = Configuration()
      configuration.prepareDatabase { db in
        try db.execute(sql: "PRAGMA journal_mode = WAL")
        // An acknowledged entry may stand here alone: each commit waits for the disk.
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
            CREATE TABLE IF NOT EXISTS entries (
              entryIndex INTEGER PRIMARY KEY, identity BLOB NOT NULL UNIQUE, leafHash BLOB NOT NULL
            );
            CREATE TABLE IF NOT EXISTS pending (
              entryIndex INTEGER PRIMARY KEY, bytes BLOB NOT NULL
            );
            CREATE TABLE IF NOT EXISTS claims (
              kind TEXT NOT NULL, digest BLOB NOT NULL, entryIndex INTEGER NOT NULL,
              PRIMARY KEY (kind, digest, entryIndex)
            ) WITHOUT ROWID;
            """)
      }
      return queue
    }
  }

  /// Gives each new entry the next place and makes it durable, in one transaction; an entry that is
  /// known keeps its first place. Entries below `published` need no keeping any more.
  func sequence(
    _ entries: [PreparedEntry], after published: TreeSize
  ) throws(LedgerError) -> (indices: [LeafIndex], added: [[UInt8]]) {
    try inDatabase(path) {
      try queue.write { db in
        try db.execute(
          sql: "DELETE FROM pending WHERE entryIndex < ?", arguments: [Int64(published.value)])
        let find = try db.cachedStatement(sql: "SELECT entryIndex FROM entries WHERE identity = ?")
        let keep = try db.cachedStatement(sql: "INSERT OR REPLACE INTO pending VALUES (?, ?)")
        var next = published.value
        var indices: [LeafIndex] = []
        var added: [[UInt8]] = []
        for entry in entries {
          if let known = try Int64.fetchOne(find, arguments: [Data(entry.identity.bytes)]),
            known >= 0
          {
            indices.append(LeafIndex(UInt64(known)))
            continue
          }
          try SequenceDatabase.insert(entry, at: LeafIndex(next), db)
          try keep.execute(arguments: [Int64(next), Data(entry.bytes)])
          indices.append(LeafIndex(next))
          added.append(entry.bytes)
          next += 1
        }
        return (indices, added)
      }
    }
  }

  private static func insert(
    _ entry: PreparedEntry, at index: LeafIndex, _ db: Database
  ) throws {
    let index = Int64(index.value)
    try db.cachedStatement(sql: "INSERT OR IGNORE INTO entries VALUES (?, ?, ?)").execute(
      arguments: [index, Data(entry.identity.bytes), Data(entry.leafHash.bytes)])
    let claim = try db.cachedStatement(sql: "INSERT OR IGNORE INTO claims VALUES (?, ?, ?)")
    for one in entry.claims {
      try claim.execute(arguments: [one.kind.rawValue, Data(one.digest.bytes), index])
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

  /// One more than the highest place given.
  func nextIndex() throws(LedgerError) -> UInt64 {
    try inDatabase(path) {
      try queue.read { db in
        let last = try Int64.fetchOne(db, sql: "SELECT MAX(entryIndex) FROM entries")
        return UInt64(max(0, (last ?? -1) + 1))
      }
    }
  }

  /// Places of entries with one of these claims, in order.
  static func indices(
    _ claims: Set<Claim>, in db: Database
  ) throws -> [LeafIndex] {
    let find = try db.cachedStatement(
      sql: "SELECT entryIndex FROM claims WHERE kind = ? AND digest = ?")
    var found: Set<Int64> = []
    for claim in claims {
      found.formUnion(
        try Int64.fetchAll(find, arguments: [claim.kind.rawValue, Data(claim.digest.bytes)]))
    }
    return found.sorted().compactMap { UInt64(exactly: $0).map { LeafIndex($0) } }
  }

  /// Replaces everything but `pending` by what `entries` say, in one transaction.
  func rebuild(from entries: [LocatedEntry]) throws(LedgerError) {
    try inDatabase(path) {
      try queue.write { db in
        try db.execute(sql: "DELETE FROM entries; DELETE FROM claims")
        for entry in entries {
          try SequenceDatabase.insert(PreparedEntry(entry.bytes), at: entry.index, db)
        }
      }
    }
  }
}
