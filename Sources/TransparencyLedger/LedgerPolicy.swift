import ProofPrimitives

/// Whom a client believes about a log: the logs, the witnesses, and how many of which witnesses must
/// have cosigned a head (C2SP tlog-policy; `spec/witness.md` §3).
package struct LedgerPolicy: Hashable, Sendable {
  package struct Log: Hashable, Sendable {
    /// Its name is the log's origin.
    package let key: NoteVerifierKey
    package let url: [UInt8]?
  }

  package struct Witness: Hashable, Sendable {
    /// What the policy calls it: opaque bytes that mean nothing elsewhere.
    package let name: [UInt8]
    package let key: NoteVerifierKey
    /// Its submission prefix, where one is given.
    package let url: [UInt8]?
  }

  /// A position in `witnesses` or `groups`.
  enum Member: Hashable, Sendable {
    case witness(Int)
    case group(Int)
  }

  struct Group: Hashable, Sendable {
    /// How many of `members` must hold.
    let threshold: Int
    /// Groups among them stand earlier in the file.
    let members: [Member]
  }

  /// Exactly as read.
  package let text: [UInt8]
  package let logs: [Log]
  package let witnesses: [Witness]
  let groups: [Group]
  /// Nil for `none`.
  let quorum: Member?

  /// Whether anybody but the log must sign.
  package var asksForWitnesses: Bool { quorum != nil }

  /// Whether the quorum holds when the witnesses at `positions` have cosigned.
  package func holds(_ positions: Set<Int>) -> Bool {
    var groupHolds: [Bool] = []
    func holds(_ member: Member) -> Bool {
      switch member {
      case .witness(let position): positions.contains(position)
      case .group(let position): groupHolds[position]
      }
    }
    for group in groups {
      groupHolds.append(group.members.count(where: holds) >= group.threshold)
    }
    return quorum.map(holds) ?? true
  }
}

/// What a policy says of one note.
package struct PolicyFinding: Hashable, Sendable {
  package struct Cosigned: Hashable, Sendable {
    /// The position in the policy's `witnesses`.
    package let witness: Int
    /// Seconds since 1970, on the witness's clock: by then the head existed.
    package let time: UInt64
    let signature: NoteSignature
  }

  /// One for each witness that signed, in the policy's order.
  package let cosigned: [Cosigned]
  package let quorumHolds: Bool
}

extension LedgerPolicy {
  /// Who of the witnesses cosigned a note, and when. The log's own signature is checked elsewhere.
  ///
  /// Of several lines by one witness the earliest counts. Lines of others are ignored.
  ///
  /// - Throws: `.badSignature` when a line of one of the witnesses does not verify.
  package func evaluate(_ note: SignedNote) throws(LedgerError) -> PolicyFinding {
    var found: [Int: PolicyFinding.Cosigned] = [:]
    for (position, signature) in try note.signatures(by: witnesses.map(\.key)) {
      guard let time = Cosignature(signature)?.time else { continue }
      if let earlier = found[position], earlier.time <= time { continue }
      found[position] = .init(witness: position, time: time, signature: signature)
    }
    return PolicyFinding(
      cosigned: found.values.sorted { $0.witness < $1.witness },
      quorumHolds: holds(Set(found.keys)))
  }

  /// - Throws: `.quorumMissing`, or as `evaluate`.
  func checkQuorum(_ note: SignedNote) throws(LedgerError) {
    let finding = try evaluate(note)
    guard finding.quorumHolds else {
      let names = finding.cosigned.map {
        printable(String(decoding: witnesses[$0.witness].name, as: UTF8.self))
      }
      throw LedgerError(
        .quorumMissing,
        "the policy's quorum does not hold: cosigned by "
          + (names.isEmpty ? "none of its witnesses" : names.joined(separator: ", ")),
        remedy: "fetch a newer tree head; if it stays so, the log has not enough witnesses for you")
    }
  }

  /// - Throws: `.notInPolicy` when logs are listed and this key is none of theirs.
  func checkLists(_ key: NoteVerifierKey) throws(LedgerError) {
    guard logs.isEmpty || logs.contains(where: { $0.key == key }) else {
      throw LedgerError(
        .notInPolicy, "the policy does not list the log key \(printable(key.description))",
        remedy: "use the policy that is meant for this log, or add its key there")
    }
  }

  /// The key of the listed log that signed a note.
  ///
  /// - Throws: `.notInPolicy` when no listed log has the note's origin; as `SignedNote.verify` when none of
  ///   those that have signed it.
  package func logKey(of note: SignedNote) throws(LedgerError) -> NoteVerifierKey {
    let keys = logs.map(\.key).filter { $0.name.utf8.elementsEqual(note.firstLine) }
    guard !keys.isEmpty else {
      let origin = printable(String(decoding: note.firstLine, as: UTF8.self))
      throw LedgerError(
        .notInPolicy, "the policy lists no log with the origin \(origin)",
        remedy: "use the policy that is meant for this log, or add its key there")
    }
    let valid = try note.verify(by: keys)
    guard let key = keys.first(where: { key in valid.contains { key.isNamed(by: $0) } }) else {
      throw LedgerError(
        .unsigned, "no signature is by a log of the policy", remedy: "check the policy's keys")
    }
    return key
  }
}
