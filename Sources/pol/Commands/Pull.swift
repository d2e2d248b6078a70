import ArgumentParser
import ChunkStorage
import ProofArchive
import Reexecution

struct Pull: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Fetch a sealed archive, or segments of it, into a folder.",
    discussion: """
      Every file is compared with the seal before it gets its name, and the seal comes last. Run \
      the same command again after an interruption: it goes on where it stopped. `pol verify` \
      needs no copy; it reads what it draws from a URL.

      --segments fetches what re-executing those segments takes, and checks all of it; of an encrypted \
      archive that needs a key or a grant. `pol verify`, `inspect` and `check` read the folder without \
      the source; a later pull into it adds segments, or the rest.

      Examples:
        pol pull https://example.org/run.pol run.pol
        pol pull s3://proofs/run.pol run.pol --endpoint https://s3.example.org
        pol pull https://example.org/run.pol part.pol --segments 3,7-9
      """)

  @Argument(help: ArgumentHelp("A folder, or an http, https or s3 URL.", valueName: "source"))
  var source: String
  @Argument(help: ArgumentHelp("Folder for the archive; it is made.", valueName: "archive"))
  var archive: String
  @Option(help: ArgumentHelp("Only these, counted from 0: 3,7-9.", valueName: "list"))
  var segments: String?
  @Flag(help: "With --segments: also the points that a claimed accuracy is counted on.")
  var heldOut = false
  @OptionGroup var accessOptions: AccessOptions
  @OptionGroup var storeOptions: StoreOptions
  @OptionGroup var reporting: Reporting

  func validate() throws {
    if let segments {
      guard SegmentList(segments) != nil else {
        throw ValidationError("--segments is a list of numbers and ranges, such as 3,7-9")
      }
    } else if heldOut || accessOptions.contentKey != nil || accessOptions.grant != nil {
      throw ValidationError("--held-out, --content-key and --grant go with --segments")
    }
  }

  func run() throws {
    try reporting.run { output in
      let transfer = try TransferReport.run("pulling", output) { supervision in
        let source = try storeOptions.open(source, isPulled: true)
        guard let numbers = segments.flatMap({ SegmentList($0)?.numbers }) else {
          return try ArchivePull.pull(source, to: archive, supervision)
        }
        return try ArchivePull.pull(
          source,
          ArchivePull.Selection(
            segments: numbers,
            points: { settings throws(ArchiveError) in
              heldOut ? try heldOutPoints(settings) : nil
            }),
          access: accessOptions.access(), to: archive, supervision)
      }
      guard let transfer else { return interruptionStatus() }
      TransferReport.show(transfer, from: source, to: archive, schema: "pol-pull/1", output)
      return 0
    }
  }
}
