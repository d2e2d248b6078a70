package import Cryptography
package import MerkleTrees
package import ProofPrimitives

/// What an evidence file shows, by the keys that it was judged with (`spec/evidence.md` §5).
package struct EvidenceFinding: Sendable {
  package struct Entry: Sendable {
    package let index: LeafIndex
    package let leafHash: Digest
    package let parsed: ParsedEntry
    /// Of all its receipts' heads, the earliest time of each witness.
    package let seen: [Seen]
  }

  /// A witness's word that it saw a head over the entry by then.
  package struct Seen: Sendable {
    package let witness: String
    /// Seconds since 1970.
    package let time: UInt64
  }

  package struct Token: Sendable {
    package enum Subject: Hashable, Sendable {
      /// Position among the file's entries.
      case entry(Int)
      /// A head over the entry at this position.
      case head(Int)
      /// Position among the tokens: this one renews it.
      case token(Int)
    }

    package enum Worth: Sendable {
      /// No roots were given to judge it by.
      case stated
      case holds(TimestampStanding)
      case nothing(TimestampError)
    }

    package let token: TimestampToken
    package let subject: Subject
    package let worth: Worth
    /// When a later token that holds was made over this one, while it could be trusted.
    package fileprivate(set) var renewedAt: Int64?
  }

  /// The head that all entries are under.
  package let head: SignedTreeHead
  /// The exhibit, then the others.
  package let entries: [Entry]
  /// Of the exhibit, where it is a proof or a part of one.
  package let standing: ClaimStanding?
  package let tokens: [Token]
}

extension EvidenceFile {
  /// Checks everything against a key and a policy that the caller chose.
  ///
  /// - Parameters:
  ///   - key: The log's. With the file's own, `statedKey`, the answer only says that the file agrees with itself.
  ///   - policy: Whose cosignatures the shared head needs, and whose times are told.
  ///   - trust: The authorities' roots that the reader believes, and lists that he brings; nil judges no token.
  package func check(
    by key: NoteVerifierKey, policy: LedgerPolicy?, trust: TimestampTrust?
  ) throws(LedgerError) -> EvidenceFinding {
    guard let exhibit = items.first, let shared = exhibit.receipts.first?.note else {
      throw EvidenceFile.bad("there is no entry")
    }
    let head = try SignedTreeHead(note: shared, by: key, policy: policy)
    var entries: [EvidenceFinding.Entry] = []
    for (position, item) in items.enumerated() {
      entries.append(try entry(item, position, under: shared, by: key, policy))
    }
    try checkRelations(entries)
    let located = entries.compactMap { entry in
      entry.parsed.signed.map {
        LocatedStatement(index: entry.index, leafHash: entry.leafHash, signed: $0)
      }
    }
    let standing: ClaimStanding? =
      switch entries.first?.parsed.signed?.statement {
      case .proof, .proofPart:
        located.first.map { claim in
          ClaimStanding(of: claim, logOrigin: head.head.origin) { hash in
            located.first { $0.leafHash == hash }
          }
        }
      default: nil
      }
    return EvidenceFinding(
      head: head, entries: entries, standing: standing,
      tokens: try tokens(entries.map(\.leafHash), trust))
  }

  private func entry(
    _ item: Item, _ position: Int, under shared: SignedNote, by key: NoteVerifierKey,
    _ policy: LedgerPolicy?
  ) throws(LedgerError) -> EvidenceFinding.Entry {
    guard let first = item.receipts.first, first.note == shared else {
      throw LedgerError(
        .otherHead, "entry \(position) of the file is under another tree head than the first one",
        remedy: "make the file anew: order shows under one head only")
    }
    let leafHash = MerkleTree.leafHash(of: item.bytes)
    var seen: [String: UInt64] = [:]
    for receipt in item.receipts {
      guard receipt.index == first.index else {
        throw LedgerError(
          .otherIndex, "two receipts of entry \(position) of the file name two places",
          remedy: "make the file anew with receipts of one entry")
      }
      // The policy's quorum is asked of the shared head; older ones may have had fewer witnesses.
      try receipt.verify(leafHash: leafHash, by: key, origin: key.name)
      for cosigned in try policy?.evaluate(receipt.note).cosigned ?? [] {
        guard let policy else { continue }
        let name = String(decoding: policy.witnesses[cosigned.witness].name, as: UTF8.self)
        seen[name] = min(seen[name] ?? .max, cosigned.time)
      }
    }
    return EvidenceFinding.Entry(
      index: first.index, leafHash: leafHash, parsed: LedgerEntry.parse(item.bytes),
      seen: seen.map { .init(witness: $0.key, time: $0.value) }
        .sorted { ($0.time, $0.witness) < ($1.time, $1.witness) })
  }

  /// Every other entry bears on the first one, and stands once.
  private func checkRelations(_ entries: [EvidenceFinding.Entry]) throws(LedgerError) {
    guard let exhibit = entries.first else { return }
    let named = exhibit.parsed.signed?.namedEntries ?? []
    var last: LeafIndex?
    for (position, entry) in entries.enumerated().dropFirst() {
      let names = entry.parsed.signed?.namedEntries ?? []
      guard named.contains(entry.leafHash) || names.contains(exhibit.leafHash) else {
        throw LedgerError(
          .unrelatedEntry, "entry \(position) of the file has nothing to do with the first one",
          remedy: "make the file anew; an entry on its own belongs into a file of its own")
      }
      guard entry.index != exhibit.index, last.map({ $0 < entry.index }) ?? true else {
        throw EvidenceFile.bad("the entries after the first are not in rising order, each once")
      }
      last = entry.index
    }
  }

  private func tokens(
    _ leafHashes: [Digest], _ trust: TimestampTrust?
  ) throws(LedgerError) -> [EvidenceFinding.Token] {
    var subjects: [Digest: EvidenceFinding.Token.Subject] = [:]
    for (position, item) in items.enumerated() {
      for receipt in item.receipts {
        // The shared head covers the exhibit, which stands first.
        subjects[SHA256.hash(receipt.note.text)] =
          subjects[SHA256.hash(receipt.note.text)]
          ?? .head(position)
      }
    }
    for (position, hash) in leafHashes.enumerated() { subjects[hash] = .entry(position) }
    var found: [EvidenceFinding.Token] = []
    for (position, time) in times.enumerated() {
      let token: TimestampToken
      do {
        token = try TimestampToken(der: time.token)
      } catch {
        throw LedgerError(.badToken, error.message, remedy: error.remedy, cause: error)
      }
      guard let subject = subjects[token.imprint] else {
        throw LedgerError(
          .unrelatedTime,
          "token \(position) is over \(token.imprint.short)…, which is no entry, head or token here",
          remedy: "make the file anew with tokens for what is in it")
      }
      subjects[SHA256.hash(time.token)] = .token(position)
      var one = EvidenceFinding.Token(token: token, subject: subject, worth: .stated)
      if let trust {
        one = EvidenceFinding.Token(
          token: token, subject: subject, worth: EvidenceFile.worth(token, time, trust))
        if case .token(let older) = subject, case .holds = one.worth,
          case .holds(let standing) = found[older].worth, token.time < standing.validUntil
        {
          found[older].renewedAt = token.time
        }
      }
      found.append(one)
    }
    return found
  }

  private static func worth(
    _ token: TimestampToken, _ time: Time, _ trust: TimestampTrust
  ) -> EvidenceFinding.Token.Worth {
    do throws(TimestampError) {
      return .holds(
        try token.check(
          TimestampTrust(
            roots: trust.roots, intermediates: trust.intermediates + time.certificates,
            revocationLists: trust.revocationLists + time.revocationLists)))
    } catch {
      return .nothing(error)
    }
  }
}
