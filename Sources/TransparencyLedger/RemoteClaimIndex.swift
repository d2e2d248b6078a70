package import Cryptography
import MerkleTrees
import ProofPrimitives

/// Looks up claims at a ledger's service, and takes nothing of the answers on trust (`spec/ledger-service.md` §12):
/// entries are checked under the head, the claim map's proof under an index-root entry, and what is younger than
/// the map is read from the bundles.
///
/// What a lie can still do: leave out an entry that is neither the first with its claim nor younger than the map.
package final class RemoteClaimIndex {
  /// What is known of one claim.
  package struct Finding {
    /// Earliest first.
    package let matches: [LedgerMatch]
    /// The map's word was of the entries below; all others were read.
    package let mapSize: UInt64
    /// All that the answer is about.
    package let head: TreeHead
  }

  private struct TailEntry {
    let entry: LocatedEntry
    let parsed: ParsedEntry
    let claims: Set<Claim>
  }

  private let indexKey: VerifyingKey
  /// Under the newest head that was seen.
  private var view: LedgerView
  private var tail: [TailEntry] = []
  private var tailRange: Range<UInt64>

  /// - Parameter indexKey: Of the log's index roots.
  package init(_ view: LedgerView, indexKey: VerifyingKey) {
    self.view = view
    self.indexKey = indexKey
    tailRange = view.head.size.value..<view.head.size.value
  }

  /// Nil when the ledger has no such service.
  package func lookup(_ claim: Claim) throws(LedgerError) -> Finding? {
    var pages: [LookupAnswer] = []
    var matches: [LedgerMatch] = []
    var start: UInt64? = 0
    while let from = start {
      let path =
        "lookup/\(claim.kind.rawValue)/\(claim.digest.hex)" + (from > 0 ? "/\(from)" : "")
      guard let bytes = try view.source.read(path: path, limit: LookupAnswer.byteLimit) else {
        guard pages.isEmpty else { throw lie("a page is missing") }
        return nil
      }
      let page = try LookupAnswer(parsing: bytes)
      guard page.claim == claim else { throw lie("it is of another digest") }
      let head = try adopt(page.treeHead)
      for entry in page.entries {
        guard entry.index >= from, matches.last.map({ $0.index.value < entry.index }) ?? true else {
          throw lie("entries do not come in order")
        }
        matches.append(try match(entry, claim, head))
      }
      if let more = page.more {
        guard more > matches.last?.index.value ?? from, !page.entries.isEmpty else {
          throw lie("the next page begins before this one ends")
        }
      }
      start = page.more
      pages.append(page)
    }
    guard let first = pages.first, let last = pages.last else { return nil }
    let root = try indexRoot(first)
    let mapSize = root?.statement.treeSize ?? 0
    let head = try adopt(last.treeHead).head
    try compareTail(
      matches, claim, from: mapSize, below: head.size.value, after: root?.index)
    if let root { try compareMap(matches.filter { $0.index.value < mapSize }, claim, root) }
    return Finding(matches: matches, mapSize: mapSize, head: head)
  }

  /// The same for several claims at once, each entry once.
  ///
  /// - Throws: `.missing` when the ledger has no such service.
  package func lookup(_ claims: Set<Claim>) throws(LedgerError) -> Finding {
    var found: [LeafIndex: LedgerMatch] = [:]
    var mapSize = UInt64.max
    for claim in claims {
      guard let one = try lookup(claim) else {
        throw LedgerError(
          .missing, "the ledger has no service that looks up", remedy: "look up with --scan",
          path: "lookup")
      }
      mapSize = min(mapSize, one.mapSize)
      for match in one.matches {
        let claims = match.claims.union(found[match.index]?.claims ?? [])
        found[match.index] = LedgerMatch(
          entry: match.entry, signed: match.signed, claims: claims, proof: match.proof)
      }
    }
    return Finding(
      matches: found.values.sorted { $0.index < $1.index },
      mapSize: claims.isEmpty ? 0 : mapSize, head: view.head)
  }

  /// The page's head, checked to be of one tree with those seen before.
  private func adopt(_ note: [UInt8]) throws(LedgerError) -> SignedTreeHead {
    if note == view.signedHead.note.encoded { return view.signedHead }
    let head = try SignedTreeHead(
      parsing: note, by: view.verifierKey, policy: view.policy)
    let other = LedgerView(
      source: view.source, verifierKey: view.verifierKey, signedHead: head, policy: view.policy)
    let isNewer = head.head.size > view.head.size
    let (old, new) = isNewer ? (view, other) : (other, view)
    guard try new.root(at: old.head.size) == old.head.root else {
      throw LedgerError(
        .forked, "the look-up's tree head of \(head.head.size) entries is of another tree",
        remedy: "keep both: they prove that the log broke its promise")
    }
    if isNewer { view = new }
    return head
  }

  private func match(
    _ entry: LookupAnswer.Entry, _ claim: Claim, _ head: SignedTreeHead
  ) throws(LedgerError) -> LedgerMatch {
    let (located, parsed) = try located(entry, head)
    guard parsed.claims(leafHash: located.leafHash).contains(claim) else {
      throw lie("entry \(entry.index) says nothing of the digest")
    }
    return LedgerMatch(
      entry: located, signed: parsed.signed, claims: [claim],
      proof: LogProof(index: located.index, proof: entry.proof, note: head.note))
  }

  private func located(
    _ entry: LookupAnswer.Entry, _ head: SignedTreeHead
  ) throws(LedgerError) -> (LocatedEntry, ParsedEntry) {
    let index = LeafIndex(entry.index)
    let leafHash = entry.leafHash
    guard
      entry.proof.isValid(
        leafHash: leafHash, index: index, size: head.head.size, root: head.head.root)
    else {
      throw LedgerError(
        .proofMismatch, "entry \(index) of the look-up is not in the signed tree",
        remedy: "ask again; to do without the service's index, look up with --scan")
    }
    return (
      LocatedEntry(index: index, bytes: entry.bytes, leafHash: leafHash),
      LedgerEntry.parse(entry.bytes)
    )
  }

  private struct Root {
    let index: LeafIndex
    let statement: IndexRootStatement
    let proof: ClaimMapProof
  }

  private func indexRoot(_ page: LookupAnswer) throws(LedgerError) -> Root? {
    guard let entry = page.indexRoot, let bytes = page.mapProof else { return nil }
    let (located, parsed) = try located(entry, try adopt(page.treeHead))
    guard let signed = parsed.signed, case .indexRoot(let statement) = signed.statement,
      statement.logOrigin.utf8.elementsEqual(view.head.origin.utf8),
      statement.treeSize <= located.index.value
    else { throw lie("entry \(located.index) is no index root of this log") }
    guard signed.key == indexKey else {
      throw LedgerError(
        .otherKey, "the index root at \(located.index) is not by the log's index key",
        remedy: "check the pinned index key; to do without the service's index, look up with --scan"
      )
    }
    do {
      return Root(
        index: located.index, statement: statement, proof: try ClaimMapProof(parsing: bytes))
    } catch {
      throw LookupAnswer.bad("the map proof: \(error.reason)")
    }
  }

  /// The first claim and the earliest commitment below the map's size are what the map says, or none is.
  private func compareMap(
    _ matches: [LedgerMatch], _ claim: Claim, _ root: Root
  ) throws(LedgerError) {
    guard
      let answer = root.proof.answer(for: ClaimKey.of(claim), root: root.statement.mapRoot)
    else { throw lie("the map proof does not lead to the root that was signed") }
    switch answer {
    case .absent:
      guard matches.isEmpty else { throw lie("the map has nothing of a digest that is claimed") }
    case .present(let value):
      guard matches.first?.index.value == value.openedIndex else {
        throw lie("the first claim is at \(value.openedIndex), and it is not in the answer")
      }
      guard try earliestCommitment(of: matches) == value.committedIndex else {
        throw lie("the earliest commitment is not the one that the map has")
      }
    }
  }

  private func earliestCommitment(of matches: [LedgerMatch]) throws(LedgerError) -> UInt64? {
    var earliest: UInt64?
    for match in matches {
      guard let signed = match.signed, let opening = signed.statement.opened?.opening,
        let hidden = try lookup(Claim(.entry, opening.hidden))?.matches.first,
        let hiddenSigned = hidden.signed
      else { continue }
      let standing = ClaimStanding(
        of: LocatedStatement(index: match.index, leafHash: match.entry.leafHash, signed: signed),
        logOrigin: view.head.origin
      ) { leafHash in
        leafHash == hidden.entry.leafHash
          ? LocatedStatement(index: hidden.index, leafHash: leafHash, signed: hiddenSigned) : nil
      }
      if case .valid(let index) = standing.opening {
        earliest = min(earliest ?? .max, index.value)
      }
    }
    return earliest
  }

  /// Everything from `start` on is read, and what claims the digest there must have been answered.
  private func compareTail(
    _ matches: [LedgerMatch], _ claim: Claim, from start: UInt64, below end: UInt64,
    after root: LeafIndex?
  ) throws(LedgerError) {
    try readTail(from: start)
    let answered = Set(matches.map(\.index))
    for one in tail where (start..<max(start, end)).contains(one.entry.index.value) {
      guard !one.claims.contains(claim) || answered.contains(one.entry.index) else {
        throw lie("entry \(one.entry.index), which claims the digest, was left out")
      }
    }
    guard let root else { return }
    let newer = tail.count { one in
      guard one.entry.index > root, let signed = one.parsed.signed, signed.key == indexKey else {
        return false
      }
      if case .indexRoot = signed.statement { return true }
      return false
    }
    // One may have come a moment ago, and not be taken up yet.
    guard newer <= 1 else { throw lie("\(newer) newer index roots stand in the log") }
  }

  /// Entries from `start` to the newest head, each read once for all look-ups.
  private func readTail(from start: UInt64) throws(LedgerError) {
    func read(_ range: Range<UInt64>) throws(LedgerError) -> [TailEntry] {
      var found: [TailEntry] = []
      for entry in try view.entries(range) {
        let parsed = LedgerEntry.parse(entry.bytes)
        found.append(
          TailEntry(
            entry: entry, parsed: parsed, claims: parsed.claims(leafHash: entry.leafHash)))
      }
      return found
    }
    let end = view.head.size.value
    if tail.isEmpty { tailRange = end..<end }
    if start < tailRange.lowerBound {
      tail = try read(start..<tailRange.lowerBound) + tail
      tailRange = start..<tailRange.upperBound
    }
    if tailRange.upperBound < end {
      tail += try read(tailRange.upperBound..<end)
      tailRange = tailRange.lowerBound..<end
    }
  }

  private func lie(_ reason: String) -> LedgerError {
    LedgerError(
      .indexDisagrees, "the service's look-up does not agree with the log: \(reason)",
      remedy: "look up with --scan, and tell the log's readers")
  }
}
