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
/// Every answer is proved again against the tiles and read again from the bundle. An index can still
/// leave entries out, so a verdict never rests on it: that is what `LedgerView.lookup` is for.
package struct ClaimIndex {
  private let queue: DatabaseQueue
  private let path: String

  /// Opens the index of the ledger in `directory` for reading, beside a writer or without.
  package init(directory: String) throws(LedgerError) {
    let secrets = DurableFiles(root: LocalLedger.privateDirectory(of: directory))
    path = secrets.place("index.sqlite")
    guard try secrets.isRegularOrMissing("index.sqlite") else {
      throw LedgerError(
        .missing, "the ledger has no index here", remedy: "look up by reading the whole ledger",
        path: path)
    }
    let file = path
    queue = try inDatabase(file) {
      var configuration = Configuration()
      configuration.readonly = true
      return try DatabaseQueue(path: file, configuration: configuration)
    }
  }

  /// Places that the index names for any of `claims`, in order.
  func indices(_ claims: Set<Claim>) throws(LedgerError) -> [LeafIndex] {
    try inDatabase(path) {
      try queue.read { db in try SequenceDatabase.indices(claims, in: db) }
    }
  }

  package func lookup(
    _ claims: Set<Claim>, in view: LedgerView
  ) throws(LedgerError) -> [LedgerMatch] {
    var matches: [LedgerMatch] = []
    // Entries above the head are in waiting, and nobody's evidence yet.
    for index in try indices(claims) where view.head.size.contains(index) {
      let entry = try view.entry(index)
      let parsed = LedgerEntry.parse(entry.bytes)
      let matching = parsed.claims(leafHash: entry.leafHash).intersection(claims)
      guard !matching.isEmpty else {
        throw LedgerError(
          .indexDisagrees, "the index names entry \(index), which says nothing of what was asked",
          remedy: "make the index again; until then, look up by reading the whole ledger",
          path: path)
      }
      matches.append(
        LedgerMatch(
          entry: entry, signed: parsed.signed, claims: matching, proof: try view.receipt(index)))
    }
    return matches
  }
}
