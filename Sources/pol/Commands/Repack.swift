import ArgumentParser
import ChunkStorage
import Glibc
import ProofArchive
import ProofPrimitives

struct Repack: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Store the same records in other packs, in a new folder.",
    discussion: """
      Root, records and digests stay as they are, and so does the old archive. A sealed archive \
      gets a new seal, which takes the prover's key; one that is on a ledger has to be published \
      again, because the ledger names the old seal.

      Examples:
        pol repack run.pol --out small.pol --key key.pem
        pol repack run.pol --out quick.pol --key key.pem --intra
        pol repack run.pol --out new.pol --key key.pem --content-key run.key \\
          --new-content-key new.key
      """)

  @Argument(help: "Archive, as a folder or a URL.")
  var archive: String
  @Option(help: ArgumentHelp("Folder of the new archive.", valueName: "dir"))
  var out: String
  @Flag(help: "Deltas in a tree over eight checkpoints: smallest. This is the default.")
  var tree = false
  @Flag(help: "Deltas against key frames, as while recording.")
  var star = false
  @Flag(help: "No deltas: quickest to read.")
  var intra = false
  @Option(help: ArgumentHelp("Private key that the run was prepared with.", valueName: "file"))
  var key: String?
  @Option(help: ArgumentHelp("Content key of an encrypted archive.", valueName: "file"))
  var contentKey: String?
  @Option(
    help: ArgumentHelp(
      "Encrypt with this key in the next key epoch; it is made if the file is not there.",
      valueName: "file"))
  var newContentKey: String?
  @Option(help: "Threads that compress.")
  var workers = 2
  @OptionGroup var storeOptions: StoreOptions
  @OptionGroup var reporting: Reporting

  func validate() throws {
    guard [tree, star, intra].filter({ $0 }).count <= 1 else {
      throw ValidationError("give one of --tree, --star and --intra")
    }
    guard (1...64).contains(workers) else { throw ValidationError("--workers is 1 to 64") }
  }

  func run() throws {
    try reporting.run { output in
      let access: ArchiveAccess =
        try contentKey.map { .epochKey(try ContentKeyFile.read($0)) } ?? .none
      let signingKey = try key.map { try loadSigningKey($0) }
      let reader = try openArchive(storeOptions.open(archive), access: access)
      var options = ArchiveRepack.Options()
      options.pattern = star ? .star : intra ? .intra : .tree
      options.workers = workers
      options.epochKey = try newContentKey.map { try newKey($0, output) }
      let progress = ProgressBar("repacking")
      defer { progress.finish() }
      let report = try ArchiveRepack.run(reader, to: out, options: options, key: signingKey) {
        progress.show($0)
      }
      progress.finish()
      show(report, options.pattern, output)
      if report.seal == nil {
        output.hint("the new archive is not sealed, as the old one is not")
      } else if reader.opening.commitment != nil {
        output.hint(
          "publish the new archive before anybody verifies it: the ledger names the old seal")
      }
      return 0
    }
  }

  private func newKey(_ path: String, _ output: Output) throws -> EpochKey {
    guard access(path, F_OK) != 0 else { return try ContentKeyFile.read(path) }
    let key = EpochKey.generate()
    try ContentKeyFile.write(key, to: path)
    output.hint("keep \(printable(path)): without it nobody opens the new archive")
    return key
  }

  private func show(_ report: ArchiveRepack.Report, _ pattern: DeltaPattern, _ output: Output) {
    let share =
      report.oldPackByteCount == 0
      ? 0 : Double(report.newPackByteCount) / Double(report.oldPackByteCount)
    var rows = [
      ("repacked", printable(out)), ("archive root", report.root.hex),
      (
        "packs",
        "\(byteText(report.oldPackByteCount)) before, \(byteText(report.newPackByteCount)) now "
          + "(\(fixed(100 * share, 1)) %)"
      ),
      ("frames", "\(report.frames), \(report.deltas) of them deltas (\(pattern.rawValue))"),
    ]
    if let seal = report.seal {
      rows += [("model digest", seal.modelDigest.hex), ("seal digest", seal.digest.hex)]
    }
    output.rows(rows)
    var members: [(String, JSONValue)] = [
      ("archive", .string(out)), ("archiveRoot", .string(report.root.hex)),
      ("pattern", .string(pattern.rawValue)), ("records", .int(report.records)),
      ("frames", .int(report.frames)), ("deltas", .int(report.deltas)),
      ("rawBytes", .int(report.rawByteCount)), ("oldPackBytes", .int(report.oldPackByteCount)),
      ("newPackBytes", .int(report.newPackByteCount)),
    ]
    if let seal = report.seal { members.append(("sealDigest", .string(seal.digest.hex))) }
    output.document("pol-repack/1", members)
  }
}
