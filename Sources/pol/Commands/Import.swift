import ArgumentParser
import CheckpointFiles
import Cryptography
import ProofArchive
import ProofPrimitives
import ProofRecording

struct Import: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Make an archive of checkpoints that another program wrote.",
    discussion: """
      Reads safetensors, sharded safetensors, .npz, files of torch.save, checkpoint folders and \
      the reference proofs of learning. Steps are taken from names such as checkpoint-500 or \
      model_step_20. What is not tensor data is kept too: `pol export --format original` gives \
      the same files back, byte for byte.

      Nothing is known of the training between imported checkpoints, and the archive says so: it \
      stores and compares models, and proves no learning.

      Example:
        pol import step10.safetensors step20.safetensors --archive run.pol --key key.pem
      """)

  @Argument(help: "Files, shard indexes or folders, in order.")
  var checkpoints: [String]
  @Option(help: ArgumentHelp("Folder of the new archive.", valueName: "dir"))
  var archive: String
  @Option(
    help: ArgumentHelp(
      "Private key to seal with; without it the archive stays open.", valueName: "file"))
  var key: String?
  @OptionGroup var recording: RecordingOptions
  @OptionGroup var reporting: Reporting

  /// As many files as settings of 1 MiB name with room.
  private static let countLimit = 4096

  func validate() throws {
    guard (1...Import.countLimit).contains(checkpoints.count) else {
      throw ValidationError("give 1 to \(Import.countLimit) checkpoints")
    }
  }

  func run() throws {
    try reporting.run { output in
      let series = try CheckpointSeries(checkpoints)
      for note in series.notes { output.hint(note) }
      let signingKey = try key.map { try loadSigningKey($0) } ?? SigningKey.generate()
      let steps = (series.items.last?.step ?? 0) - (series.items.first?.step ?? 0)
      let run = try prepareRun(
        at: archive, proverKey: signingKey.verifyingKey,
        settings: RunDescription(parsing: settings(series, steps: steps)),
        policy: Policy.proverDefault(
          every: max(1, min(steps, 1 << 30)), algorithm: RunDescription.importAlgorithm,
          steps: steps, passes: 0),
        points: [], options: recording.options(isNew: true, output))
      let byteCount = try append(series, to: run.writer, output)
      try run.writer.sync()
      let seal = try key.map { _ in try sealRun(run, key: signingKey) }
      var rows = [
        ("imported", "\(series.items.count) checkpoints, \(byteText(byteCount)) of tensors"),
        ("archive", printable(archive)), ("archive root", run.writer.root.hex),
      ]
      if let seal { rows.append(("seal digest", seal.digest.hex)) }
      output.rows(rows)
      var members: [(String, JSONValue)] = [
        ("archive", .string(archive)), ("archiveRoot", .string(run.writer.root.hex)),
        ("checkpoints", .int(series.items.count)), ("bytes", .int(byteCount)),
      ]
      if let seal { members.append(("sealDigest", .string(seal.digest.hex))) }
      output.document("pol-import/1", members)
      if seal == nil { output.hint("the archive is not sealed: give --key to sign it") }
      return 0
    }
  }

  private func settings(_ series: CheckpointSeries, steps: Int) -> [UInt8] {
    JSONValue.map([
      ("algorithm", .string(RunDescription.importAlgorithm)),
      (
        "files",
        .array(
          series.items.map { .string(printable(String($0.path.split(separator: "/").last ?? ""))) })
      ),
      ("steps", .int(steps)),
    ]).encoded
  }

  /// Returns bytes of tensors read.
  private func append(
    _ series: CheckpointSeries, to writer: ArchiveWriter, _ output: Output
  ) throws -> Int {
    let progress = ProgressBar("importing")
    var byteCount = 0
    var notes = Set<String>()
    for (position, item) in series.items.enumerated() {
      progress.show(Double(position) / Double(series.items.count), printable(item.path))
      let source = try series.open(position)
      for note in source.notes where notes.insert(note).inserted { output.hint(note) }
      byteCount += source.specs.reduce(0) { $0 + $1.byteCount }
      let before = position == 0 ? item.step : series.items[position - 1].step
      try writer.append(
        source, steps: [],
        gap: position == 0
          ? nil : CheckpointRecord.Gap(lostSteps: item.step - before, cause: "imported"))
    }
    progress.finish()
    return byteCount
  }
}
