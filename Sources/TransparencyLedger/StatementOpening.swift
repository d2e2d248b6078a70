internal import Cryptography
package import ProofPrimitives

/// What a statement says to open the hidden entry that fixed it earlier (`spec/statements.md` §3).
package struct StatementOpening: Hashable, Sendable {
  /// Leaf hash of the hidden entry.
  package let hidden: Digest
  /// The 32 random bytes, as a number of that width.
  package let salt: Digest

  static let member = "opening"

  package init(hidden: Digest, salt: Digest) {
    self.hidden = hidden
    self.salt = salt
  }

  /// Nil where the predicate has no opening.
  init?(in predicate: StatementFields) throws(LedgerError) {
    guard let value = predicate.value(StatementOpening.member) else { return nil }
    let fields = try StatementFields(value, "opening", keys: ["hidden", "salt"])
    hidden = try fields.digest("hidden")
    salt = try fields.digest("salt")
  }

  static func members(_ opening: StatementOpening?) -> [(String, JSONValue)] {
    guard let opening else { return [] }
    return [
      (
        member,
        .map([("hidden", .string(opening.hidden.hex)), ("salt", .string(opening.salt.hex))])
      )
    ]
  }
}

/// A statement that a hidden entry may fix before anybody can read it (`spec/statements.md` §3).
package protocol OpenableStatement {
  static var predicateType: String { get }
  var opening: StatementOpening? { get set }
  var encoded: [UInt8] { get }
}

extension OpenableStatement {
  /// What a hidden entry fixes of this statement: all but the opening, which names that entry.
  package var unopenedDigest: Digest {
    var copy = self
    copy.opening = nil
    return SHA256.hash(.statement, copy.encoded)
  }
}

/// The hiding commitment of a statement: SHA-256(tag || key || log origin || kind || salt || digest).
///
/// It binds its maker's key: a copy under another key opens to nothing. Whoever does not know the salt
/// learns nothing from it, also when he can guess the digest.
package enum HidingDigest {
  /// - Parameters:
  ///   - key: The prover's 32 raw Ed25519 bytes.
  ///   - kind: The predicate type of the statement to come. It begins with `https://`, and has that
  ///     nowhere else: so origin and kind, both of any length, part in one way only.
  ///   - digest: The statement's digest without its opening.
  package static func of(
    key: Digest, logOrigin: String, kind: String, salt: Digest, digest: Digest
  ) -> Digest {
    SHA256.hash(
      .hiding, key.bytes, Array(logOrigin.utf8), Array(kind.utf8), salt.bytes, digest.bytes)
  }
}

extension LedgerStatement {
  /// The opening that a statement carries, with its kind and what the hidden entry must have fixed.
  package var opened: (opening: StatementOpening, kind: String, digest: Digest)? {
    openable.flatMap { statement in
      statement.opening.map {
        ($0, type(of: statement).predicateType, statement.unopenedDigest)
      }
    }
  }

  private var openable: (any OpenableStatement)? {
    switch self {
    case .proof(let statement): statement
    case .proofPart(let statement): statement
    default: nil
    }
  }
}
