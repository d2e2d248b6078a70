import Foundation
import GRDB
import MerkleTrees
import ProofPrimitives

/// Rows in rising order on pages of `claims.sqlite` that follow each other, never changed once written.
///
/// What entries come with are random keys. In a tree on disk each would touch a page of its own, more of them the
/// larger the tree; written in order and merged from time to time (O'Neil et al. 1996, the log-structured merge
/// tree), a row costs a few copies whatever the log's size.
struct ClaimRun: Sendable {
  enum Kind: Int64, CaseIterable, Sendable {
    case identity = 0
    case claim = 1
  }

  let kind: Kind
  /// Numbers of pages are never used again.
  let firstPage: Int64
  let rowCount: Int
  /// For each page, the first eight bytes of its first key.
  let fences: [UInt64]
  /// Of identities alone, most of which are new; nil where it was not read.
  let filter: KeyFilter?

  var pages: Range<Int64> { firstPage..<firstPage + Int64(fences.count) }
  /// Runs of one class have sizes within a factor of four.
  var sizeClass: Int { (Int.bitWidth - max(1, rowCount).leadingZeroBitCount - 1) / 2 }

  /// Pages, counted from the run's first, on which rows with these keys can be.
  func places(from low: Digest, through high: Digest) -> Range<Int> {
    let first = max(0, place(of: low.words.0) - 1)
    let end = place(of: high.words.0 == .max ? .max : high.words.0 + 1)
    return first..<max(first, high.words.0 == .max ? fences.count : end)
  }

  /// The first page whose fence is at least this.
  private func place(of word: UInt64) -> Int {
    var (low, high) = (0, fences.count)
    while low < high {
      let middle = (low + high) / 2
      if fences[middle] < word { low = middle + 1 } else { high = middle }
    }
    return low
  }
}

/// Writes the rows of a run in order, some at a time, onto pages that were reserved for it.
struct ClaimRunWriter {
  private let kind: ClaimRun.Kind
  private let firstPage: Int64
  private var page: [UInt8] = []
  private var rowCount = 0
  private var fences: [UInt64] = []
  private var filter: KeyFilter?

  static func pageCount(_ rowCount: Int) -> Int64 {
    Int64((rowCount + ClaimRow.pageLimit - 1) / ClaimRow.pageLimit)
  }

  init(_ kind: ClaimRun.Kind, firstPage: Int64, rowLimit: Int) {
    self.kind = kind
    self.firstPage = firstPage
    filter = kind == .identity ? KeyFilter(count: rowLimit) : nil
    page.reserveCapacity(ClaimRow.pageLimit * ClaimRow.byteCount)
  }

  mutating func add(_ row: ClaimRow, _ db: Database) throws {
    if page.isEmpty { fences.append(row.key.words.0) }
    row.append(to: &page)
    filter?.insert(row.key)
    rowCount += 1
    if page.count == ClaimRow.pageLimit * ClaimRow.byteCount { try flush(db) }
  }

  private mutating func flush(_ db: Database) throws {
    try db.cachedStatement(sql: "INSERT INTO pages VALUES (?, ?)")
      .execute(arguments: [firstPage + Int64(fences.count) - 1, Data(page)])
    page.removeAll(keepingCapacity: true)
  }

  /// Writes the last page and the run's own row.
  mutating func finish(_ db: Database) throws -> ClaimRun {
    if !page.isEmpty { try flush(db) }
    var bytes = Data(capacity: fences.count * 8)
    for fence in fences { withUnsafeBytes(of: fence.bigEndian) { bytes.append(contentsOf: $0) } }
    try db.execute(
      sql: "INSERT INTO runs VALUES (?, ?, ?, ?, ?)",
      arguments: [firstPage, kind.rawValue, rowCount, bytes, filter.map { Data($0.bytes) }])
    return ClaimRun(
      kind: kind, firstPage: firstPage, rowCount: rowCount, fences: fences, filter: filter)
  }
}

/// Reads runs inside of one transaction. What it read last of each run is kept: who asks for rising keys reads a
/// page once.
final class ClaimRunReader {
  let runs: [ClaimRun]
  private let db: Database
  private let path: String
  private let find: Statement
  private var lastPages: [Int64: (number: Int64, bytes: [UInt8])] = [:]

  init(_ runs: [ClaimRun], _ db: Database, path: String) throws {
    self.runs = runs
    self.db = db
    self.path = path
    find = try db.cachedStatement(sql: "SELECT rows FROM pages WHERE number = ?")
  }

  /// The bytes of one page: whole rows, one at least.
  func page(_ place: Int, of run: ClaimRun) throws -> [UInt8] {
    let number = run.firstPage + Int64(place)
    if let last = lastPages[run.firstPage], last.number == number { return last.bytes }
    let bytes = try Data.fetchOne(find, arguments: [number]).map { [UInt8]($0) } ?? []
    guard !bytes.isEmpty, bytes.count % ClaimRow.byteCount == 0,
      bytes.count <= ClaimRow.pageLimit * ClaimRow.byteCount
    else { throw ClaimRunReader.damaged("page \(number) of the index is not readable", path) }
    lastPages[run.firstPage] = (number, bytes)
    return bytes
  }

  static func damaged(_ reason: String, _ path: String) -> LedgerError {
    LedgerError(
      .indexDisagrees, reason, remedy: "make the index again from the bundles", path: path)
  }

  static func row(_ position: Int, on page: [UInt8]) -> ClaimRow {
    precondition(position * ClaimRow.byteCount < page.count, "a row of this page")
    return page.withUnsafeBytes {
      ClaimRow(loadingFrom: $0.baseAddress.unsafelyUnwrapped + position * ClaimRow.byteCount)
    }
  }

  /// Rows with these keys, by key and index, of every run of a kind.
  ///
  /// - Parameters:
  ///   - index: Only rows of the key `low` from this index on; other keys whole.
  ///   - limit: Rows, at most, the first ones.
  func rows(
    _ kind: ClaimRun.Kind, from low: Digest, index: UInt64 = 0, through high: Digest,
    limit: Int = .max
  ) throws -> [ClaimRow] {
    var found: [ClaimRow] = []
    let first = ClaimRow(key: low, index: index)
    for run in runs where run.kind == kind {
      if low == high, run.filter?.mayContain(low) == false { continue }
      var places = run.places(from: low, through: high)
      var end = places.upperBound
      // Where a key fills many pages: those of lower indices are left out without reading all of them.
      while places.count > 2 {
        let middle = (places.lowerBound + end) / 2
        guard middle > places.lowerBound else { break }
        if ClaimRunReader.row(0, on: try page(middle, of: run)) <= first {
          places = middle..<places.upperBound
        } else {
          end = middle
        }
      }
      var taken = 0
      search: for place in places {
        let page = try page(place, of: run)
        for position in 0..<page.count / ClaimRow.byteCount {
          let row = ClaimRunReader.row(position, on: page)
          if row < first { continue }
          guard row.key <= high, taken < limit else { break search }
          guard row.index < TreeSize.limit, row.committed ?? 0 < TreeSize.limit else {
            throw ClaimRunReader.damaged("a row of the index is not readable", path)
          }
          found.append(row)
          taken += 1
        }
      }
    }
    found.sort()
    return limit < found.count ? Array(found.prefix(limit)) : found
  }
}
