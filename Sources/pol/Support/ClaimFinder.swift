import MerkleTrees
import ProofPrimitives
import TransparencyLedger

/// Finds claims in one view of a ledger, always in the same way: by its index, or by reading every entry.
struct ClaimFinder {
  let view: LedgerView
  /// What was asked for in the first place.
  let claims: Set<Claim>
  private let index: ClaimIndex?
  private let service: RemoteClaimIndex?

  init(
    _ view: LedgerView, index: ClaimIndex? = nil, service: RemoteClaimIndex? = nil,
    claims: Set<Claim> = []
  ) {
    self.view = view
    self.index = index
    self.service = service
    self.claims = claims
  }

  var method: String { service != nil ? "service" : index == nil ? "scan" : "index" }

  func matches(_ claims: Set<Claim>) throws -> [LedgerMatch] {
    if claims.isEmpty { return [] }
    if let service { return try service.lookup(claims).matches }
    return if let index { try index.lookup(claims, in: view) } else { try view.lookup(claims) }
  }

  /// The statements with these leaf hashes, the first of each.
  func statements(_ leafHashes: some Sequence<Digest>) throws -> [Digest: LocatedStatement] {
    let found = try matches(Set(leafHashes.map { Claim(.entry, $0) })).compactMap(\.located)
    return Dictionary(found.map { ($0.leafHash, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// Since when each proof, and each part of one, has stood.
  func standings(of matches: [LedgerMatch]) throws -> [LeafIndex: ClaimStanding] {
    let claims = matches.compactMap(\.located).filter(\.isClaim)
    let named = try statements(claims.flatMap { ClaimStanding.references(of: $0.signed) })
    var standings: [LeafIndex: ClaimStanding] = [:]
    for claim in claims {
      standings[claim.index] = ClaimStanding(of: claim, logOrigin: view.head.origin) { named[$0] }
    }
    return standings
  }
}

extension LedgerMatch {
  /// Nil for an opaque entry.
  var located: LocatedStatement? {
    signed.map { LocatedStatement(index: index, leafHash: entry.leafHash, signed: $0) }
  }
}

extension LocatedStatement {
  fileprivate var isClaim: Bool {
    switch signed.statement {
    case .proof, .proofPart: true
    default: false
    }
  }
}

extension ClaimStanding {
  /// `committed at 3, opened at 5, run committed at 0`.
  var words: String {
    let claim =
      switch opening {
      case .none: "logged at \(openedAt)"
      case .valid(let index): "committed at \(index), opened at \(openedAt)"
      case .invalid(let reason): "logged at \(openedAt) (its opening counts for nothing: \(reason))"
      }
    return claim + (runCommitment.map { ", run committed at \($0)" } ?? "")
  }

  /// -1 stands for none.
  var members: [JSONValue.Member] {
    [
      .init("committedAt", .int(committedAt.value)), .init("openedAt", .int(openedAt.value)),
      .init("runCommittedAt", .int(runCommitment.map { Int64(clamping: $0.value) } ?? -1)),
    ]
  }
}
