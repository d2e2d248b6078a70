import Foundation
import GRDB
import MerkleTrees

extension HeadDatabase {
  /// What a log may take (`spec/ledger.md` §8a). It stands beside the last signed head, because like it
  /// it must never be taken back.
  enum Life: Equatable {
    case open
    /// The log goes on for another and takes nothing before it has said so.
    case awaitsBeginning
    /// Nothing is taken but this entry, with which the log has `size` entries.
    case ends(size: TreeSize, entry: [UInt8])
  }

  func life() throws(LedgerError) -> Life {
    try inDatabase(path) { try queue.read { try HeadDatabase.life($0) } }
  }

  static func life(_ db: Database) throws -> Life {
    guard try db.tableExists("life"),
      let row = try Row.fetchOne(db, sql: "SELECT state, size, entry FROM life WHERE id = 1")
    else { return .open }
    switch String.fromDatabaseValue(row["state"]) {
    case "awaitsBeginning": return .awaitsBeginning
    case "ends":
      if let size = Int64.fromDatabaseValue(row["size"]).flatMap(UInt64.init(exactly:)),
        let entry = Data.fromDatabaseValue(row["entry"])
      {
        return .ends(size: TreeSize(size), entry: Array(entry))
      }
      fallthrough
    default:
      throw LedgerError(
        .database, "what the log may take is not readable",
        remedy: "do not make it again: end this log and start one with another origin")
    }
  }

  /// Moves from `old` to `new` in one transaction, or changes nothing. An end is final.
  func setLife(_ old: Life, to new: Life) throws(LedgerError) {
    try inDatabase(path) {
      try queue.write { db in
        let present = try HeadDatabase.life(db)
        var isFinal = false
        if case .ends = present { isFinal = true }
        guard present == old, !isFinal else {
          throw LedgerError(
            .headConflict, "this log's state is not the one this process knows",
            remedy: "find out what else writes to this ledger, then open it again", path: path)
        }
        try db.execute(
          sql: """
            CREATE TABLE IF NOT EXISTS life (
              id INTEGER PRIMARY KEY CHECK (id = 1), state TEXT NOT NULL, size INTEGER, entry BLOB
            );
            DELETE FROM life;
            """)
        switch new {
        case .open: break
        case .awaitsBeginning:
          try db.execute(sql: "INSERT INTO life VALUES (1, 'awaitsBeginning', NULL, NULL)")
        case .ends(let size, let entry):
          try db.execute(
            sql: "INSERT INTO life VALUES (1, 'ends', ?, ?)",
            arguments: [Int64(size.value), Data(entry)])
        }
      }
    }
  }
}
