internal import Cryptography
internal import MerkleTrees
package import ProofPrimitives

/// The first entry of a log that goes on for another (`spec/statements.md` §10c).
///
/// It holds the other log's final head with its signature, so that head can never be lost or denied.
package struct LogBeginStatement: Hashable, Sendable {
  package static let predicateType = "https://pol.dev/log-begin/v1"

  package let logOrigin: String
  /// Verifier key of the log that ended.
  package let predecessor: String
  /// That log's final head: root, base64(key ID || signature) as in `history`, and size.
  package let predecessorRoot: Digest
  package let predecessorSignature: String
  package let predecessorSize: Int
  /// The new log's 32 raw Ed25519 bytes, as a number of that width; not a hash.
  package let proverKey: Digest

  package init(
    logOrigin: String, predecessor: String, predecessorRoot: Digest, predecessorSignature: String,
    predecessorSize: Int, proverKey: Digest
  ) {
    self.logOrigin = logOrigin
    self.predecessor = predecessor
    self.predecessorRoot = predecessorRoot
    self.predecessorSignature = predecessorSignature
    self.predecessorSize = predecessorSize
    self.proverKey = proverKey
  }

  package var encoded: [UInt8] {
    StatementFields.statement(
      type: LogBeginStatement.predicateType, subject: "tree", predecessorRoot,
      predicate: [
        ("logOrigin", .string(logOrigin)),
        ("predecessor", .string(predecessor)),
        ("predecessorRoot", .string(predecessorRoot.hex)),
        ("predecessorSignature", .string(predecessorSignature)),
        ("predecessorSize", .int(predecessorSize)),
        ("proverKey", .string(proverKey.hex)),
      ]
    ).encoded
  }

  /// Reads the statement and checks the other log's signature in it.
  init(_ statement: StatementFields) throws(LedgerError) {
    let predicate = try StatementFields.predicate(
      of: statement,
      keys: [
        "logOrigin", "predecessor", "predecessorRoot", "predecessorSignature", "predecessorSize",
        "proverKey",
      ], subject: "tree", is: "predecessorRoot")
    logOrigin = try predicate.text("logOrigin")
    predecessor = try predicate.text("predecessor")
    predecessorRoot = try predicate.digest("predecessorRoot")
    predecessorSignature = try predicate.text("predecessorSignature")
    predecessorSize = try predicate.count("predecessorSize")
    proverKey = try predicate.digest("proverKey")
    let key = try StatementFields.verifierKey(predecessor, "predecessor")
    guard !key.name.utf8.elementsEqual(logOrigin.utf8), key.key.rawBytes != proverKey.bytes else {
      throw StatementFields.bad("predicate.predecessor has the origin or the key of the log itself")
    }
    guard let blob = Base64.decode(predecessorSignature), blob.count == 68,
      let head = PublishedHead(
        size: TreeSize(UInt64(predecessorSize)), root: predecessorRoot, blob: blob, of: key),
      (try? head.signedHead(by: key)) != nil
    else {
      throw StatementFields.bad("predicate.predecessorSignature is not over that head, by that key")
    }
  }
}
