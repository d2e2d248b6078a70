import ArgumentParser
import ChunkStorage
import Cryptography
import ProofArchive
import ProofPrimitives
import ProofRecording
import Reexecution

/// What a new run is made of.
struct PreparationOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Folder with train.csv and test.csv, or a file.", valueName: "data"))
  var data: String?
  @Option(help: ArgumentHelp("Private key (PEM) that will sign the proof.", valueName: "file"))
  var key: String?
  @Option(
    help: ArgumentHelp(
      "Ledger: commits there before the first step, which proves the start.",
      valueName: "dir-or-url"))
  var ledger: String?
  @OptionGroup var trustOptions: LedgerTrustOptions
  @Option(help: "Training steps. (default: 5000)")
  var steps: Int?
  @Option(help: "Steps between checkpoints. (default: 5)")
  var every: Int?
  @Option(help: "Widths from the input to the classes, such as 64,128,10.")
  var layers: String?
  @Option(help: "Points a step. (default: 32)")
  var batch: Int?
  @Option(help: ArgumentHelp("Settings as JSON, instead of the options above.", valueName: "file"))
  var settings: String?
  @Option(help: ArgumentHelp("Policy as JSON, instead of --every.", valueName: "file"))
  var policy: String?
  @Flag(help: "Salt the dataset signatures, so that nobody can test a guess.")
  var privateData = false

  func validate() throws {
    if settings != nil, steps != nil || layers != nil || batch != nil {
      throw ValidationError("--settings already says --steps, --layers and --batch")
    }
    if policy != nil, every != nil { throw ValidationError("--policy already says --every") }
    if let every, !(1...1 << 30).contains(every) { throw ValidationError("--every is at least 1") }
    if let steps, steps < 1 { throw ValidationError("--steps is at least 1") }
    if let batch, batch < 1 { throw ValidationError("--batch is at least 1") }
    if layers != nil, widths == nil {
      throw ValidationError("--layers is a list of widths such as 64,128,10")
    }
  }

  private var widths: [Int]? {
    guard let layers else { return nil }
    let parts = layers.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
    let widths = parts.compactMap { $0 }
    return widths.count == parts.count ? widths : nil
  }

  /// Makes the archive's folder with record 0.
  func prepare(
    at path: String, _ options: ArchiveWriter.Options, _ output: Output
  ) throws -> RecordedRun {
    guard let data, let key else {
      throw CommandFailure(
        code: "missing", place: printable(path), message: "there is no archive here",
        remedy: "check the path; to start a run, give --data and --key")
    }
    let signingKey = try loadSigningKey(key)
    let dataset = try CSVDataset(path: data)
    let settings = try runSettings(for: dataset)
    try settings.check(datasetCount: dataset.points.count)
    // Now, not after the commitment: every point has to fit the network.
    _ = try PreparedPoints(dataset.points, settings: settings)
    let policy = try runPolicy(for: settings)
    try keeps(settings, policy)
    warn(settings, policy, output)
    let trust = try ledger == nil ? LedgerTrust() : trustOptions.trust()
    return try prepareRun(
      at: path, proverKey: signingKey.verifyingKey,
      settings: RunDescription(parsing: settings.canonicalBytes), policy: policy,
      points: dataset.points, isPrivate: privateData, options: options
    ) { request throws(RecordingError) in
      try ledger.map { path throws(RecordingError) in
        try logCommitment(request, key: signingKey, ledger: path, trust: trust)
      }
    }
  }

  private func runSettings(for dataset: CSVDataset) throws -> RunSettings {
    if let settings {
      let bytes = try DurableFile.readWhole(
        settings, limit: RunDescription.byteLimit, followsSymlinks: true)
      return try CommandFailure.at(settings) {
        try RunSettings(parsing: RunDescription(parsing: bytes, form: .relaxed).bytes)
      }
    }
    var choices = RunSettings.Choices()
    choices.layers = widths
    if let steps { choices.steps = steps }
    if let batch { choices.batchSize = batch }
    return try RunSettings.forDataset(
      trainingCount: dataset.trainingCount, heldOutCount: dataset.heldOutCount,
      featureCount: dataset.featureCount, classCount: dataset.classCount,
      largestMagnitude: dataset.largestMagnitude, choices: choices)
  }

  private func runPolicy(for settings: RunSettings) throws -> Policy {
    guard let policy else {
      return Policy.proverDefault(
        every: every ?? 5, steps: settings.steps, passes: PreparationOptions.passes(settings))
    }
    let bytes = try DurableFile.readWhole(
      policy, limit: RunDescription.byteLimit, followsSymlinks: true)
    return try readPolicy(bytes, name: policy)
  }

  private static func passes(_ settings: RunSettings) -> Int {
    settings.steps / settings.batchesPerEpoch
  }

  /// Refuses a run that would break the policy it commits to: a verifier refutes such a run.
  private func keeps(_ settings: RunSettings, _ policy: Policy) throws {
    func refusal(_ message: String) -> CommandFailure {
      CommandFailure(
        code: "policy", place: printable(self.policy ?? "policy"),
        message: "the run would break its own policy: \(message)",
        remedy: "change the settings, or promise less in the policy")
    }
    guard PreparationOptions.passes(settings) >= policy.minimumPasses else {
      throw refusal("fewer passes over the data than \(policy.minimumPasses)")
    }
    for step in 0..<settings.steps {
      let rate = settings.learningRate(ofStep: step)
      guard rate >= policy.learningRateFloor, rate <= policy.learningRateCeiling else {
        throw refusal("the learning rate of step \(step) is \(rate)")
      }
    }
  }

  /// What a verifier with the default policy would not decide, said before the work and not after it.
  private func warn(_ settings: RunSettings, _ policy: Policy, _ output: Output) {
    let usual = Policy.verifierDefault
    func hint(_ what: String) {
      output.hint("verifiers could not decide this run by their default policy: \(what)")
    }
    if settings.steps < usual.minimumSteps {
      hint("it has \(settings.steps) steps, they want \(usual.minimumSteps)")
    }
    if PreparationOptions.passes(settings) < usual.minimumPasses {
      hint("it does not see all its data once")
    }
    if let longest = policy.schedule.phases.map(\.every).max(),
      longest > usual.schedule.longest(at: 0)
    {
      hint("segments of \(longest) steps, they want at most \(usual.schedule.longest(at: 0))")
    }
  }

  /// The key that was given.
  func signingKey() throws -> SigningKey? { try key.map { try loadSigningKey($0) } }

  /// A key that is given for a run that goes on has to be its own.
  func checkKey(of run: RecordedRun) throws {
    guard let key else { return }
    guard try signingKey()?.verifyingKey == run.writer.opening.proverKey else {
      throw CommandFailure(
        code: "malformed", place: printable(key),
        message: "this is not the key that the run was prepared with",
        remedy: "leave --key out, or give the right one")
    }
  }
}
