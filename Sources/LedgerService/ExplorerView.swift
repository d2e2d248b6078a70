import Cryptography
import MerkleTrees
import ProofPrimitives
import TransparencyLedger

/// What one page is made from: the ledger under one head, and where to find things in it.
struct ExplorerView {
  let view: LedgerView
  /// Nil when not even a part can be looked up.
  let index: ExplorerIndex?

  /// An entry and what it turned out to be.
  struct Found {
    let entry: LocatedEntry
    let parsed: ParsedEntry

    var index: LeafIndex { entry.index }
    var located: LocatedStatement? {
      parsed.signed.map {
        LocatedStatement(index: entry.index, leafHash: entry.leafHash, signed: $0)
      }
    }
  }

  func found(_ indices: [LeafIndex]) throws(LedgerError) -> [Found] {
    try view.entries(at: indices).map {
      Found(entry: $0, parsed: LedgerEntry.parse($0.bytes))
    }
  }

  func find(
    _ claims: Set<Claim>, from first: LeafIndex = LeafIndex(0), limit: Int
  ) throws(LedgerError) -> [LeafIndex] {
    try index?.indices(claims, from: first, limit: limit) ?? []
  }

  /// The first entry with each of these leaf hashes.
  func entries(_ leafHashes: Set<Digest>) throws(LedgerError) -> [LocatedEntry] {
    var indices: Set<LeafIndex> = []
    for hash in leafHashes { indices.formUnion(try find([Claim(.entry, hash)], limit: 1)) }
    return try view.entries(at: indices.sorted()).filter { leafHashes.contains($0.leafHash) }
  }

  /// Since when each of these claims has stood; others are left out.
  func standings(_ found: [Found]) throws(LedgerError) -> [LeafIndex: ClaimStanding] {
    let claims = found.compactMap(\.located).filter { claim in
      switch claim.signed.statement {
      case .proof, .proofPart: true
      default: false
      }
    }
    let names = Set(claims.flatMap { ClaimStanding.references(of: $0.signed) })
    var named: [Digest: LocatedStatement] = [:]
    for entry in try entries(names) {
      named[entry.leafHash] = Found(entry: entry, parsed: LedgerEntry.parse(entry.bytes)).located
    }
    var standings: [LeafIndex: ClaimStanding] = [:]
    for claim in claims {
      standings[claim.index] = ClaimStanding(of: claim, logOrigin: view.head.origin) { named[$0] }
    }
    return standings
  }

  /// Rows of a list.
  func rows(
    _ found: [Found], _ standings: [LeafIndex: ClaimStanding] = [:],
    note: (Found) -> String? = { _ in nil }
  ) -> [[String: Any]] {
    found.map { one in
      var row: [String: Any] = [
        "rowIndex": one.index.description, "rowKind": ExplorerWords.kind(one.parsed),
        "rowWords": ExplorerWords.summary(one.parsed),
      ]
      if let key = one.parsed.signed?.key {
        row["rowKey"] = Hex.encode(key.rawBytes)
        row["rowKeyShort"] = String(Hex.encode(key.rawBytes).prefix(12))
      }
      var notes = note(one).map { [$0] } ?? []
      if let standing = standings[one.index], case .valid(let index) = standing.opening {
        notes.append("committed at \(index)")
      }
      if !notes.isEmpty { row["rowNote"] = notes.joined(separator: "; ") }
      return row
    }
  }

  /// Witness lines as the head's note states them.
  var witnessLines: [[String: Any]] {
    view.signedHead.note.statedLines.compactMap { line in
      line.time.map {
        [
          "witnessName": shown(line.name, limit: 120),
          "witnessTime": ExplorerWords.time(Int64(clamping: $0)),
        ]
      }
    }
  }

  /// How much of the log a negative answer covers, in words.
  var coverage: String {
    let size = view.head.size.value
    guard let index else { return "This server keeps no index." }
    return index.covered >= size
      ? "the first \(ExplorerWords.grouped(size)) entries"
      : "the first \(ExplorerWords.grouped(index.covered)) of \(ExplorerWords.grouped(size)) entries, which is "
        + "as far as this server has read"
  }
}
