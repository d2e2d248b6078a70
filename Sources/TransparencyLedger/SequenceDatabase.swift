import Foundation
import GRDB
import MerkleTrees
import ProofPrimitives

/// `index.sqlite`: which entries have been given a place, and what they can be found by.
///
/// Only `pending` holds something that stands nowhere else, and only until the head covers it; all
/// the rest can be made again from the bundles. Digests are text, so that the `sqlite3` shell shows
/// what people compare.
struct SequenceDatabase {
  let queue: DatabaseQueue
  let path: String

  struct Row {
    let index: LeafIndex
    let bytes: [UInt8]
    let leafHash: Digest
    let parsed: ParsedEntry
  }

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
        try db.execute(
          sql: """
            CREATE TABLE IF NOT EXISTS entries (
              entryIndex INTEGER PRIMARY KEY, identity TEXT NOT NULL UNIQUE, leafHash TEXT NOT NULL
            );
            CREATE TABLE IF NOT EXISTS pending (
              entryIndex INTEGER PRIMARY KEY, bytes BLOB NOT NULL
            );
            CREATE TABLE IF NOT EXISTS claims (
              kind TEXT NOT NULL, digest TEXT NOT NULL, entryIndex INTEGER NOT NULL,
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
    _ entries: [[UInt8]], after published: TreeSize
  ) throws(LedgerError) -> (indices: [LeafIndex], added: [Row]) {
    let hasher = TreeHasher()
    return try inDatabase(path) {
      try queue.write { db in
        try db.execute(
          sql: "DELETE FROM pending WHERE entryIndex < ?", arguments: [Int64(published.value)])
        let find = try db.cachedStatement(sql: "SELECT entryIndex FROM entries WHERE identity = ?")
        let keep = try db.cachedStatement(sql: "INSERT OR REPLACE INTO pending VALUES (?, ?)")
        var next = published.value
        var indices: [LeafIndex] = []
        var added: [Row] = []
        for bytes in entries {
          let parsed = LedgerEntry.parse(bytes)
          let identity = LedgerEntry.identity(of: bytes, parsed)
          if let known = try Int64.fetchOne(find, arguments: [identity.hex]), known >= 0 {
            indices.append(LeafIndex(UInt64(known)))
            continue
          }
          let row = Row(
            index: LeafIndex(next), bytes: bytes, leafHash: hasher.leaf(bytes), parsed: parsed)
          try SequenceDatabase.insert(row, identity, db)
          try keep.execute(arguments: [Int64(next), Data(bytes)])
          indices.append(row.index)
          added.append(row)
          next += 1
        }
        return (indices, added)
      }
    }
  }

  private static func insert(_ row: Row, _ identity: Digest, _ db: Database) throws {
    let index = Int64(row.index.value)
    try db.cachedStatement(sql: "INSERT OR IGNORE INTO entries VALUES (?, ?, ?)")
      .execute(arguments: [index, identity.hex, row.leafHash.hex])
    let claim = try db.cachedStatement(sql: "INSERT OR IGNORE INTO claims VALUES (?, ?, ?)")
    for one in row.parsed.claims(leafHash: row.leafHash) {
      try claim.execute(arguments: [one.kind.rawValue, one.digest.hex, index])
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

  /// Replaces everything but `pending` by what `entries` say, in one transaction.
  func rebuild(from entries: [LocatedEntry]) throws(LedgerError) {
    try inDatabase(path) {
      try queue.write { db in
        try db.execute(sql: "DELETE FROM entries; DELETE FROM claims")
        for entry in entries {
          let parsed = LedgerEntry.parse(entry.bytes)
          let row = Row(
            index: entry.index, bytes: entry.bytes, leafHash: entry.leafHash, parsed: parsed)
          try SequenceDatabase.insert(row, LedgerEntry.identity(of: entry.bytes, parsed), db)
        }
      }
    }
  }
}
