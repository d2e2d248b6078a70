import Cryptography
import MerkleTrees
import ProofPrimitives
import Synchronization

/// What a service answers to `GET /lookup` (`spec/ledger-service.md` §12), as it is sent. Reading one checks its
/// form alone; `RemoteClaimIndex` checks what it says.
package struct LookupAnswer: Sendable {
  static let schema = "pol-ledger-lookup/1"
  /// The largest page: the largest entry in base64, 512 KiB of others, and proofs.
  package static let byteLimit = 4 << 20
  package static let entryLimit = 32
  static let entryByteLimit = 512 << 10

  package struct Entry: Sendable {
    var index: UInt64
    var bytes: [UInt8]
    var proof: InclusionProof
    /// Entries that were found have it, the index root has not.
    var statement: String?
    var committedAt: UInt64?
  }

  var claim: Claim
  var treeHead: [UInt8]
  var entries: [Entry]
  var indexRoot: Entry?
  var mapProof: [UInt8]?
  var more: UInt64?

  package var encoded: [UInt8] {
    var members: [(String, JSONValue)] = [
      ("digest", .string(claim.digest.hex)), ("entries", .array(entries.map(\.json))),
      ("place", .string(claim.kind.rawValue)), ("schema", .string(LookupAnswer.schema)),
      ("treeHead", .string(String(decoding: treeHead, as: UTF8.self))),
    ]
    if let more { members.append(("more", .int(more))) }
    if let indexRoot { members.append(("indexRoot", indexRoot.json)) }
    if let mapProof { members.append(("mapProof", .string(Base64.encode(mapProof)))) }
    return JSONValue.map(members).encoded
  }

  package init(parsing bytes: [UInt8]) throws(LedgerError) {
    guard bytes.count <= LookupAnswer.byteLimit else {
      throw LookupAnswer.bad("it has \(bytes.count) bytes")
    }
    let json: JSONValue
    do {
      json = try JSONValue(parsing: bytes, form: .canonical)
    } catch {
      throw LookupAnswer.bad("at byte \(error.offset): \(error.reason)")
    }
    let known = [
      "digest", "entries", "indexRoot", "mapProof", "more", "place", "schema", "treeHead",
    ]
    guard json["schema"]?.stringValue == LookupAnswer.schema,
      json.members?.allSatisfy({ known.contains($0.key) }) ?? false,
      let kind = json["place"]?.stringValue.flatMap(ClaimKind.init(rawValue:)),
      let digest = json["digest"]?.stringValue.flatMap(Digest.init(hex:)),
      let head = json["treeHead"]?.stringValue, let items = json["entries"]?.arrayValue,
      items.count <= LookupAnswer.entryLimit,
      (json["indexRoot"] == nil) == (json["mapProof"] == nil)
    else { throw LookupAnswer.bad("its members are not those of \(LookupAnswer.schema)") }
    claim = Claim(kind, digest)
    treeHead = Array(head.utf8)
    entries = []
    for item in items { entries.append(try Entry(item, isFound: true)) }
    if let root = json["indexRoot"] { indexRoot = try Entry(root, isFound: false) }
    if let proof = json["mapProof"] {
      guard let bytes = proof.stringValue.flatMap({ Base64.decode($0) }) else {
        throw LookupAnswer.bad("the map proof is not base64")
      }
      mapProof = bytes
    }
    if let more = json["more"] {
      guard let count = more.countValue else { throw LookupAnswer.bad("more is no index") }
      self.more = UInt64(count)
    }
  }

  static func bad(_ reason: String) -> LedgerError {
    LedgerError(
      .badProof, "the answer to the look-up: \(reason)",
      remedy: "ask again; to do without the service's index, look up with --scan")
  }
}

/// The entry of the index root that answers now, with its proof under the head that answers now: the same in
/// every look-up until one of the two moves on.
package final class IndexRootMemory: Sendable {
  private struct Known: Sendable {
    let head: TreeHead
    let entry: LookupAnswer.Entry
  }

  private let known = Mutex<Known?>(nil)

  package init() {}

  func entry(
    _ index: LeafIndex, in view: LedgerView, _ nodes: TileNodeReader<LedgerTiles>
  ) throws(LedgerError) -> LookupAnswer.Entry {
    if let known = known.withLock({ $0 }), known.head == view.head,
      known.entry.index == index.value
    {
      return known.entry
    }
    let root = try view.entry(index, nodes)
    let (_, proof) = try view.inclusionProof(
      index: index, size: view.head.size, root: view.head.root, nodes)
    let entry = LookupAnswer.Entry(index: index.value, bytes: root.bytes, proof: proof)
    known.withLock { $0 = Known(head: view.head, entry: entry) }
    return entry
  }
}

extension LookupAnswer.Entry {
  var json: JSONValue {
    var members: [(String, JSONValue)] = [
      ("entry", .string(Base64.encode(bytes))), ("index", .int(index)),
      ("leafHash", .string(leafHash.hex)),
      ("proof", .array(proof.hashes.map { .string($0.hex) })),
    ]
    if let statement { members.append(("statement", .string(statement))) }
    if let committedAt { members.append(("committedAt", .int(committedAt))) }
    return .map(members)
  }

  var leafHash: Digest { MerkleTree.leafHash(of: bytes) }

  init(_ json: JSONValue, isFound: Bool) throws(LedgerError) {
    let known = ["committedAt", "entry", "index", "leafHash", "proof", "statement"]
    guard json.members?.allSatisfy({ known.contains($0.key) }) ?? false,
      let index = json["index"]?.countValue,
      let bytes = json["entry"]?.stringValue.flatMap({ Base64.decode($0) }),
      bytes.count <= EntryBundle.entryByteLimit,
      let items = json["proof"]?.arrayValue, items.count <= InclusionProof.hashLimit,
      (json["statement"]?.stringValue != nil) == isFound
    else { throw LookupAnswer.bad("an entry is malformed") }
    let hashes = items.compactMap { $0.stringValue.flatMap(Digest.init(hex:)) }
    guard hashes.count == items.count else {
      throw LookupAnswer.bad("a hash of a proof is malformed")
    }
    self.index = UInt64(index)
    self.bytes = bytes
    proof = InclusionProof(hashes: hashes)
    statement = json["statement"]?.stringValue
    committedAt = json["committedAt"]?.countValue.map { UInt64($0) }
    guard json["leafHash"]?.stringValue == leafHash.hex else {
      throw LookupAnswer.bad("a leaf hash is not that of its entry")
    }
  }
}

extension LookupAnswer {
  /// What a log's own service answers: one page.
  ///
  /// - Parameters:
  ///   - start: Entries before it are left out.
  ///   - roots: Remembers the index root's own entry from one look-up to the next.
  ///   - head: Gives the ledger under the published head. Asked after the map, whose root it then covers.
  package init(
    to claim: Claim, from start: UInt64, index: ClaimIndex, map: StoredClaimMap,
    roots: IndexRootMemory, view head: () throws(LedgerError) -> LedgerView
  ) throws(LedgerError) {
    let said = try map.answer(for: claim)
    let view = try head()
    // One reader for all proofs: most of their way to the root is the same.
    let nodes = view.nodes()
    var byteCount = 0
    let (matches, next) = try index.lookup([claim], in: view, nodes, from: start) { soFar in
      byteCount += soFar.last?.entry.bytes.count ?? 0
      return soFar.count < LookupAnswer.entryLimit && byteCount <= LookupAnswer.entryByteLimit
    }
    self.claim = claim
    treeHead = view.signedHead.note.encoded
    more = next?.value
    entries = []
    for match in matches {
      entries.append(
        Entry(
          index: match.index.value, bytes: match.entry.bytes, proof: match.proof.proof,
          statement: match.signed?.statement.kind ?? "opaque",
          committedAt: try LookupAnswer.committedAt(match, index, view)))
    }
    guard let said else { return }
    indexRoot = try roots.entry(said.rootIndex, in: view, nodes)
    mapProof = said.proof.encoded
  }

  private static func committedAt(
    _ match: LedgerMatch, _ index: ClaimIndex, _ view: LedgerView
  ) throws(LedgerError) -> UInt64? {
    guard let signed = match.signed, let opening = signed.statement.opened?.opening else {
      return nil
    }
    let hidden = try index.lookup([Claim(.entry, opening.hidden)], in: view).first
    let standing = ClaimStanding(
      of: LocatedStatement(
        index: match.index, leafHash: match.entry.leafHash, signed: signed),
      logOrigin: view.head.origin
    ) { leafHash in
      guard leafHash == opening.hidden, let hidden, let signed = hidden.signed else { return nil }
      return LocatedStatement(index: hidden.index, leafHash: leafHash, signed: signed)
    }
    if case .valid(let hiddenAt) = standing.opening { return hiddenAt.value }
    return nil
  }
}
