package import ProofPrimitives

/// What a log says of all claims in its first entries: the root of its claim map (`spec/statements.md` §10a,
/// `spec/claim-map.md`). Signed by the log's index key.
package struct IndexRootStatement: Hashable, Sendable {
  package static let predicateType = "https://pol.dev/index-root/v1"
  /// Of the map's hashes and proofs.
  static let mapVersion = 1

  package let logOrigin: String
  package let mapRoot: Digest
  /// The index key's 32 raw Ed25519 bytes, as a number of that width.
  package let proverKey: Digest
  /// The map is of the entries below.
  package let treeSize: UInt64

  package init(logOrigin: String, mapRoot: Digest, proverKey: Digest, treeSize: UInt64) {
    self.logOrigin = logOrigin
    self.mapRoot = mapRoot
    self.proverKey = proverKey
    self.treeSize = treeSize
  }

  package var encoded: [UInt8] {
    StatementFields.statement(
      type: IndexRootStatement.predicateType, subject: "map", mapRoot,
      predicate: [
        ("logOrigin", .string(logOrigin)),
        ("mapRoot", .string(mapRoot.hex)),
        ("mapVersion", .int(IndexRootStatement.mapVersion)),
        ("proverKey", .string(proverKey.hex)),
        ("treeSize", .int(treeSize)),
      ]
    ).encoded
  }

  init(_ statement: StatementFields) throws(LedgerError) {
    let predicate = try StatementFields.predicate(
      of: statement, keys: ["logOrigin", "mapRoot", "mapVersion", "proverKey", "treeSize"],
      subject: "map", is: "mapRoot")
    logOrigin = try predicate.text("logOrigin")
    mapRoot = try predicate.digest("mapRoot")
    guard try predicate.count("mapVersion") == IndexRootStatement.mapVersion else {
      throw StatementFields.bad("predicate.mapVersion is not 1")
    }
    proverKey = try predicate.digest("proverKey")
    treeSize = UInt64(try predicate.count("treeSize"))
  }
}
