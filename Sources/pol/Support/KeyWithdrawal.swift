import Cryptography
import MerkleTrees
import ProofPrimitives
import TransparencyLedger

/// What the withdrawal of an entry's key means for the entry (`spec/statements.md` §10).
struct KeyWithdrawal {
  /// Where the withdrawal stands.
  let index: LeafIndex
  /// Whether it stands before the entry, which then is not the word of the key's owner.
  let isBefore: Bool

  var words: String {
    isBefore
      ? "withdrawn at index \(index), before this entry: it does not count"
      : "withdrawn later, at index \(index): this entry stands"
  }

  /// -1 stands for a key that was not withdrawn.
  static func member(_ withdrawal: KeyWithdrawal?) -> JSONValue.Member {
    .init("keyWithdrawnAt", .int(withdrawal.map { Int64(clamping: $0.index.value) } ?? -1))
  }
}

extension ClaimFinder {
  /// For each entry whose key was withdrawn on this log, by the entry's index.
  func withdrawals(of matches: [LedgerMatch]) throws -> [LeafIndex: KeyWithdrawal] {
    let keys = Set(matches.compactMap { $0.signed?.key })
    let found = try self.matches(
      Set(keys.compactMap { Digest($0.rawBytes) }.map { Claim(.withdrawal, $0) }))
    var first: [VerifyingKey: LeafIndex] = [:]
    for match in found {
      guard let signed = match.signed, case .withdrawal(let statement) = signed.statement,
        statement.logOrigin.utf8.elementsEqual(view.head.origin.utf8), first[signed.key] == nil
      else { continue }
      first[signed.key] = match.index
    }
    var withdrawals: [LeafIndex: KeyWithdrawal] = [:]
    for match in matches {
      guard let key = match.signed?.key, let index = first[key], index != match.index else {
        continue
      }
      withdrawals[match.index] = KeyWithdrawal(index: index, isBefore: index < match.index)
    }
    return withdrawals
  }

  /// Challenges and verdicts about a proof, without what stands after its key's withdrawal.
  func judgements(on proof: LedgerMatch) throws -> ProofJudgements? {
    guard let located = proof.located else { return nil }
    let about = try matches([Claim(.proof, proof.entry.leafHash)])
    let withdrawals = try withdrawals(of: about)
    let counting = about.filter { !(withdrawals[$0.index]?.isBefore ?? false) }
    return ProofJudgements(
      proof: located, about: counting.compactMap(\.located), logOrigin: view.head.origin)
  }
}

/// What verifiers have said of a proof.
struct ProofJudgements {
  let challenges: [PublicChallenge]
  /// How many verdicts there are of each answer.
  let verdicts: [VerdictStatement.Answer: Int]

  init(proof: LocatedStatement, about: [LocatedStatement], logOrigin: String) {
    challenges = PublicChallenge.all(in: [proof] + about, logOrigin: logOrigin)
    var verdicts: [VerdictStatement.Answer: Int] = [:]
    for located in about {
      guard case .verdict(let verdict) = located.signed.statement,
        verdict.proof == proof.leafHash, verdict.logOrigin.utf8.elementsEqual(logOrigin.utf8)
      else { continue }
      verdicts[verdict.answer, default: 0] += 1
    }
    self.verdicts = verdicts
  }

  var unopenedCount: Int { challenges.count { $0.verdict == nil } }

  /// `2 challenges, 1 without a verdict; verdicts: 1 verified`; nil where nobody said anything.
  var words: String? {
    var parts: [String] = []
    if !challenges.isEmpty {
      parts.append("\(challenges.count) challenges, \(unopenedCount) without a verdict")
    }
    if !verdicts.isEmpty {
      let counts = VerdictStatement.Answer.allCases.compactMap { answer in
        verdicts[answer].map { "\($0) \(answer.rawValue)" }
      }
      parts.append("verdicts: \(counts.joined(separator: ", "))")
    }
    return parts.isEmpty ? nil : parts.joined(separator: "; ")
  }

  var members: [JSONValue.Member] {
    [
      .init("challenges", .int(challenges.count)), .init("unopenedChallenges", .int(unopenedCount)),
      .init(
        "verdicts",
        .map(
          VerdictStatement.Answer.allCases.map { ($0.rawValue, .int(verdicts[$0] ?? 0)) })),
    ]
  }
}
