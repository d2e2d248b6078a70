package import ProofPrimitives

/// What a prover logs once an archive is sealed (`spec/statements.md` §6).
///
/// It names many parts of the proof, because a copier re-encrypts and re-signs: a digest of the whole
/// would never match again.
package struct ProofStatement: OpenableStatement, Hashable, Sendable {
  package static let predicateType = "https://pol.dev/proof/v1"
  package static let checkpointLimit = 64
  package static let sketchLimit = 64
  package static let tensorLimit = 256
  package static let parentLimit = 64

  /// How the model did on the held-out split that the dataset fixes; 0 of 0 when there is none.
  package struct HeldOut: Hashable, Sendable {
    package let correct: Int
    package let count: Int

    package init(correct: Int, count: Int) {
      self.correct = correct
      self.count = count
    }
  }

  package var archiveID: Digest
  package var archiveRoot: Digest
  /// Leaf hash of the commitment's entry.
  package var commitment: Digest
  /// Model digests of up to 64 evenly spaced checkpoints, in order of training.
  package var checkpointWeights: [Digest]
  package var datasetRoot: Digest
  package var heldOut: HeldOut
  /// Where the archive is served; may be empty.
  package var location: String
  package var logOrigin: String
  package var modelDigest: Digest
  /// Opens the hidden entry that fixed this statement before anybody could read it.
  package var opening: StatementOpening?
  /// Leaf hashes of the entries of the proofs that the start came from.
  package var parents: [Digest]
  package var policyDigest: Digest
  /// The prover's 32 raw Ed25519 bytes, as a number of that width; not a hash.
  package var proverKey: Digest
  package var sealDigest: Digest
  package var settingsDigest: Digest
  /// The smallest chunk digests, up to 64.
  package var sketch: [Digest]
  package var steps: Int
  /// Digests of the largest tensors, up to 256, the largest first; constant and small ones left out.
  package var tensors: [Digest]

  package init(
    archiveID: Digest, archiveRoot: Digest, commitment: Digest, checkpointWeights: [Digest],
    datasetRoot: Digest, heldOut: HeldOut, location: String, logOrigin: String,
    modelDigest: Digest, parents: [Digest], policyDigest: Digest, proverKey: Digest,
    sealDigest: Digest, settingsDigest: Digest, sketch: [Digest], steps: Int, tensors: [Digest],
    opening: StatementOpening? = nil
  ) {
    self.archiveID = archiveID
    self.archiveRoot = archiveRoot
    self.commitment = commitment
    self.checkpointWeights = checkpointWeights
    self.datasetRoot = datasetRoot
    self.heldOut = heldOut
    self.location = location
    self.logOrigin = logOrigin
    self.modelDigest = modelDigest
    self.parents = parents
    self.policyDigest = policyDigest
    self.proverKey = proverKey
    self.sealDigest = sealDigest
    self.settingsDigest = settingsDigest
    self.sketch = sketch
    self.steps = steps
    self.tensors = tensors
    self.opening = opening
  }

  package var encoded: [UInt8] {
    StatementFields.statement(
      type: ProofStatement.predicateType, subject: "model", modelDigest,
      predicate: [
        ("archiveID", .string(archiveID.hex)),
        ("archiveRoot", .string(archiveRoot.hex)),
        ("commitment", .string(commitment.hex)),
        ("checkpointWeights", .digests(checkpointWeights)),
        ("datasetRoot", .string(datasetRoot.hex)),
        ("heldOut", .map([("correct", .int(heldOut.correct)), ("count", .int(heldOut.count))])),
        ("location", .string(location)),
        ("logOrigin", .string(logOrigin)),
        ("parents", .digests(parents)),
        ("policyDigest", .string(policyDigest.hex)),
        ("proverKey", .string(proverKey.hex)),
        ("sealDigest", .string(sealDigest.hex)),
        ("settingsDigest", .string(settingsDigest.hex)),
        ("sketch", .digests(sketch)),
        ("steps", .int(steps)),
        ("tensors", .digests(tensors)),
      ] + StatementOpening.members(opening)
    ).encoded
  }

  init(_ statement: StatementFields) throws(LedgerError) {
    let predicate = try StatementFields(
      statement.value("predicate"), "predicate",
      keys: [
        "archiveID", "archiveRoot", "commitment", "checkpointWeights", "datasetRoot", "heldOut",
        "location", "logOrigin", "parents", "policyDigest", "proverKey", "sealDigest",
        "settingsDigest", "sketch", "steps", "tensors",
      ], optional: [StatementOpening.member])
    archiveID = try predicate.digest("archiveID")
    archiveRoot = try predicate.digest("archiveRoot")
    commitment = try predicate.digest("commitment")
    checkpointWeights = try predicate.digests(
      "checkpointWeights", limit: ProofStatement.checkpointLimit)
    datasetRoot = try predicate.digest("datasetRoot")
    let score = try StatementFields(
      predicate.value("heldOut"), "heldOut", keys: ["correct", "count"])
    heldOut = HeldOut(correct: try score.count("correct"), count: try score.count("count"))
    guard heldOut.correct <= heldOut.count else {
      throw StatementFields.bad("heldOut.correct is above heldOut.count")
    }
    location = try predicate.text("location", limit: LedgerStatement.textByteLimit)
    logOrigin = try predicate.text("logOrigin", limit: LedgerStatement.textByteLimit)
    opening = try StatementOpening(in: predicate)
    parents = try predicate.distinctDigests("parents", limit: ProofStatement.parentLimit)
    policyDigest = try predicate.digest("policyDigest")
    proverKey = try predicate.digest("proverKey")
    sealDigest = try predicate.digest("sealDigest")
    settingsDigest = try predicate.digest("settingsDigest")
    sketch = try predicate.risingDigests("sketch", limit: ProofStatement.sketchLimit)
    steps = try predicate.count("steps")
    tensors = try predicate.distinctDigests("tensors", limit: ProofStatement.tensorLimit)
    modelDigest = try statement.subject(named: "model")
  }
}
