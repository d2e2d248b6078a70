import ArgumentParser
import ChunkStorage
import Cryptography
import Glibc
import MerkleTrees
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
        pol verify run.pol --ledger ledger --challenge 9 \\
          --nonce proof-5.challenge --log-verdict --key verifier.pem
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
  @Option(
    help: ArgumentHelp(
      "Draw as another verifier did: 64 hex digits, or the file of a challenge.",
      valueName: "hex-or-file"))
  var nonce: String?
  @Option(
    help: ArgumentHelp(
      "Draw by this challenge on the ledger (see `pol challenge`).", valueName: "index"))
  var challenge: UInt64?
  @Flag(help: "Log the verdict on --ledger, signed with --key.")
  var logVerdict = false
  @Option(help: ArgumentHelp("Your own private key, for --log-verdict.", valueName: "file"))
  var key: String?
  @Option(help: ArgumentHelp("Write the verdict as JSON.", valueName: "file"))
  var report: String?
  @Flag(help: "Take a start that nothing proves.")
  var acceptUnprovedStart = false
  @Option(
    help: ArgumentHelp(
      "The archive of a rival claim, verified first; may be repeated.", valueName: "archive-or-url")
  )
  var rival: [String] = []
  @OptionGroup var timeOptions: TimeTrustOptions
  @Option(
    help: ArgumentHelp(
      "A token over the entry or the receipt's head; may be repeated.", valueName: "file"))
  var token: [String] = []
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
        || (ledgerOptions.ledgerKey == nil && ledgerOptions.ledgerPolicy == nil && receipt == nil
          && token.isEmpty)
    else {
      throw ValidationError(
        "--ledger-key, --ledger-policy, --receipt and --token say nothing without --ledger")
    }
    if let nonce, Digest(hex: nonce) == nil, access(nonce, F_OK) != 0 {
      throw ValidationError("--nonce has 64 lower-case hexadecimal digits, or names a file")
    }
    guard challenge == nil || ledgerOptions.ledger != nil else {
      throw ValidationError("--challenge says nothing without --ledger")
    }
    guard logVerdict == (key != nil), !logVerdict || ledgerOptions.ledger != nil else {
      throw ValidationError("--log-verdict, --key and --ledger go together")
    }
  }

  func run() throws {
    try reporting.run { output in
      let trust = try timeOptions.trust()
      let tokens = try token.map { try loadToken($0) }
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
      let clocks = access.flatMap {
        self.clocks(of: verdict, options, tokens, ClocksReport($0.view, trust, output), $0.view)
      }
      if let clocks {
        output.line("  clocks       of entry \(clocks.index)")
        for line in clocks.lines { output.line("    \(line)") }
        for line in ClocksText.meanings { output.line("  \(line)") }
      }
      let document = json(verdict, clocks).prettyText + "\n"
      if reporting.json { output.answer(document) }
      if let report { try DurableFile.write(Array(document.utf8), to: report) }
      if let key, let ledger = ledgerOptions.ledger {
        let index = try VerdictLog(
          ledger, key: key,
          LedgerTrust(
            policy: try ledgerOptions.ledgerPolicy.map { try loadLedgerPolicy($0) },
            memory: try memoryOptions.memory())
        ).log(
          verdict, report: report == nil ? .zero : SHA256.hash(Array(document.utf8)))
        output.talk("the verdict stands in the log at index \(index)")
      }
      return verdict.answer.exitStatus
    }
  }

  /// Nil where the proof is not on the ledger, or nothing can be said of its time: that changes no verdict.
  private func clocks(
    of verdict: Verdict, _ options: VerifierOptions, _ tokens: [TimestampToken],
    _ report: ClocksReport, _ view: LedgerView
  ) -> ClocksText? {
    guard let index = verdict.ledgerIndex.map({ LeafIndex($0) }),
      let entry = try? view.entry(index)
    else { return nil }
    let receiptHead = options.receipt.flatMap {
      try? SignedTreeHead(note: $0.note, by: view.verifierKey, policy: view.policy)
    }
    return report.clocks(
      of: index, entry.leafHash, heads: receiptHead.map { [$0] } ?? [], tokens: tokens)
  }

  private func json(_ verdict: Verdict, _ clocks: ClocksText?) -> JSONValue {
    guard let clocks, case .object(let members) = verdict.json else { return verdict.json }
    return .object(
      members + [
        .init("clocks", clocks.json), .init("clockMeanings", ClocksText.meaningsJSON),
      ])
  }

  private func options() throws -> VerifierOptions {
    var options = VerifierOptions()
    options.confidence = confidence
    options.forgedFraction = forgedFraction
    options.isFull = full
    options.acceptsUnprovedStart = acceptUnprovedStart
    options.nonce =
      try nonce.map { try Digest(hex: $0) ?? ChallengeDraft.read($0).nonce }?.bytes ?? []
    options.challenge = challenge.map { LeafIndex($0) }
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
    // A challenge is to one proof.
    if options.challenge != nil { (options.challenge, options.nonce) = (nil, []) }
    return Verifier(
      try cacheOptions.storeOptions.open(location), ledger: access?.view, headMemory: nil,
      options: options
    ).verify()
  }
}

extension Share: ExpressibleByArgument {
  public init?(argument: String) { self.init(argument) }
}
