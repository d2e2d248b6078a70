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
      stores and compares models, and proves no learning. Without --key it can be measured, checked \
      and exported, but never sealed or published: its key is a random one that nobody keeps.

      Example:
        pol import step10.safetensors step20.safetensors --archive run.pol --key key.pem
      """)

  @Argument(help: "Files, shard indexes or folders, in order.")
  var checkpoints: [String]
  @Option(help: ArgumentHelp("Folder of the new archive.", valueName: "dir"))
  var archive: String
  @Option(
    help: ArgumentHelp(
      "Private key to seal with; without it the archive can never be sealed or published.",
      valueName: "file"))
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
      try checkVacant()
      try readHeads(series)
      let signingKey = try key.map { try loadSigningKey($0) } ?? SigningKey.generate()
      let steps = (series.items.last?.step ?? 0) - (series.items.first?.step ?? 0)
      let run = try prepareRun(
        at: archive, proverKey: signingKey.verifyingKey,
        settings: RunDescription(parsing: settings(series, steps: steps)),
        policy: Policy.proverDefault(
          every: max(1, min(steps, 1 << 30)), algorithm: RunDescription.importAlgorithm,
          steps: steps, passes: 0),
        points: [], options: recording.options(isNew: true, output))
      let byteCount: Int
      do {
        byteCount = try append(series, to: run.writer, output)
        try run.writer.sync()
      } catch {
        throw unfinished(CommandFailure(error))
      }
      let seal = try key.map { _ in try sealRun(run, key: signingKey) }
      let count = series.items.count
      var rows = [
        (
          "imported",
          "\(count) checkpoint\(count == 1 ? "" : "s"), \(byteText(byteCount)) of tensors"
        ),
        ("archive", printable(archive)), ("archive root", run.writer.root.hex),
      ]
      if let seal { rows.append(("seal digest", seal.digest.hex)) }
      output.rows(rows)
      var members: [(String, JSONValue)] = [
        ("archive", .string(archive)), ("archiveRoot", .string(run.writer.root.hex)),
        ("checkpoints", .int(count)), ("bytes", .int(byteCount)),
      ]
      if let seal { members.append(("sealDigest", .string(seal.digest.hex))) }
      output.document("pol-import/1", members)
      if seal == nil {
        output.hint(
          "this archive can be measured, checked and exported, but never sealed or published: import "
            + "again with --key for that")
      }
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
      ("firstStep", .int(series.items.first?.step ?? 0)), ("steps", .int(steps)),
    ]).encoded
  }

  private func checkVacant() throws {
    do {
      try ArchiveWriter.checkVacant(archive)
    } catch {
      let failure = CommandFailure(error as any Error)
      throw CommandFailure(
        code: failure.code, place: failure.place, message: failure.message,
        remedy:
          "choose another folder, or remove this one if it is what an import that failed left: an "
          + "import begins anew")
    }
  }

  /// Opens every checkpoint once before anything is made, so that a file which cannot be read leaves
  /// no folder behind. None stays open: there may be more of them than file descriptors.
  private func readHeads(_ series: CheckpointSeries) throws {
    let progress = ProgressBar("reading heads")
    defer { progress.finish() }
    for (position, item) in series.items.enumerated() {
      progress.show(Double(position) / Double(series.items.count), printable(item.path))
      _ = try series.open(position)
    }
  }

  /// Nothing is deleted: whose the folder's bytes are is for its owner to say.
  private func unfinished(_ failure: CommandFailure) -> CommandFailure {
    let folder = printable(archive, limit: 1000)
    return CommandFailure(
      code: failure.code, place: failure.place, message: failure.message,
      remedy: (failure.remedy.isEmpty ? "" : "\(failure.remedy); ")
        + "remove \(folder), which holds a part of this import, before the next try")
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
