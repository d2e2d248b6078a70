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
      "Ledger folder: begin commits there, which proves when the run began.", valueName: "dir"))
  var ledger: String?
  @OptionGroup var recording: RecordingOptions

  func run() throws {
    try Reporting.parse([]).run { output in
      let signingKey = try key.map { try loadSigningKey($0) }
      let options = try recording.options(isNew: !isArchive(archive), output)
      let session = RecorderSession(archivePath: archive, key: signingKey, options: options) {
        request throws(RecordingError) in
        guard let ledger, let signingKey else { return nil }
        return try logCommitment(request, key: signingKey, ledger: ledger)
      }
      var lines = LineReader(limit: RecorderSession.lineByteLimit)
      while !session.isSealed, let line = try lines.next() {
        // A trainer that reads no more may still report: what it says is recorded.
        output.answer(String(decoding: session.reply(to: line) + [10], as: UTF8.self))
      }
      guard !session.isSealed else { return 0 }
      try session.flush()
      if let trouble = session.trouble { throw trouble.error }
      if let step = session.durableStep {
        output.hint("recorded to step \(step); send resume to go on, finish to seal")
      }
      return 0
    }
  }
}
