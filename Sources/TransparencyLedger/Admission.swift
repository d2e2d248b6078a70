package import Cryptography
package import MerkleTrees
package import ProofPrimitives

/// A statement with its place in the log.
package struct LocatedStatement: Sendable {
  package let index: LeafIndex
  package let leafHash: Digest
  package let signed: SignedStatement

  package init(index: LeafIndex, leafHash: Digest, signed: SignedStatement) {
    self.index = index
    self.leafHash = leafHash
    self.signed = signed
  }
}

/// What a log holds already, as far as a new entry may depend on it.
package protocol AdmissionView {
  var origin: String { get }
  /// The first valid statement with this leaf hash; nil where there is none, or an opaque entry.
  func statement(leafHash: Digest) throws(LedgerError) -> LocatedStatement?
  func isWithdrawn(_ key: VerifyingKey) throws(LedgerError) -> Bool
  /// The one key whose index-root entries the log takes.
  var indexKey: VerifyingKey? { get }
  /// Entries that stand before the one that is looked at.
  var size: UInt64 { get }
}

extension AdmissionView {
  package var indexKey: VerifyingKey? { nil }
  package var size: UInt64 { 0 }
}

/// Which entries a log takes (`spec/statements.md` §12).
///
/// A log judges no claim: it refuses what is malformed, and what names an entry that it does not fit to.
/// Entries name each other by leaf hash and can only name earlier ones, so no chain of them closes to
/// a cycle: that would take two entries that each hold the other's hash.
package enum Admission {
  package enum Rule: Sendable {
    case statements
    /// Entries that are no valid statement too, which keep their place and claim nothing.
    case opaqueToo
    /// Whatever comes. A log may do so, and its readers have to stand it.
    case everything
  }

  /// - Throws: The reason, for whoever submitted the entry.
  package static func check(
    _ entry: ParsedEntry, by rule: Rule, in view: some AdmissionView
  ) throws(LedgerError) {
    if rule == .everything { return }
    switch entry {
    case .opaque(let reason): if rule == .statements { throw reason }
    case .signed(let signed): try check(signed, in: view)
    }
  }

  private static func check(
    _ signed: SignedStatement, in view: some AdmissionView
  ) throws(LedgerError) {
    if let origin = signed.statement.boundOrigin, !origin.utf8.elementsEqual(view.origin.utf8) {
      throw LedgerError(
        .wrongOrigin, "the statement is meant for another log than \(view.origin)",
        remedy: "submit it to the log that it names, or make it again for this one")
    }
    guard try !view.isWithdrawn(signed.key) else {
      throw LedgerError(
        .withdrawnKey, "the key \(signed.key.keyID.short)… was withdrawn on this log",
        remedy: "sign with another key")
    }
    switch signed.statement {
    case .anchor(let statement):
      let found = try named(statement.commitment, "commitment", by: signed.key, in: view)
      guard case .commitment = found.signed.statement else {
        throw wrongKind("commitment", found)
      }
    case .challenge(let statement): _ = try proof(statement.proof, in: view)
    case .proof(let statement):
      for parent in statement.parents { _ = try proof(parent, as: "a parent", in: view) }
    case .proofPart(let statement):
      _ = try proof(statement.proof, by: signed.key, in: view)
    case .verdict(let statement): try check(statement, signed.key, in: view)
    case .indexRoot(let statement): try check(statement, signed.key, in: view)
    case .logBegin, .logEnd:
      throw LedgerError(
        .reservedKind, "a \(signed.statement.kind) is for the log itself to say",
        remedy: "its operator uses `pol ledger freeze` or `pol ledger rotate-key`")
    case .commitment, .hidden, .withdrawal, .other: break
    }
    if let (opening, kind, digest) = signed.statement.opened {
      let found = try named(opening.hidden, "opening", by: signed.key, in: view)
      guard opens(opening, kind, digest, found, logOrigin: view.origin) else {
        throw LedgerError(
          .openingMismatch, "the entry \(found.index) does not hide this statement",
          remedy: "give the salt that the hidden entry was made with, or log the statement without "
            + "an opening")
      }
    }
  }

  /// Whether `found` is a hidden entry that fixed what is opened, for this log.
  static func opens(
    _ opening: StatementOpening, _ kind: String, _ digest: Digest, _ found: LocatedStatement,
    logOrigin: String
  ) -> Bool {
    guard case .hidden(let hidden) = found.signed.statement,
      let key = Digest(found.signed.key.rawBytes)
    else { return false }
    return hidden.hidingDigest
      == HidingDigest.of(
        key: key, logOrigin: logOrigin, kind: kind, salt: opening.salt, digest: digest)
  }

  private static func check(
    _ verdict: VerdictStatement, _ key: VerifyingKey, in view: some AdmissionView
  ) throws(LedgerError) {
    _ = try proof(verdict.proof, in: view)
    guard !verdict.challenge.isZero else { return }
    let found = try named(verdict.challenge, "challenge", by: key, in: view)
    guard case .challenge(let challenge) = found.signed.statement else {
      throw wrongKind("challenge", found)
    }
    guard challenge.proof == verdict.proof,
      challenge.nonceDigest
        == ChallengeStatement.nonceDigest(
          key: challenge.proverKey, proof: verdict.proof, nonce: verdict.nonce)
    else {
      throw LedgerError(
        .openingMismatch, "the challenge at \(found.index) is not for this proof and nonce",
        remedy: "reveal the nonce that the challenge promised")
    }
  }

  private static func check(
    _ root: IndexRootStatement, _ key: VerifyingKey, in view: some AdmissionView
  ) throws(LedgerError) {
    guard key == view.indexKey else {
      throw LedgerError(
        .otherKey, "the key \(key.keyID.short)… is not this log's index key",
        remedy: "leave index roots to the log's own service")
    }
    guard root.treeSize <= view.size else {
      throw LedgerError(
        .unknownEntry,
        "the map is of \(root.treeSize) entries, and \(view.size) stand before this one",
        remedy: "make it of entries that the log holds")
    }
  }

  private static func proof(
    _ leafHash: Digest, as what: String = "the proof", by key: VerifyingKey? = nil,
    in view: some AdmissionView
  ) throws(LedgerError) -> LocatedStatement {
    let found = try named(leafHash, what, by: key, in: view)
    guard case .proof = found.signed.statement else { throw wrongKind(what, found) }
    return found
  }

  private static func named(
    _ leafHash: Digest, _ what: String, by key: VerifyingKey?, in view: some AdmissionView
  ) throws(LedgerError) -> LocatedStatement {
    guard let found = try view.statement(leafHash: leafHash) else {
      throw LedgerError(
        .unknownEntry,
        "\(what) \(leafHash.short)… is no statement that this log holds",
        remedy: "log that first: an entry can only name earlier ones")
    }
    guard key.map({ found.signed.key == $0 }) ?? true else {
      throw LedgerError(
        .otherKey, "\(what) at \(found.index) is another key's",
        remedy: "sign with the key \(found.signed.key.keyID.short)…")
    }
    return found
  }

  private static func wrongKind(_ what: String, _ found: LocatedStatement) -> LedgerError {
    LedgerError(
      .wrongKind, "\(what) names entry \(found.index), which is a \(found.signed.statement.kind)",
      remedy: "name an entry of the right kind by its leaf hash")
  }
}
