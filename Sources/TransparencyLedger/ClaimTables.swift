import Foundation
import GRDB
import ProofPrimitives
import Synchronization

/// The tables of `claims.sqlite` (`spec/ledger.md` §6): which runs there are, and their pages.
///
/// Each change stands in one transaction, together with the mark up to which the runs reach. Readers ask for the
/// runs inside of their own transaction, so they see those whose pages it has.
final class ClaimTables: Sendable {
  /// Of the tables; those of another version are emptied.
  private static let version = 2
  /// Runs of one class that are merged into one of the next.
  private static let fanIn = 4
  /// Pages that one transaction of a merge writes or deletes: other writers wait for no more.
  private static let pagesPerTransaction: Int64 = 1024

  let path: String
  private let pool: DatabasePool
  /// The newest generations of runs, so that they need not be read again.
  private let known = Mutex<[(generation: Int64, runs: [ClaimRun])]>([])
  /// Held by whoever merges.
  private let merging = Mutex<Void>(())

  init(path: String) throws(LedgerError) {
    self.path = path
    pool = try inDatabase(path) {
      var configuration = Configuration()
      configuration.maximumReaderCount = 4
      configuration.prepareDatabase { db in
        if !db.configuration.readonly {
          // A power cut may take the newest transactions, mark and all, and no part of one.
          try db.execute(
            sql: "PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 4096")
        }
        try db.execute(sql: "PRAGMA cache_size = -4096")
      }
      let pool = try DatabasePool(path: path, configuration: configuration)
      try pool.write { db in try ClaimTables.prepare(db, path) }
      return pool
    }
    _ = try read { _ in }
  }

  private static func prepare(_ db: Database, _ path: String) throws {
    if try Int.fetchOne(db, sql: "PRAGMA user_version") != version {
      try db.execute(
        sql: """
          DROP TABLE IF EXISTS identities; DROP TABLE IF EXISTS claims; DROP TABLE IF EXISTS mark;
          DROP TABLE IF EXISTS runs; DROP TABLE IF EXISTS pages;
          CREATE TABLE runs (
            firstPage INTEGER PRIMARY KEY, kind INTEGER NOT NULL, rowCount INTEGER NOT NULL,
            fences BLOB NOT NULL, filter BLOB
          );
          CREATE TABLE pages (number INTEGER PRIMARY KEY, rows BLOB NOT NULL);
          CREATE TABLE mark (
            id INTEGER PRIMARY KEY CHECK (id = 1), size INTEGER NOT NULL,
            generation INTEGER NOT NULL, nextPage INTEGER NOT NULL
          );
          INSERT INTO mark VALUES (1, 0, 0, 1);
          PRAGMA user_version = \(version);
          """)
    }
    // What a merge that was cut off left behind.
    var end: Int64 = 0
    for run in try runs(db, withFilters: false, path).sorted(by: { $0.firstPage < $1.firstPage }) {
      try db.execute(
        sql: "DELETE FROM pages WHERE number >= ? AND number < ?", arguments: [end, run.firstPage])
      end = run.pages.upperBound
    }
    try db.execute(sql: "DELETE FROM pages WHERE number >= ?", arguments: [end])
  }

  /// Reads the mark: entries below are in the runs.
  static func size(_ db: Database) throws -> UInt64 {
    UInt64(max(0, try Int64.fetchOne(db, sql: "SELECT size FROM mark") ?? 0))
  }

  /// Reads which runs there are.
  static func runs(
    _ db: Database, withFilters: Bool, _ path: String
  ) throws -> [ClaimRun] {
    let columns = withFilters ? "filter" : "NULL"
    return try GRDB.Row.fetchAll(
      db, sql: "SELECT firstPage, kind, rowCount, fences, \(columns) FROM runs"
    ).map { row in
      guard let first = Int64.fromDatabaseValue(row[0]), (0..<1 << 62).contains(first),
        let kind = Int64.fromDatabaseValue(row[1]).flatMap(ClaimRun.Kind.init(rawValue:)),
        let rowCount = Int.fromDatabaseValue(row[2]), (1..<1 << 48).contains(rowCount),
        let bytes = Data.fromDatabaseValue(row[3]),
        bytes.count == Int(ClaimRunWriter.pageCount(rowCount)) * 8
      else { throw ClaimRunReader.damaged("a run of the index is not readable", path) }
      let fences = bytes.withUnsafeBytes { bytes in
        (0..<bytes.count / 8).map {
          UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self))
        }
      }
      return ClaimRun(
        kind: kind, firstPage: first, rowCount: rowCount, fences: fences,
        filter: Data.fromDatabaseValue(row[4]).flatMap { KeyFilter([UInt8]($0)) })
    }
  }

  /// Work on the runs as they are now; what is written meanwhile is not seen.
  func read<Value>(_ work: (ClaimRunReader) throws -> Value) throws(LedgerError) -> Value {
    try inDatabase(path) {
      try pool.read { db in try work(ClaimRunReader(try self.runs(db).runs, db, path: path)) }
    }
  }

  /// Where a key surely has no row, without reading any.
  func mayContain(_ kind: ClaimRun.Kind, _ key: Digest) -> Bool {
    known.withLock { known in
      guard let runs = known.last?.runs else { return true }
      return runs.contains { $0.kind == kind && $0.filter?.mayContain(key) ?? true }
    }
  }

  func size() throws(LedgerError) -> UInt64 {
    try inDatabase(path) { try pool.read { db in try ClaimTables.size(db) } }
  }

  /// The runs that this transaction sees.
  private func runs(_ db: Database) throws -> (generation: Int64, runs: [ClaimRun]) {
    let find = try db.cachedStatement(sql: "SELECT generation FROM mark")
    let generation = try Int64.fetchOne(find) ?? 0
    let found = known.withLock { $0.last { $0.generation == generation }?.runs }
    if let found { return (generation, found) }
    let runs = try ClaimTables.runs(db, withFilters: true, path)
    known.withLock { if $0.isEmpty { $0.append((generation, runs)) } }
    return (generation, runs)
  }

  /// Makes these the runs, in the transaction that changed their rows.
  private func set(_ runs: [ClaimRun], after generation: Int64, _ db: Database) throws {
    try db.execute(sql: "UPDATE mark SET generation = ?", arguments: [generation + 1])
    // Known before the transaction ends: no reader that sees it looks for them in vain. Of one that fails nothing
    // stays, because whoever writes next goes on from the generation that the file has.
    known.withLock { known in
      known.removeAll { $0.generation > generation }
      known.append((generation + 1, runs))
      if known.count > 4 { known.removeFirst() }
    }
  }

  /// Reserves pages that follow each other.
  private func reserve(_ count: Int64, _ db: Database) throws -> Int64 {
    let first = try Int64.fetchOne(db, sql: "SELECT nextPage FROM mark") ?? 1
    try db.execute(sql: "UPDATE mark SET nextPage = ?", arguments: [first + count])
    return first
  }

  /// Adds rows, sorted, and moves the mark, in one transaction.
  func add(_ rows: [ClaimRun.Kind: [ClaimRow]], upTo size: UInt64) throws(LedgerError) {
    try inDatabase(path) {
      try pool.write { db in
        var (generation, runs) = try self.runs(db)
        for (kind, rows) in rows where !rows.isEmpty {
          let first = try reserve(ClaimRunWriter.pageCount(rows.count), db)
          var writer = ClaimRunWriter(kind, firstPage: first, rowLimit: rows.count)
          for row in rows { try writer.add(row, db) }
          runs.append(try writer.finish(db))
        }
        try db.execute(sql: "UPDATE mark SET size = ?", arguments: [Int64(size)])
        try set(runs, after: generation, db)
      }
    }
  }

  /// Forgets everything, to be made again.
  func clear() throws(LedgerError) {
    try merging.withLock { _ throws(LedgerError) in
      try inDatabase(path) {
        try pool.write { db in
          let generation = try runs(db).generation
          try db.execute(sql: "DELETE FROM runs; DELETE FROM pages; UPDATE mark SET size = 0")
          try set([], after: generation, db)
        }
      }
    }
  }

  /// Merges where four runs of one class stand, until nowhere do; nothing where another thread is at it.
  ///
  /// So a row is written again once for each factor of four that the log grows, and a key is looked for in three
  /// runs of each class at most.
  func merge() throws(LedgerError) {
    let result = merging.withLockIfAvailable { _ in
      Result { () throws(LedgerError) in
        for kind in ClaimRun.Kind.allCases {
          while let runs = try due(kind) { try merge(runs, kind) }
        }
      }
    }
    try result?.get()
  }

  /// Four runs of one class, and all smaller ones.
  private func due(_ kind: ClaimRun.Kind) throws(LedgerError) -> [ClaimRun]? {
    let runs = try read { reader in reader.runs.filter { $0.kind == kind } }
    let classes = Dictionary(grouping: runs, by: \.sizeClass)
    guard
      let full = classes.filter({ $0.value.count >= ClaimTables.fanIn }).keys.max()
    else { return nil }
    return runs.filter { $0.sizeClass <= full }
  }

  private func merge(_ old: [ClaimRun], _ kind: ClaimRun.Kind) throws(LedgerError) {
    let rowCount = old.reduce(0) { $0 + $1.rowCount }
    var merge = ClaimMerge(old)
    try inDatabase(path) {
      let first = try pool.write { db in
        try reserve(ClaimRunWriter.pageCount(rowCount), db)
      }
      var writer = ClaimRunWriter(kind, firstPage: first, rowLimit: rowCount)
      var isWhole = false
      // No reader knows of the new pages until the last transaction puts the run in the place of the old ones.
      while !isWhole {
        try pool.write { db in
          let reader = try ClaimRunReader([], db, path: path)
          let limit = Int(ClaimTables.pagesPerTransaction) * ClaimRow.pageLimit
          for _ in 0..<limit {
            guard let row = try merge.next(reader) else {
              isWhole = true
              break
            }
            try writer.add(row, db)
          }
          guard isWhole else { return }
          let (generation, runs) = try self.runs(db)
          let gone = Set(old.map(\.firstPage))
          for number in gone {
            try db.execute(sql: "DELETE FROM runs WHERE firstPage = ?", arguments: [number])
          }
          let made = try writer.finish(db)
          try set(runs.filter { !gone.contains($0.firstPage) } + [made], after: generation, db)
        }
      }
      for run in old { try delete(run.pages) }
    }
  }

  private func delete(_ pages: Range<Int64>) throws {
    var first = pages.lowerBound
    while first < pages.upperBound {
      let end = min(pages.upperBound, first + ClaimTables.pagesPerTransaction)
      try pool.write { db in
        try db.execute(
          sql: "DELETE FROM pages WHERE number >= ? AND number < ?", arguments: [first, end])
      }
      first = end
    }
  }
}

/// The rows of several runs as one, in order; goes on from transaction to transaction, as its runs do not change.
private struct ClaimMerge {
  private struct Source {
    let run: ClaimRun
    var place = 0
    var position = 0
    var page: [UInt8] = []
    var row: ClaimRow?
  }

  private var sources: [Source]
  private var isBegun = false

  init(_ runs: [ClaimRun]) { sources = runs.map { Source(run: $0) } }

  mutating func next(_ reader: ClaimRunReader) throws -> ClaimRow? {
    if !isBegun {
      for index in sources.indices { try advance(index, reader) }
      isBegun = true
    }
    var least: Int?
    var found: ClaimRow?
    for index in sources.indices {
      guard let row = sources[index].row else { continue }
      if let found, found < row { continue }
      (least, found) = (index, row)
    }
    if let least { try advance(least, reader) }
    return found
  }

  private mutating func advance(_ index: Int, _ reader: ClaimRunReader) throws {
    if sources[index].position * ClaimRow.byteCount == sources[index].page.count {
      guard sources[index].place < sources[index].run.fences.count else {
        sources[index].row = nil
        return
      }
      sources[index].page = try reader.page(sources[index].place, of: sources[index].run)
      sources[index].place += 1
      sources[index].position = 0
    }
    sources[index].row = ClaimRunReader.row(sources[index].position, on: sources[index].page)
    sources[index].position += 1
  }
}
