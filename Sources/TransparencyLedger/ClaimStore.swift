import Cryptography
package import MerkleTrees
package import ProofPrimitives
import Synchronization

/// `claims.sqlite` and what it does not hold yet: where each entry of a log stands, and what it can be found by.
///
/// Entries come in behind the signed head, never inside of sequencing: first into the **tail** in memory, then,
/// many at a time, into the tables in one transaction with the mark up to which they reach. So an index of a
/// million random keys costs the writer nothing, and nothing is missed: a look-up asks the tail before the
/// tables, and entries only go from the one to the other. All of it can be made again from the bundles;
/// opening the log reads what lies behind the mark.
///
/// For any number of threads at once.
package final class ClaimStore: Sendable {
  /// Entries that one transaction takes.
  static let transactionLimit = 8192

  /// What the store keeps of one entry.
  package struct Item: Sendable {
    let identity: Digest
    let keys: [Digest]
    /// A statement that opens a hidden entry: whether it does so validly is found out at indexing.
    let opening: SignedStatement?

    init(_ entry: PreparedEntry) {
      identity = entry.identity
      keys = entry.claimKeys
      opening = entry.parsed.signed.flatMap { $0.statement.opened == nil ? nil : $0 }
    }
  }

  fileprivate struct Tail {
    /// Index of the first; the tables hold all before.
    var start: UInt64
    var items: [Item] = []
    var places: [Digest: UInt64] = [:]
    var indices: [Digest: [UInt64]] = [:]

    var end: UInt64 { start + UInt64(items.count) }
  }

  let tables: ClaimTables
  private let tail: Mutex<Tail>
  /// Held by whoever moves entries into the tables.
  let indexing = Mutex<Void>(())
  /// Buckets of the claim map into which entries have come; nil while nobody asks.
  let changes = Mutex<Changes?>(nil)

  struct Changes: Sendable {
    let depth: Int
    var buckets: Set<Int> = []
  }

  init(path: String) throws(LedgerError) {
    tables = try ClaimTables(path: path)
    tail = Mutex(Tail(start: try tables.size()))
  }

  var path: String { tables.path }

  /// Entries that the store knows: those below.
  package var size: UInt64 { tail.withLock { $0.end } }
  /// Entries that are not in the tables yet.
  package var tailCount: Int { tail.withLock { $0.items.count } }
  /// Entries that are in the tables: those below.
  package var tableSize: UInt64 { tail.withLock { $0.start } }

  /// Takes the entries that stand from `size` on.
  func add(_ entries: [Item]) {
    tail.withLock { tail in
      for entry in entries {
        let index = tail.end
        tail.items.append(entry)
        if tail.places[entry.identity] == nil { tail.places[entry.identity] = index }
        for key in entry.keys { tail.indices[key, default: []].append(index) }
      }
    }
  }

  /// The place of each identity that has one.
  func places(of identities: [Digest]) throws(LedgerError) -> [Digest: UInt64] {
    var found: [Digest: UInt64] = [:]
    tail.withLock { tail in
      for identity in identities { found[identity] = tail.places[identity] }
    }
    // Most are new, and their filters say so.
    let rest = identities.filter { found[$0] == nil && tables.mayContain(.identity, $0) }
    if rest.isEmpty { return found }
    for row in try tables.read({ reader in
      try rest.sorted().flatMap { try reader.rows(.identity, from: $0, through: $0, limit: 1) }
    }) { found[row.key] = row.index }
    return found
  }

  /// Places of the entries with one of these claims, rising; each with the place of the hidden entry that it
  /// opens, if the tables have it.
  package func indices(of keys: [Digest]) throws(LedgerError) -> [LeafIndex] {
    var found = Set<UInt64>()
    tail.withLock { tail in
      for key in keys { found.formUnion(tail.indices[key] ?? []) }
    }
    let known = try tables.read { reader in try ClaimStore.indices(of: keys, reader) }
    return found.union(known).sorted().map { LeafIndex($0) }
  }

  /// At most `limit` places from `first` on and below `size` that are known for any of `claims`, in order.
  ///
  /// For pages, which show a part: whoever claims one digest a million times costs no more than `limit` rows of
  /// the tables for each claim asked for. What is named is checked by whoever shows it.
  package func indices(
    _ claims: Set<Claim>, from first: LeafIndex, below size: TreeSize, limit: Int
  ) throws(LedgerError) -> [LeafIndex] {
    guard first.value < size.value, size.isWithinLimit else { return [] }
    let range = first.value..<size.value
    let keys = ClaimKey.all(claims)
    var found = Set<UInt64>()
    tail.withLock { tail in
      for key in keys {
        found.formUnion((tail.indices[key] ?? []).lazy.filter { range.contains($0) }.prefix(limit))
      }
    }
    let known = try tables.read { reader in
      try keys.flatMap { key in
        try reader.rows(.claim, from: key, index: first.value, through: key, limit: limit)
          .map(\.index).filter { range.contains($0) }
      }
    }
    return found.union(known).sorted().prefix(limit).map { LeafIndex($0) }
  }

  /// Places of the entries in the tables with one of these claims.
  static func indices(of keys: [Digest], _ reader: ClaimRunReader) throws -> [UInt64] {
    try keys.sorted().flatMap { try reader.rows(.claim, from: $0, through: $0).map(\.index) }
  }

  /// Whether the store has an entry as the bundles have it, with all that it can be found by.
  func agrees(with entry: LocatedEntry) throws(LedgerError) -> Bool {
    let prepared = try PreparedEntry(entry.bytes)
    guard try places(of: [prepared.identity])[prepared.identity] == entry.index.value else {
      return false
    }
    for key in prepared.claimKeys {
      guard try indices(of: [key]).contains(entry.index) else { return false }
    }
    return true
  }

  /// Which of the keys any entry claims.
  func claimed(_ keys: Set<Digest>) throws(LedgerError) -> Set<Digest> {
    var found = Set<Digest>()
    tail.withLock { tail in
      for key in keys where tail.indices[key] != nil { found.insert(key) }
    }
    let rest = keys.subtracting(found)
    if rest.isEmpty || tableSize == 0 { return found }
    let known = try tables.read { reader in
      try rest.sorted().filter {
        !(try reader.rows(.claim, from: $0, through: $0, limit: 1)).isEmpty
      }
    }
    return found.union(known)
  }

  /// Moves entries from the tail into the tables, in one transaction with the mark.
  ///
  /// - Parameters:
  ///   - limit: Entries, at most.
  ///   - merges: Whether the tables are put in order too, which may take as long as writing all of them.
  ///   - entry: Reads an entry that stands before them, for openings.
  /// - Returns: How many were moved.
  @discardableResult
  package func index(
    atMost limit: Int = transactionLimit, origin: String, merges: Bool = true,
    reading entry: (LeafIndex) throws(LedgerError) -> LocatedEntry
  ) throws(LedgerError) -> Int {
    let count = try indexing.withLock { _ throws(LedgerError) in
      let (start, items) = tail.withLock { tail in
        (tail.start, Array(tail.items.prefix(limit)))
      }
      guard !items.isEmpty else { return 0 }
      var claims: [ClaimRow] = []
      for (position, item) in items.enumerated() {
        let index = start + UInt64(position)
        let committed = try committedIndex(item, at: index, origin: origin, entry)
        for key in item.keys {
          claims.append(ClaimRow(key: key, index: index, committed: committed))
        }
      }
      claims.sort()
      let identities = items.enumerated().map {
        ClaimRow(key: $1.identity, index: start + UInt64($0))
      }.sorted()
      try tables.add([.identity: identities, .claim: claims], upTo: start + UInt64(items.count))
      changes.withLock { changes in
        guard let depth = changes?.depth else { return }
        for claim in claims {
          changes?.buckets.insert(ClaimMapTree.bucket(of: claim.key, depth: depth))
        }
      }
      tail.withLock { tail in tail.dropFirst(items.count) }
      return items.count
    }
    if merges, count > 0 { try tables.merge() }
    return count
  }

  /// Where the statement was fixed by a hidden entry that it opens validly (`spec/statements.md` §3).
  private func committedIndex(
    _ item: Item, at index: UInt64, origin: String,
    _ entry: (LeafIndex) throws(LedgerError) -> LocatedEntry
  ) throws(LedgerError) -> UInt64? {
    guard let signed = item.opening, let (opening, kind, digest) = signed.statement.opened else {
      return nil
    }
    let key = ClaimKey.of(Claim(.entry, opening.hidden))
    for place in try indices(of: [key]) where place.value < index {
      let found = try entry(place)
      guard found.leafHash == opening.hidden,
        let hidden = LedgerEntry.parse(found.bytes).signed
      else { continue }
      guard hidden.key == signed.key else { return nil }
      let located = LocatedStatement(index: place, leafHash: found.leafHash, signed: hidden)
      return Admission.opens(opening, kind, digest, located, logOrigin: origin)
        ? place.value : nil
    }
    return nil
  }

  /// Forgets everything, to be made again.
  func clear() throws(LedgerError) {
    try tables.clear()
    tail.withLock { $0 = Tail(start: 0) }
  }
}

extension ClaimStore.Tail {
  /// The first `count` are in the tables now.
  fileprivate mutating func dropFirst(_ count: Int) {
    let newStart = start + UInt64(count)
    var keys = Set<Digest>()
    for item in items.prefix(count) {
      if let place = places[item.identity], place < newStart { places[item.identity] = nil }
      keys.formUnion(item.keys)
    }
    for key in keys {
      // Rising: those that stay are at the end.
      let rest = indices[key]?.drop { $0 < newStart } ?? []
      indices[key] = rest.isEmpty ? nil : Array(rest)
    }
    items.removeFirst(count)
    start = newStart
  }
}

/// The keys under which claims stand in `claims.sqlite` and in the claim map.
package enum ClaimKey {
  package static func of(_ claim: Claim) -> Digest {
    ClaimMapHasher().key(kind: claim.kind.rawValue, digest: claim.digest)
  }

  static func all(_ claims: Set<Claim>) -> [Digest] {
    let hasher = ClaimMapHasher()
    return claims.map { hasher.key(kind: $0.kind.rawValue, digest: $0.digest) }
  }
}
