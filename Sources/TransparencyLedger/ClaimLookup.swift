import GRDB
package import MerkleTrees
import ProofPrimitives

/// An entry that says something about a digest that was asked for.
package struct LedgerMatch: Sendable {
  package let entry: LocatedEntry
  package let signed: SignedStatement?
  /// Which of the claims asked for stand in the entry.
  package let claims: Set<Claim>
  /// The receipt against the head of the view.
  package let proof: LogProof

  package var index: LeafIndex { entry.index }
}

extension LedgerView {
  /// Every entry with one of these claims, earliest first, found by reading every entry.
  ///
  /// The answer is complete for the entries that the head covers, and rests on nothing but the head.
  package func lookup(_ claims: Set<Claim>) throws(LedgerError) -> [LedgerMatch] {
    var found: [(LocatedEntry, ParsedEntry, Set<Claim>)] = []
    let tree = try scan { entry in
      let parsed = LedgerEntry.parse(entry.bytes)
      let matching = parsed.claims(leafHash: entry.leafHash).intersection(claims)
      if !matching.isEmpty { found.append((entry, parsed, matching)) }
    }
    return found.compactMap { entry, parsed, matching in
      tree.inclusionProof(index: entry.index, size: head.size).map {
        LedgerMatch(
          entry: entry, signed: parsed.signed, claims: matching,
          proof: LogProof(index: entry.index, proof: $0, note: signedHead.note))
      }
    }
  }
}

/// The claim index of a local ledger, for quick answers.
///
/// Every answer is proved again against the tiles and read again from the bundle, and entries that came after
/// those in the tables are read from the bundles. Tables can still leave entries out, so a verdict never rests
/// on them: that is what `LedgerView.lookup` is for.
package struct ClaimIndex {
  private let path: String
  private let find: (_ keys: [Digest]) throws(LedgerError) -> (indices: [LeafIndex], size: UInt64)

  /// Opens the index of the ledger in `directory` for reading, beside a writer or without.
  package init(directory: String) throws(LedgerError) {
    let secrets = DurableFiles(root: LocalLedger.privateDirectory(of: directory))
    let path = secrets.place("claims.sqlite")
    guard try secrets.isRegularOrMissing("claims.sqlite") else {
      throw LedgerError(
        .missing, "the ledger has no index here", remedy: "look up by reading the whole ledger",
        path: path)
    }
    let queue = try inDatabase(path) {
      var configuration = Configuration()
      configuration.readonly = true
      return try DatabaseQueue(path: path, configuration: configuration)
    }
    self.path = path
    find = { keys throws(LedgerError) in
      try inDatabase(path) {
        try queue.read { db in
          let runs = try ClaimTables.runs(db, withFilters: false, path)
          let reader = try ClaimRunReader(runs, db, path: path)
          let found = Set(try ClaimStore.indices(of: keys, reader)).sorted().map { LeafIndex($0) }
          return (found, try ClaimTables.size(db))
        }
      }
    }
  }

  /// The index of a log that this process writes, its newest entries included.
  package init(_ store: ClaimStore) {
    path = store.path
    find = { keys throws(LedgerError) in
      let size = store.size
      return (try store.indices(of: keys), size)
    }
  }

  package func lookup(
    _ claims: Set<Claim>, in view: LedgerView
  ) throws(LedgerError) -> [LedgerMatch] {
    try lookup(claims, in: view, view.nodes(), from: 0) { _ in true }.matches
  }

  /// The entries from index `start` on, as long as `takes` wants more.
  ///
  /// - Returns: The matches, and where the next one stands that was not wanted.
  func lookup(
    _ claims: Set<Claim>, in view: LedgerView, _ nodes: TileNodeReader<LedgerTiles>,
    from start: UInt64, while takes: (_ soFar: [LedgerMatch]) -> Bool
  ) throws(LedgerError) -> (matches: [LedgerMatch], next: LeafIndex?) {
    let (indices, size) = try find(ClaimKey.all(claims))
    var matches: [LedgerMatch] = []
    func add(_ entry: LocatedEntry, _ parsed: ParsedEntry, _ matching: Set<Claim>)
      throws(LedgerError)
    {
      let (_, proof) = try view.inclusionProof(
        index: entry.index, size: view.head.size, root: view.head.root, nodes)
      matches.append(
        LedgerMatch(
          entry: entry, signed: parsed.signed, claims: matching,
          proof: LogProof(index: entry.index, proof: proof, note: view.signedHead.note)))
    }
    // Entries above the head are in waiting, and nobody's evidence yet.
    for index in indices
    where index.value >= start && index.value < size && view.head.size.contains(index) {
      guard takes(matches) else { return (matches, index) }
      let entry = try view.entry(index, nodes)
      let parsed = LedgerEntry.parse(entry.bytes)
      let matching = parsed.claims(leafHash: entry.leafHash).intersection(claims)
      guard !matching.isEmpty else {
        throw LedgerError(
          .indexDisagrees, "the index names entry \(index), which says nothing of what was asked",
          remedy: "make the index again; until then, look up by reading the whole ledger",
          path: path)
      }
      try add(entry, parsed, matching)
    }
    // What the tables do not reach yet; no published entry is missed.
    var cursor = max(start, size)
    while cursor < view.head.size.value {
      let end = min(view.head.size.value, (cursor | 255) + 1)
      for entry in try view.entries(cursor..<end, nodes) {
        let parsed = LedgerEntry.parse(entry.bytes)
        let matching = parsed.claims(leafHash: entry.leafHash).intersection(claims)
        guard !matching.isEmpty else { continue }
        guard takes(matches) else { return (matches, entry.index) }
        try add(entry, parsed, matching)
      }
      cursor = end
    }
    return (matches, nil)
  }
}
