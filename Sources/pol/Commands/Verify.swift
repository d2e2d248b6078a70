import ArgumentParser
import ChunkStorage
import ProofArchive
import ProofPrimitives
import ProofVerification
import TransparencyLedger

struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Judge a proof: verified, refuted, or could not decide.",
    discussion: """
      Fetches the seal and three small tables, draws segments with a fresh nonce, fetches and re-executes \
      those alone, and says how likely a cheat would have been caught.

      Exit status: 0 verified, 2 refuted, 1 could not decide, 64 usage.

      Example:
        pol verify https://example.org/run.pol \\
          --ledger https://example.org/ledger \\
          --ledger-key ledger.vkey --model model.safetensors
      """)

  @Argument(help: ArgumentHelp("The archive.", valueName: "archive-or-url"))
  var archive: String
  @OptionGroup var accessOptions: AccessOptions
  @OptionGroup var ledgerOptions: LedgerOptions
  @Option(help: ArgumentHelp("The file that is claimed to be the model.", valueName: "file"))
  var model: String?
  @Option(help: ArgumentHelp("The receipt that came with the proof.", valueName: "file"))
  var receipt: String?
  @Option(help: ArgumentHelp("Your own policy, JSON.", valueName: "file"))
  var policy: String?
  @Option(help: "Chance of catching the forged fraction.")
  var confidence = VerifierOptions().confidence
  @Option(help: "Fraction of forged segments to catch.")
  var forgedFraction = VerifierOptions().forgedFraction
  @Flag(help: "Re-execute every segment.")
  var full = false
  @Option(help: ArgumentHelp("Draw as another verifier did: 64 hex digits.", valueName: "hex"))
  var nonce: String?
  @Flag(help: "Take a start that nothing proves.")
  var acceptUnprovedStart = false
  @Option(
    help: ArgumentHelp(
      "The archive of a rival claim, verified first; may be repeated.", valueName: "archive-or-url")
  )
  var rival: [String] = []
  @OptionGroup var memoryOptions: HeadMemoryOptions
  @OptionGroup var cacheOptions: CacheOptions
  @OptionGroup var reporting: Reporting

  func validate() throws {
    guard confidence.value > 0, confidence.value < 1 else {
      throw ValidationError("--confidence is between 0 and 1, such as 0.999")
    }
    guard forgedFraction.value > 0 else {
      throw ValidationError("--forged-fraction is above 0 and at most 1, such as 0.05")
    }
    guard
      ledgerOptions.ledger != nil
        || (ledgerOptions.ledgerKey == nil && ledgerOptions.ledgerPolicy == nil && receipt == nil)
    else {
      throw ValidationError(
        "--ledger-key, --ledger-policy and --receipt say nothing without --ledger")
    }
    if let nonce, Digest(hex: nonce) == nil {
      throw ValidationError("--nonce has 64 lower-case hexadecimal digits")
    }
  }

  func run() throws {
    try reporting.run { output in
      let access = try ledgerOptions.open(output)
      var options = try self.options()
      options.isLogKeyPinned = access?.isKeyPinned ?? true
      for other in rival {
        let verdict = try verdict(onRival: other, access)
        if let refuted = RefutedRival(verdict) {
          options.refutedRivals.insert(refuted)
        } else {
          output.hint("the rival \(printable(other)) is not refuted: \(verdict.answer.rawValue)")
        }
      }
      let bar = ProgressBar("verifying")
      let source = try cacheOptions.open(archive)
      let headMemory = try access == nil ? nil : memoryOptions.memory()
      // Only what is known to be the prover's stays for the next run.
      let verdict = try source.dropping(if: { $0.answer != .verified }) {
        Verifier(
          source, ledger: access?.view, headMemory: headMemory, options: options,
          progress: { bar.show($0, $1) }
        ).verify()
      }
      bar.finish()
      for line in VerdictText(verdict).lines { output.line(line) }
      if reporting.json { output.answer(verdict.json.prettyText + "\n") }
      return verdict.answer.exitStatus
    }
  }

  private func options() throws -> VerifierOptions {
    var options = VerifierOptions()
    options.confidence = confidence
    options.forgedFraction = forgedFraction
    options.isFull = full
    options.acceptsUnprovedStart = acceptUnprovedStart
    options.nonce = nonce.flatMap { Digest(hex: $0) }?.bytes ?? []
    options.access = try accessOptions.access()
    options.model = try model.map { try loadModel($0) }
    if let policy {
      let bytes = try DurableFile.readWhole(policy, limit: 1 << 20, followsSymlinks: true)
      options.policy = try CommandFailure.at(policy) {
        try Policy(parsing: bytes, form: .relaxed)
      }
    }
    if let receipt {
      let bytes = try DurableFile.readWhole(
        receipt, limit: LogProof.byteLimit, followsSymlinks: true)
      options.receipt = try CommandFailure.at(receipt) { try LogProof(parsing: bytes) }
    }
    return options
  }

  /// A rival's archive is judged by the same options, without the model of this one.
  ///
  /// Only a refutation takes a rival's claim away. An archive that is damaged, withheld or a mere stub
  /// could not be judged, and the contest stays open.
  private func verdict(onRival location: String, _ access: LedgerAccess?) throws -> Verdict {
    var options = try self.options()
    options.model = nil
    options.receipt = nil
    options.access = .none
    return Verifier(
      try cacheOptions.storeOptions.open(location), ledger: access?.view, headMemory: nil,
      options: options
    ).verify()
  }
}

extension Share: ExpressibleByArgument {
  public init?(argument: String) { self.init(argument) }
}
