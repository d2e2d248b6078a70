package import MerkleTrees
package import ProofPrimitives

/// A challenge on the log with the verdict that answered it (`spec/statements.md` §8, §9).
package struct PublicChallenge: Sendable {
  package let entry: LocatedStatement
  package let statement: ChallengeStatement
  /// The first verdict that opens it; nil for one that is unopened.
  package let verdict: (entry: LocatedStatement, statement: VerdictStatement)?

  package var index: LeafIndex { entry.index }

  /// Whether `nonce` is the one that the challenge promised.
  package func opens(with nonce: Digest) -> Bool {
    statement.nonceDigest
      == ChallengeStatement.nonceDigest(
        key: statement.proverKey, proof: statement.proof, nonce: nonce)
  }

  /// Every challenge among `statements`, in their order, as a log that keeps its rules would have them: what
  /// another log's rules let in and these do not is passed over (`spec/statements.md` §12).
  ///
  /// - Parameter statements: Those of a log that count, in order.
  package static func all(
    in statements: [LocatedStatement], logOrigin: String
  ) -> [PublicChallenge] {
    var proofs: [Digest: LeafIndex] = [:]
    var verdicts: [Digest: [(entry: LocatedStatement, statement: VerdictStatement)]] = [:]
    for located in statements {
      switch located.signed.statement {
      case .proof where proofs[located.leafHash] == nil: proofs[located.leafHash] = located.index
      case .verdict(let verdict) where verdict.logOrigin.utf8.elementsEqual(logOrigin.utf8):
        verdicts[verdict.challenge, default: []].append((located, verdict))
      default: break
      }
    }
    return statements.compactMap { located in
      guard case .challenge(let statement) = located.signed.statement,
        statement.logOrigin.utf8.elementsEqual(logOrigin.utf8),
        let proof = proofs[statement.proof], proof < located.index
      else { return nil }
      let bare = PublicChallenge(entry: located, statement: statement, verdict: nil)
      let answer = verdicts[located.leafHash]?.first { verdict in
        verdict.entry.index > located.index && verdict.entry.signed.key == located.signed.key
          && verdict.statement.proof == statement.proof && bare.opens(with: verdict.statement.nonce)
      }
      return PublicChallenge(entry: located, statement: statement, verdict: answer)
    }
  }
}
