package import ChunkStorage
internal import Cryptography
package import ProofPrimitives
package import TransparencyLedger

/// The nonce of a challenge, kept by the verifier who made it until his verdict reveals it
/// (`spec/statements.md` §8).
///
/// A nonce that is lost leaves a challenge that nobody can open.
package struct ChallengeDraft: Sendable {
  package let logOrigin: String
  package let nonce: Digest
  /// Leaf hash of the proof's entry.
  package let proof: Digest

  private static let schema = "pol-challenge-draft/1"
  /// Three digests or names, and an origin.
  private static let byteLimit = 4096

  /// Takes up the draft at `path`, or draws a nonce and stores it before anything is logged.
  ///
  /// - Throws: `.alreadyExists` where the draft is of another proof or log.
  package static func open(
    _ path: String, proof: Digest, logOrigin: String
  ) throws -> ChallengeDraft {
    do throws(StorageError) {
      let bytes = try DurableFile.readWhole(path, limit: byteLimit)
      let draft = try ChallengeDraft(parsing: bytes, path)
      guard draft.proof == proof, draft.logOrigin.utf8.elementsEqual(logOrigin.utf8) else {
        throw StorageError(
          .present, at: path, "this is the nonce of another challenge",
          remedy: "name another file with --out")
      }
      return draft
    } catch {
      guard error.code == .missing else { throw error }
    }
    let draft = ChallengeDraft(
      logOrigin: logOrigin, nonce: Digest(randomBytes(Digest.byteCount)) ?? .zero, proof: proof)
    try DurableFile.write(draft.encoded, to: path, mode: 0o600, replaces: false)
    return draft
  }

  /// Reads the draft at `path`.
  package static func read(_ path: String) throws(StorageError) -> ChallengeDraft {
    try ChallengeDraft(
      parsing: DurableFile.readWhole(path, limit: byteLimit, followsSymlinks: true), path)
  }

  /// The statement that promises the nonce, as `key` signs it.
  package func statement(key: Digest) -> ChallengeStatement {
    ChallengeStatement(
      logOrigin: logOrigin,
      nonceDigest: ChallengeStatement.nonceDigest(key: key, proof: proof, nonce: nonce),
      proof: proof, proverKey: key)
  }

  private init(logOrigin: String, nonce: Digest, proof: Digest) {
    self.logOrigin = logOrigin
    self.nonce = nonce
    self.proof = proof
  }

  private init(parsing bytes: [UInt8], _ path: String) throws(StorageError) {
    guard let json = try? JSONValue(parsing: bytes, form: .canonical),
      json.members?.map(\.key) == ["logOrigin", "nonce", "proof", "schema"],
      json["schema"] == .string(ChallengeDraft.schema),
      let origin = json["logOrigin"]?.stringValue,
      let nonce = json["nonce"]?.stringValue.flatMap(Digest.init(hex:)),
      let proof = json["proof"]?.stringValue.flatMap(Digest.init(hex:))
    else {
      throw StorageError(
        .malformed, at: path, "this is no file that `pol challenge` wrote",
        remedy: "give that file, or the nonce's 64 hexadecimal digits")
    }
    self.init(logOrigin: origin, nonce: nonce, proof: proof)
  }

  private var encoded: [UInt8] {
    JSONValue.map([
      ("logOrigin", .string(logOrigin)), ("nonce", .string(nonce.hex)),
      ("proof", .string(proof.hex)), ("schema", .string(ChallengeDraft.schema)),
    ]).encoded
  }
}
