import Cryptography
import Foundation
import GRDB
import MerkleTrees
import ProofPrimitives

/// `monitor.sqlite`: how far a monitor has read, which keys were withdrawn, and what is to be told.
struct MonitorDatabase {
  struct State: Equatable {
    /// Entries that were read.
    var readCount: UInt64 = 0
    /// Bytes of `history` that were checked, and their digest.
    var historyByteCount = 0
    var historyDigest = SHA256.hash([UInt8]())
    /// When the newest head was first seen; seconds since 1970.
    var headSince: UInt64 = 0
    var endIndex: LeafIndex?
  }

  private let queue: DatabaseQueue
  private let path: String

  init(path: String, verifierKey: String) throws(LedgerError) {
    self.path = path
    queue = try inDatabase(path) {
      var configuration = Configuration()
      configuration.prepareDatabase { db in
        try db.execute(sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
      }
      let queue = try DatabaseQueue(path: path, configuration: configuration)
      try queue.write { db in
        try db.execute(
          sql: """
            CREATE TABLE IF NOT EXISTS state (
              id INTEGER PRIMARY KEY CHECK (id = 1), verifierKey TEXT NOT NULL,
              readCount INTEGER NOT NULL, historyByteCount INTEGER NOT NULL,
              historyDigest TEXT NOT NULL, headSince INTEGER NOT NULL, endIndex INTEGER
            );
            CREATE TABLE IF NOT EXISTS withdrawn (
              key BLOB PRIMARY KEY, entryIndex INTEGER NOT NULL
            ) WITHOUT ROWID;
            CREATE TABLE IF NOT EXISTS alerts (
              id INTEGER PRIMARY KEY, kind TEXT NOT NULL, subject TEXT NOT NULL,
              text TEXT NOT NULL, entryIndex INTEGER, key BLOB, claimKind TEXT, claimDigest TEXT,
              path TEXT, isDelivered INTEGER NOT NULL DEFAULT 0, UNIQUE (kind, subject)
            );
            """)
        guard
          let known = try String.fetchOne(db, sql: "SELECT verifierKey FROM state WHERE id = 1")
        else {
          let state = State()
          try db.execute(
            sql: "INSERT INTO state VALUES (1, ?, 0, 0, ?, 0, NULL)",
            arguments: [verifierKey, state.historyDigest.hex])
          return
        }
        guard known == verifierKey else {
          throw LedgerError(
            .badKey, "this state is of another log: \(printable(known))",
            remedy: "give each log a folder of its own", path: path)
        }
      }
      return queue
    }
  }

  func state() throws(LedgerError) -> State {
    try inDatabase(path) {
      try queue.read { db in
        guard let row = try Row.fetchOne(db, sql: "SELECT * FROM state WHERE id = 1"),
          let readCount = Int64.fromDatabaseValue(row["readCount"]).flatMap(UInt64.init(exactly:)),
          let historyByteCount = Int.fromDatabaseValue(row["historyByteCount"]),
          historyByteCount >= 0,
          let digest = String.fromDatabaseValue(row["historyDigest"]).flatMap(Digest.init(hex:)),
          let since = Int64.fromDatabaseValue(row["headSince"]).flatMap(UInt64.init(exactly:))
        else {
          throw LedgerError(
            .database, "the monitor's state is not readable",
            remedy: "begin again with an empty folder: everything is read anew", path: path)
        }
        var state = State()
        state.readCount = readCount
        state.historyByteCount = historyByteCount
        state.historyDigest = digest
        state.headSince = since
        state.endIndex = Int64.fromDatabaseValue(row["endIndex"])
          .flatMap(UInt64.init(exactly:)).map { LeafIndex($0) }
        return state
      }
    }
  }

  /// What was read and what it gave, in one transaction: so no alert is lost, and none comes twice.
  func store(
    _ state: State, _ alerts: [MonitorAlert], withdrawn: [(Digest, LeafIndex)] = []
  ) throws(LedgerError) {
    try inDatabase(path) {
      try queue.write { db in
        try db.execute(
          sql: """
            UPDATE state SET readCount = ?, historyByteCount = ?, historyDigest = ?,
              headSince = ?, endIndex = ? WHERE id = 1
            """,
          arguments: [
            Int64(state.readCount), state.historyByteCount, state.historyDigest.hex,
            Int64(state.headSince), state.endIndex.map { Int64($0.value) },
          ])
        for (key, index) in withdrawn {
          try db.execute(
            sql: "INSERT OR IGNORE INTO withdrawn VALUES (?, ?)",
            arguments: [Data(key.bytes), Int64(index.value)])
        }
        for alert in alerts {
          try db.execute(
            sql: """
              INSERT OR IGNORE INTO alerts
                (kind, subject, text, entryIndex, key, claimKind, claimDigest, path)
              VALUES (?, ?, ?, ?, ?, ?, ?, ?)
              """,
            arguments: [
              alert.kind.rawValue, alert.subject, alert.text, alert.index.map { Int64($0.value) },
              alert.key.map { Data($0.rawBytes) }, alert.claim?.kind.rawValue,
              alert.claim?.digest.hex, alert.path,
            ])
        }
      }
    }
  }

  func isWithdrawn(_ key: Digest) throws(LedgerError) -> Bool {
    try inDatabase(path) {
      try queue.read { db in
        let find = try db.cachedStatement(sql: "SELECT entryIndex FROM withdrawn WHERE key = ?")
        return try Int64.fetchOne(find, arguments: [Data(key.bytes)]) != nil
      }
    }
  }

  func waiting(limit: Int) throws(LedgerError) -> [(id: Int64, alert: MonitorAlert)] {
    try inDatabase(path) {
      try queue.read { db in
        try Row.fetchAll(
          db, sql: "SELECT * FROM alerts WHERE isDelivered = 0 ORDER BY id LIMIT ?",
          arguments: [limit]
        ).compactMap { row in
          guard let id = Int64.fromDatabaseValue(row["id"]),
            let kind = String.fromDatabaseValue(row["kind"])
              .flatMap(MonitorAlert.Kind.init(rawValue:)),
            let text = String.fromDatabaseValue(row["text"]),
            let subject = String.fromDatabaseValue(row["subject"])
          else { return nil }
          var alert = MonitorAlert(kind: kind, text: text, subject: subject)
          alert.index = Int64.fromDatabaseValue(row["entryIndex"])
            .flatMap(UInt64.init(exactly:)).map { LeafIndex($0) }
          alert.key = Data.fromDatabaseValue(row["key"]).flatMap { VerifyingKey(rawBytes: $0) }
          if let kind = String.fromDatabaseValue(row["claimKind"]).flatMap(ClaimKind.init),
            let digest = String.fromDatabaseValue(row["claimDigest"]).flatMap(Digest.init(hex:))
          {
            alert.claim = Claim(kind, digest)
          }
          alert.path = String.fromDatabaseValue(row["path"])
          return (id, alert)
        }
      }
    }
  }

  func delivered(_ id: Int64) throws(LedgerError) {
    try inDatabase(path) {
      try queue.write { db in
        try db.execute(sql: "UPDATE alerts SET isDelivered = 1 WHERE id = ?", arguments: [id])
      }
    }
  }
}
