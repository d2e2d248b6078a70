import ArgumentParser
import ProofArchive
import ProofPrimitives
import ProofRecording

struct Record: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Record what another trainer reports on standard input.",
    discussion: """
      One JSON object a line in, one out; spec/recorder.md says which. What was reported is \
      durable once a reply's durableStep has reached it.

      Example:
        python train.py | pol record run.pol --key key.pem
      """)

  @Argument(help: "Folder of the archive.")
  var archive: String
  @Option(help: ArgumentHelp("Private key, needed to begin and to finish.", valueName: "file"))
  var key: String?

  @Option(
    help: ArgumentHelp(
      "Ledger, a folder or its service's URL: begin commits there, which proves when the run began.",
      valueName: "dir-or-url"))
  var ledger: String?
  @OptionGroup var trustOptions: LedgerTrustOptions
  @OptionGroup var recording: RecordingOptions
  @OptionGroup var anchorOptions: AnchoringOptions

  func validate() throws {
    guard anchorOptions.anchorEvery == nil || (ledger != nil && key != nil) else {
      throw ValidationError("--anchor-every needs --ledger and --key")
    }
  }

  func run() throws {
    try Reporting.parse([]).run { output in
      let signingKey = try key.map { try loadSigningKey($0) }
      let trust = try ledger == nil ? LedgerTrust() : trustOptions.trust()
      let options = try recording.options(isNew: !isArchive(archive), output)
      let session = RecorderSession(
        archivePath: archive, key: signingKey, options: options,
        commit: { request throws(RecordingError) in
          guard let ledger, let signingKey else { return nil }
          return try logCommitment(request, key: signingKey, ledger: ledger, trust: trust)
        },
        anchor: { run throws(RecordingError) in
          try anchorOptions.anchoring(of: run, ledger: ledger, key: signingKey, trust: trust)
        })
      var lines = LineReader(limit: RecorderSession.lineByteLimit)
      while !session.isSealed, let line = try lines.next() {
        // A trainer that reads no more may still report: what it says is recorded.
        output.answer(String(decoding: session.reply(to: line) + [10], as: UTF8.self))
      }
      if !session.isSealed { try session.flush() }
      if let failure = session.anchorFailure {
        output.talk("warning: the chain's last head is not anchored: \(failure.message)")
        output.hint(failure.remedy)
      }
      guard !session.isSealed else { return 0 }
      if let trouble = session.trouble { throw trouble.error }
      if let step = session.durableStep {
        output.hint("recorded to step \(step); send resume to go on, finish to seal")
      }
      return 0
    }
  }
}
