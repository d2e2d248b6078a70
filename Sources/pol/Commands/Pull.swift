import ArgumentParser
import ChunkStorage
import ProofArchive

struct Pull: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Fetch a sealed archive into a folder.",
    discussion: """
      Every file is compared with the seal before it gets its name, and the seal comes last. Run \
      the same command again after an interruption: it goes on where it stopped. `pol verify` \
      needs no copy; it reads what it draws from a URL.

      Examples:
        pol pull https://example.org/run.pol run.pol
        pol pull s3://proofs/run.pol run.pol --endpoint https://s3.example.org
      """)

  @Argument(help: ArgumentHelp("A folder, or an http, https or s3 URL.", valueName: "source"))
  var source: String
  @Argument(help: ArgumentHelp("Folder for the archive; it is made.", valueName: "archive"))
  var archive: String
  @OptionGroup var storeOptions: StoreOptions
  @OptionGroup var reporting: Reporting

  func run() throws {
    try reporting.run { output in
      let transfer = try TransferReport.run("pulling", output) { supervision in
        let source = try storeOptions.open(source)
        return try ArchivePull.pull(source, to: archive, supervision)
      }
      guard let transfer else { return interruptionStatus() }
      TransferReport.show(transfer, from: source, to: archive, schema: "pol-pull/1", output)
      return 0
    }
  }
}
