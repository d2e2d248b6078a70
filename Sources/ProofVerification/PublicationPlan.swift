internal import ChunkStorage
package import Cryptography
internal import MerkleTrees
package import ProofPrimitives
package import TransparencyLedger

/// All entries that one publication logs, the hidden ones first (`spec/statements.md` §3).
///
/// Signatures are deterministic, so the same salts give the same entries: a publication that was cut off
/// goes on where it stopped.
package struct PublicationPlan {
  /// To be under a published head before any of `statements` is sent.
  package let hidden: [[UInt8]]
  /// The proof, then its parts.
  package let statements: [[UInt8]]

  /// - Parameters:
  ///   - salts: One for the proof and one for each part.
  package init(
    _ proof: ProofStatement, parts: [[Digest]], salts: [Digest], logOrigin: String,
    by key: SigningKey
  ) throws(LedgerError) {
    guard salts.count == 1 + parts.count, let raw = Digest(key.verifyingKey.rawBytes) else {
      throw LedgerError(
        .badStatement, "there are \(salts.count) salts for \(1 + parts.count) statements",
        remedy: "begin the publication anew")
    }
    func hiding(_ kind: String, _ salt: Digest, _ digest: Digest) throws(LedgerError) -> [UInt8] {
      let statement = HiddenStatement(
        hidingDigest: HidingDigest.of(
          key: raw, logOrigin: logOrigin, kind: kind, salt: salt, digest: digest),
        logOrigin: logOrigin, proverKey: raw)
      return try LedgerEntry.signed(statement.encoded, by: key)
    }
    func opening(_ entry: [UInt8], _ salt: Digest) -> StatementOpening {
      StatementOpening(hidden: MerkleTree.leafHash(of: entry), salt: salt)
    }
    var opened = proof
    opened.opening = nil
    let first = try hiding(ProofStatement.predicateType, salts[0], opened.unopenedDigest)
    opened.opening = opening(first, salts[0])
    let proofEntry = try LedgerEntry.signed(opened.encoded, by: key)
    var hidden = [first]
    var statements = [proofEntry]
    for (tensors, salt) in zip(parts, salts.dropFirst()) {
      var part = ProofPartStatement(
        logOrigin: logOrigin, proof: MerkleTree.leafHash(of: proofEntry), proverKey: raw,
        tensors: tensors)
      let entry = try hiding(ProofPartStatement.predicateType, salt, part.unopenedDigest)
      part.opening = opening(entry, salt)
      hidden.append(entry)
      statements.append(try LedgerEntry.signed(part.encoded, by: key))
    }
    self.hidden = hidden
    self.statements = statements
  }
}

/// The salts of a publication that is under way, kept beside the archive until it is through.
///
/// Lost salts leave a hidden entry that nobody can open; the claim would then count from its own place.
package struct PublicationDraft {
  /// What the salts are for: another statement needs others.
  package let statementDigest: Digest
  package let logOrigin: String
  package let salts: [Digest]

  private static let schema = "pol-publishing/1"
  /// 129 salts of 67 bytes, and two texts.
  private static let byteLimit = 16_384

  /// Takes up the draft at `path`, or makes one and stores it before anything is logged.
  ///
  /// - Throws: `.alreadyExists` where the draft is of another statement or log.
  package static func open(
    _ path: String, for statement: ProofStatement, logOrigin: String, count: Int
  ) throws -> PublicationDraft {
    let digest = statement.unopenedDigest
    if let bytes = try existing(path) {
      guard let draft = PublicationDraft(parsing: bytes) else {
        throw LedgerError(
          .badStatement, "the draft of a publication is damaged",
          remedy: "remove it to publish anew; the claim then counts from that time", path: path)
      }
      guard draft.statementDigest == digest, draft.logOrigin.utf8.elementsEqual(logOrigin.utf8),
        draft.salts.count == count
      else {
        throw LedgerError(
          .alreadyExists, "another publication of this archive is unfinished",
          remedy: "finish it with the same --ledger and --location, or remove the file to publish "
            + "anew; the claim then counts from that time", path: path)
      }
      return draft
    }
    let draft = PublicationDraft(
      statementDigest: digest, logOrigin: logOrigin,
      salts: (0..<count).map { _ in Digest(randomBytes(Digest.byteCount)) ?? .zero })
    try DurableFile.write(draft.encoded, to: path, mode: 0o600, replaces: false)
    return draft
  }

  /// The publication is through: every salt stands in the log.
  package static func close(_ path: String) throws { try DurableFile.remove(path) }

  private init(statementDigest: Digest, logOrigin: String, salts: [Digest]) {
    self.statementDigest = statementDigest
    self.logOrigin = logOrigin
    self.salts = salts
  }

  private init?(parsing bytes: [UInt8]) {
    guard let json = try? JSONValue(parsing: bytes, form: .canonical),
      json.members?.map(\.key) == ["logOrigin", "salts", "schema", "statementDigest"],
      json["schema"] == .string(PublicationDraft.schema),
      let origin = json["logOrigin"]?.stringValue,
      let digest = json["statementDigest"]?.stringValue.flatMap(Digest.init(hex:)),
      let items = json["salts"]?.arrayValue
    else { return nil }
    let salts = items.compactMap { $0.stringValue.flatMap(Digest.init(hex:)) }
    guard salts.count == items.count else { return nil }
    self.init(statementDigest: digest, logOrigin: origin, salts: salts)
  }

  private var encoded: [UInt8] {
    JSONValue.map([
      ("logOrigin", .string(logOrigin)), ("salts", .array(salts.map { .string($0.hex) })),
      ("schema", .string(PublicationDraft.schema)),
      ("statementDigest", .string(statementDigest.hex)),
    ]).encoded
  }

  private static func existing(_ path: String) throws(StorageError) -> [UInt8]? {
    do {
      return try DurableFile.readWhole(path, limit: byteLimit)
    } catch {
      guard error.code == .missing else { throw error }
      return nil
    }
  }
}
