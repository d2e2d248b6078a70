import ArgumentParser
import ChunkStorage
import ProofArchive

struct Push: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Publish a sealed archive in a folder or on an S3 server.",
    discussion: """
      Files first and the seal last: whoever finds a seal finds all that it names. Every file is \
      compared with the seal before it is sent, and nothing at the target is replaced. Run the \
      same command again after an interruption: what is there already is not sent again.

      For s3:// the environment says who asks: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, \
      AWS_SESSION_TOKEN, AWS_REGION, and POL_S3_ENDPOINT or AWS_ENDPOINT_URL for a server that \
      is not Amazon's.

      Examples:
        pol push run.pol /srv/www/run.pol
        pol push run.pol s3://proofs/run.pol --endpoint https://s3.example.org
      """)

  @Argument(help: ArgumentHelp("Folder of the archive.", valueName: "archive"))
  var archive: String
  @Argument(help: ArgumentHelp("A folder or an s3:// URL.", valueName: "target"))
  var target: String
  @OptionGroup var storeOptions: StoreOptions
  @OptionGroup var reporting: Reporting

  func run() throws {
    try reporting.run { output in
      let transfer = try TransferReport.run("pushing", output) { supervision in
        // The archive is looked at first: a mistake there makes no folder at the target.
        let push = try ArchivePush(archive, supervision)
        return try push.run(to: openObjectStore(target, s3: storeOptions.settings()))
      }
      guard let transfer else { return interruptionStatus() }
      TransferReport.show(transfer, from: archive, to: target, schema: "pol-push/1", output)
      return 0
    }
  }
}

func interruptionStatus() -> Int32 {
  Interruption.signalNumber.map { Interruption.exitStatus($0) } ?? 1
}
