package import Cryptography
package import ProofArchive
package import ProofPrimitives

/// What a commitment on the ledger is made of, before record 0 exists (`spec/archive.md` §3.2).
package struct CommitmentRequest: Sendable {
  package let proverKey: VerifyingKey
  package let datasetRoot: Digest
  package let policyDigest: Digest
  package let settingsDigest: Digest
  /// SHA-256 of tag and run secret: hides the secret until the archive reveals it.
  package let runSecretDigest: Digest
}

/// An unsealed archive with what its settings and policy say.
package struct RecordedRun {
  package let writer: ArchiveWriter
  package let description: RunDescription
  package let policy: Policy

  /// A recorder that goes on after the last checkpoint.
  ///
  /// - Parameter isStrict: Whether a failing store ends the recording, and does not just make a gap.
  package func recorder(
    syncInterval: Int = 64, isStrict: Bool = false,
    memoryLimit: Int = KeptSteps.standardLimit, anchoring: Anchoring? = nil
  ) -> Recorder {
    Recorder(
      writer, schedule: policy.schedule, totalSteps: description.steps, syncInterval: syncInterval,
      isStrict: isStrict, memoryLimit: memoryLimit, anchoring: anchoring)
  }

  package var isComplete: Bool {
    writer.hasCheckpoint && writer.lastStep == description.steps
  }
}

/// Makes a prepared folder: an archive whose record 0 fixes data, settings, policy and run seed before
/// anything is trained.
///
/// - Parameters:
///   - path: A folder that does not exist, or that an unfinished preparation left.
///   - points: At least one, in index order; none of an imported archive.
///   - isPrivate: Salts the dataset signatures with a random secret, so that nobody can test a guess.
///   - commit: Logs the commitment and says where it stands; nil makes an archive without a ledger. It
///     is called once, after everything else was checked. What it logged is void if this then fails.
package func prepareRun(
  at path: String, proverKey: VerifyingKey, settings: RunDescription, policy: Policy,
  points: [DataPoint], isPrivate: Bool = false,
  options: ArchiveWriter.Options = ArchiveWriter.Options(),
  commit: (CommitmentRequest) throws(RecordingError) -> OpeningRecord.Commitment? = { _ in nil }
) throws(RecordingError) -> RecordedRun {
  let mayBeEmpty = settings.algorithm == RunDescription.importAlgorithm
  guard mayBeEmpty || !points.isEmpty, points.count <= Int(UInt32.max) else {
    throw RecordingError(
      .badInput, at: "dataset", "there are \(points.count) data points",
      remedy: "give at least one, and less than 2^32")
  }
  guard policy.algorithms.contains(settings.algorithm) else {
    throw RecordingError(
      .badInput, at: "policy",
      "it does not accept the run's algorithm, \(printable(settings.algorithm))",
      remedy: "name the algorithm in the policy's algorithms")
  }
  // The policy is a promise, and a verifier refutes a run that breaks it.
  guard settings.steps >= policy.minimumSteps else {
    throw RecordingError(
      .badInput, at: "policy",
      "it promises \(policy.minimumSteps) steps or more and the run has \(settings.steps)",
      remedy: "lower the policy's minimumSteps, or train longer")
  }
  try archiving { () throws(ArchiveError) in try ArchiveWriter.checkVacant(path) }
  let dataset = DatasetManifest(points: points, secret: isPrivate ? .random() : .open)
  guard policy.datasetRoots.isEmpty || policy.datasetRoots.contains(dataset.root) else {
    throw RecordingError(
      .badInput, at: "policy", "it does not accept this dataset, \(dataset.root)",
      remedy: "name the dataset root in the policy's datasetRoots, or none")
  }
  let runSecret = randomDigest()
  let request = CommitmentRequest(
    proverKey: proverKey, datasetRoot: dataset.root,
    policyDigest: SHA256.hash(.policy, policy.encoded),
    settingsDigest: SHA256.hash(.settings, settings.bytes),
    runSecretDigest: SHA256.hash(.runSecret, runSecret.bytes))
  let opening = OpeningRecord(
    archiveID: randomDigest(), proverKey: proverKey, datasetRoot: dataset.root,
    datasetCount: dataset.count, settingsDigest: request.settingsDigest,
    policyDigest: request.policyDigest, runSecret: runSecret, salt: randomDigest(),
    commitment: try commit(request))
  let writer = try archiving { () throws(ArchiveError) in
    try ArchiveWriter.create(
      at: path, opening: opening, settings: settings.bytes, policy: policy.encoded,
      dataset: dataset, options: options)
  }
  return RecordedRun(writer: writer, description: settings, policy: policy)
}

/// Opens an unsealed archive to go on with its training; what a crash tore off is cut.
package func openRun(
  at path: String, options: ArchiveWriter.Options = ArchiveWriter.Options()
) throws(RecordingError) -> RecordedRun {
  let writer = try archiving { () throws(ArchiveError) in
    try ArchiveWriter.open(at: path, options: options)
  }
  let texts = try archiving { () throws(ArchiveError) in try writer.texts() }
  let policy: Policy
  do throws(ParsingError) {
    policy = try Policy(parsing: texts.policy)
  } catch {
    throw RecordingError(
      .badInput, at: "\(path)/\(ArchiveFiles.policy), byte \(error.offset)", error.reason,
      remedy: "prepare the run again with a valid policy")
  }
  return RecordedRun(
    writer: writer, description: try RunDescription(parsing: texts.settings), policy: policy)
}

private func randomDigest() -> Digest { Digest(randomBytes(Digest.byteCount)) ?? .zero }
