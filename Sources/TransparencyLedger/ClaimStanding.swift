package import MerkleTrees
package import ProofPrimitives

/// Since when a proof's claim has stood in the log, and on what (`spec/statements.md` §11).
package struct ClaimStanding: Sendable {
  /// What became of the opening that the statement carries.
  package enum Opening: Hashable, Sendable {
    case none
    case valid(hiddenAt: LeafIndex)
    /// The reason in words; the statement counts from its own place.
    case invalid(String)
  }

  /// Where the statement itself stands.
  package let openedAt: LeafIndex
  package let opening: Opening
  /// Where the commitment stands that the run was trained on: the same key's, before the statement.
  package let runCommitment: LeafIndex?

  /// The earliest place by which the whole statement was fixed.
  package var committedAt: LeafIndex {
    if case .valid(let index) = opening { index } else { openedAt }
  }

  /// - Parameters:
  ///   - claim: A proof or a part of one; others stand where they stand.
  ///   - statement: The first statement in the log with a leaf hash.
  package init(
    of claim: LocatedStatement, logOrigin: String,
    statement: (Digest) -> LocatedStatement?
  ) {
    openedAt = claim.index
    opening = ClaimStanding.opening(of: claim, logOrigin, statement)
    guard case .proof(let proof) = claim.signed.statement,
      let found = statement(proof.commitment), case .commitment = found.signed.statement,
      found.signed.key == claim.signed.key, found.index < claim.index
    else {
      runCommitment = nil
      return
    }
    runCommitment = found.index
  }

  private static func opening(
    of claim: LocatedStatement, _ logOrigin: String, _ statement: (Digest) -> LocatedStatement?
  ) -> Opening {
    guard let (opening, kind, digest) = claim.signed.statement.opened else { return .none }
    guard let found = statement(opening.hidden) else {
      return .invalid("the hidden entry that it names is not in the log")
    }
    guard found.index < claim.index else {
      return .invalid("the entry \(found.index) that it names is not an earlier one")
    }
    guard found.signed.key == claim.signed.key else {
      return .invalid("the entry \(found.index) that it names is another key's")
    }
    guard Admission.opens(opening, kind, digest, found, logOrigin: logOrigin) else {
      return .invalid("the entry \(found.index) does not hide this statement")
    }
    return .valid(hiddenAt: found.index)
  }

  /// Leaf hashes of the entries that a standing is judged by.
  package static func references(of signed: SignedStatement) -> [Digest] {
    var references = signed.statement.opened.map { [$0.opening.hidden] } ?? []
    if case .proof(let proof) = signed.statement { references.append(proof.commitment) }
    return references
  }
}
