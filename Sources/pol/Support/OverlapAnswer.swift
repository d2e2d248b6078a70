import Cryptography
import MerkleTrees
import ProofPrimitives
import TransparencyLedger

/// What other claims are compared with.
struct OverlapReference {
  var parts: ClaimedParts
  /// Leaf hash of its own entry; nil when it has none, or is a file.
  let own: Digest?
}

/// Another claim that has parts of what was looked up.
struct OverlapAnswer {
  /// As many as a person reads.
  static let limit = 32

  private let claim: LocatedStatement
  private let proof: ProofStatement
  private let standing: ClaimStanding?
  private let withdrawal: KeyWithdrawal?
  private let overlap: ClaimOverlap

  /// Every other proof that shares something with `reference`, by when it was fixed.
  ///
  /// - Parameter besides: What was found already for being the same; those with the same model are told
  ///   there.
  static func all(
    with reference: OverlapReference, in finder: ClaimFinder, besides: [LedgerMatch]
  ) throws -> [OverlapAnswer] {
    var reference = reference
    if let own = reference.own {
      for match in try finder.matches([Claim(.proof, own)]) {
        if case .proofPart(let part)? = match.signed?.statement {
          reference.parts.tensors.formUnion(part.tensors)
        }
      }
    }
    let found = try finder.matches(reference.parts.claims)
    var proofs = found.filter { $0.signed?.isProof ?? false }
    let known = Set(proofs.map(\.entry.leafHash))
    // A part speaks for the proof that it names.
    let named = found.compactMap { match -> Digest? in
      guard case .proofPart(let part)? = match.signed?.statement, !known.contains(part.proof) else {
        return nil
      }
      return part.proof
    }
    proofs += try finder.matches(Set(named.map { Claim(.entry, $0) }))
    let parts = try finder.matches(Set(proofs.map { Claim(.proof, $0.entry.leafHash) }))
    let standings = try finder.standings(of: proofs)
    let withdrawals = try finder.withdrawals(of: proofs)
    var seen = Set<Digest>()
    return proofs.compactMap { match -> OverlapAnswer? in
      guard let claim = match.located, case .proof(let proof) = claim.signed.statement,
        claim.leafHash != reference.own, seen.insert(claim.leafHash).inserted
      else { return nil }
      let own = parts.compactMap { part -> ProofPartStatement? in
        guard case .proofPart(let statement)? = part.signed?.statement,
          statement.proof == claim.leafHash, part.signed?.key == claim.signed.key
        else { return nil }
        return statement
      }
      let overlap = ClaimOverlap(of: reference.parts, in: ClaimedParts(proof, parts: own))
      guard !overlap.isEmpty else { return nil }
      return OverlapAnswer(
        claim: claim, proof: proof, standing: standings[claim.index],
        withdrawal: withdrawals[claim.index], overlap: overlap)
    }
    .sorted { ($0.committedAt, $0.claim.index) < ($1.committedAt, $1.claim.index) }
  }

  private var committedAt: LeafIndex { standing?.committedAt ?? claim.index }

  var lines: [String] {
    var shares: [String] = []
    if overlap.tensorsShared > 0 {
      shares.append("\(overlap.tensorsShared) of \(overlap.tensorCount) tensors")
    }
    if let chunks = overlap.chunks, chunks.shared > 0 { shares.append(chunks.words) }
    if overlap.checkpointsShared > 0 {
      shares.append("\(overlap.checkpointsShared) listed checkpoints")
    }
    if overlap.isIntermediateOfOther {
      shares.append("this model is an intermediate checkpoint of that claim")
    }
    if overlap.hasOthersModel {
      shares.append("that claim's model is an intermediate checkpoint of this one")
    }
    return [
      "  \(claim.index)  proof by key \(claim.signed.key.keyID.short)…"
        + (standing.map { ", \($0.words)" } ?? ""),
      "     in common: \(shares.joined(separator: "; "))",
    ] + (withdrawal.map { ["     key \($0.words)"] } ?? [])
  }

  var json: JSONValue {
    var members: [JSONValue.Member] =
      [
        .init("index", .int(claim.index.value)),
        .init("keyID", .string(claim.signed.key.keyID.hex)), KeyWithdrawal.member(withdrawal),
      ] + (standing?.members ?? [])
    members += [
      .init("tensorsShared", .int(overlap.tensorsShared)),
      .init("tensors", .int(overlap.tensorCount)),
      .init("checkpointsShared", .int(overlap.checkpointsShared)),
      .init("isIntermediateOfOther", .bool(overlap.isIntermediateOfOther)),
      .init("hasOthersModel", .bool(overlap.hasOthersModel)),
    ]
    if let chunks = overlap.chunks {
      members += [
        .init("chunksShared", .int(chunks.shared)), .init("chunksCompared", .int(chunks.compared)),
        .init("chunkShare", .double(chunks.share)),
        .init("chunkShareLow", .double(chunks.interval.lowerBound)),
        .init("chunkShareHigh", .double(chunks.interval.upperBound)),
      ]
    }
    return .object(members)
  }
}

extension SketchShare {
  /// `about 40 % of its weight chunks (29 to 53 %, 64 compared)`.
  fileprivate var words: String {
    func percent(_ share: Double) -> Int { Int((share * 100).rounded()) }
    if isExact { return "\(shared) of \(compared) weight chunks" }
    return "about \(percent(share)) % of its weight chunks (\(percent(interval.lowerBound)) to "
      + "\(percent(interval.upperBound)) %, \(compared) compared)"
  }
}

extension SignedStatement {
  var isProof: Bool { if case .proof = statement { true } else { false } }
}
