internal import Cryptography
package import ProofPrimitives

/// The last entry of a log, in which it says that nothing follows (`spec/statements.md` §10b).
///
/// It is the log's word only under the log's own key and at the place that it names.
package struct LogEndStatement: Hashable, Sendable {
  package static let predicateType = "https://pol.dev/log-end/v1"

  package let logOrigin: String
  /// The log's 32 raw Ed25519 bytes, as a number of that width; not a hash.
  package let proverKey: Digest
  /// Verifier key of the log that goes on; empty where none does.
  package let successor: String
  /// Root and number of the entries before this one.
  package let treeRoot: Digest
  package let treeSize: Int

  package init(
    logOrigin: String, proverKey: Digest, successor: String, treeRoot: Digest, treeSize: Int
  ) {
    self.logOrigin = logOrigin
    self.proverKey = proverKey
    self.successor = successor
    self.treeRoot = treeRoot
    self.treeSize = treeSize
  }

  package var encoded: [UInt8] {
    StatementFields.statement(
      type: LogEndStatement.predicateType, subject: "tree", treeRoot,
      predicate: [
        ("logOrigin", .string(logOrigin)),
        ("proverKey", .string(proverKey.hex)),
        ("successor", .string(successor)),
        ("treeRoot", .string(treeRoot.hex)),
        ("treeSize", .int(treeSize)),
      ]
    ).encoded
  }

  init(_ statement: StatementFields) throws(LedgerError) {
    let predicate = try StatementFields.predicate(
      of: statement, keys: ["logOrigin", "proverKey", "successor", "treeRoot", "treeSize"],
      subject: "tree", is: "treeRoot")
    logOrigin = try predicate.text("logOrigin")
    proverKey = try predicate.digest("proverKey")
    successor = try predicate.text("successor")
    treeRoot = try predicate.digest("treeRoot")
    treeSize = try predicate.count("treeSize")
    guard !successor.isEmpty else { return }
    let next = try StatementFields.verifierKey(successor, "successor")
    // An origin names one tree, and a key one log.
    guard !next.name.utf8.elementsEqual(logOrigin.utf8), next.key.rawBytes != proverKey.bytes else {
      throw StatementFields.bad("predicate.successor has the origin or the key of the log itself")
    }
  }
}

extension StatementFields {
  /// A log's verifier key as statements hold it.
  static func verifierKey(
    _ text: String, _ member: String
  ) throws(LedgerError) -> NoteVerifierKey {
    do {
      return try NoteVerifierKey(text: text)
    } catch {
      throw bad("predicate.\(member) is not a log's verifier key: \(error.message)")
    }
  }
}
