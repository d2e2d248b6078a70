import ArgumentParser
import ChunkStorage
import ProofArchive
import ProofPrimitives

struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what an archive holds.",
    discussion: """
      Everything shown was checked against the seal, if there is one; whether it is true is for \
      `pol verify`.

      Examples:
        pol inspect run.pol
        pol inspect https://example.org/run.pol --record 12
        pol inspect run.pol --tensor layers.0.weight
        pol inspect run.pol --diff 1 12
        pol inspect run.pol --diff-with other.pol --record 12
        pol inspect run.pol --costs
      """)

  @Argument(help: "Archive, as a folder or a URL (http, https, s3).")
  var archive: String
  @Option(help: "Show this record: 0 is the opening, 1 the first state.")
  var record: Int?
  @Option(help: "Show this tensor, of --record or of the last one.")
  var tensor: String?
  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("Compare two records.", valueName: "a b"))
  var diff: [Int] = []
  @Option(
    help: ArgumentHelp(
      "Compare --record, or the last one, with the same of this archive.", valueName: "archive"))
  var diffWith: String?
  @Flag(help: "Show what each checkpoint costs to store.")
  var costs = false
  @OptionGroup var accessOptions: AccessOptions
  @OptionGroup var cacheOptions: CacheOptions
  @OptionGroup var reporting: Reporting

  func validate() throws {
    guard diff.isEmpty || diff.count == 2 else {
      throw ValidationError("--diff takes two record numbers")
    }
    let views = [!diff.isEmpty, diffWith != nil, costs, tensor != nil].filter { $0 }
    guard views.count <= 1 else {
      throw ValidationError("give one of --diff, --diff-with, --costs and --tensor")
    }
    guard record == nil || (diff.isEmpty && !costs) else {
      throw ValidationError("--record does not go with --diff or --costs")
    }
  }

  func run() throws {
    try reporting.run { output in
      let source = try cacheOptions.open(archive)
      let access = try accessOptions.access()
      try source.dropping { try show(try openArchive(source, access: access), output) }
      return 0
    }
  }

  private func show(_ reader: ArchiveReader, _ output: Output) throws {
    if costs {
      try CostsView(reader).show(output)
    } else if diff.count == 2 {
      let numbers = try diff.map { try checkpointNumber(reader, record: $0, step: nil) }
      try DifferenceView((reader, numbers[0]), (reader, numbers[1])).show(output)
    } else if let diffWith {
      let source = try cacheOptions.open(diffWith)
      try source.dropping {
        let other = try openArchive(source, access: accessOptions.access())
        try DifferenceView(
          (reader, number(reader)),
          (other, checkpointNumber(other, record: record, step: nil))
        ).show(output)
      }
    } else if let tensor {
      try TensorView(reader, name: tensor, number: try number(reader)).show(output)
    } else if record == 0 {
      OpeningView(reader).show(output)
    } else if record != nil {
      try RecordView(reader, number: try number(reader)).show(output)
    } else {
      try ArchiveView(reader, name: archive).show(output)
    }
  }

  private func number(_ reader: ArchiveReader) throws -> Int {
    try checkpointNumber(reader, record: record, step: nil)
  }
}

/// The record that a user means: by its number, by its step, or the last.
func checkpointNumber(_ reader: ArchiveReader, record: Int?, step: Int?) throws -> Int {
  let rows = reader.index.rows
  func refusal(_ message: String, _ remedy: String) -> CommandFailure {
    CommandFailure(
      code: "missing", place: printable(reader.source.location, limit: 1000), message: message,
      remedy: remedy)
  }
  guard rows.count > 1 else {
    throw refusal("there is no checkpoint yet", "train first: `pol train`")
  }
  if let step {
    let offset = reader.stepOffset
    guard let found = rows.indices.dropFirst().first(where: { rows[$0].step + offset == step })
    else {
      let near =
        rows.dropFirst().map { $0.step + offset }.min { abs($0 - step) < abs($1 - step) } ?? 0
      throw refusal("no checkpoint stands at step \(step)", "the nearest one is at step \(near)")
    }
    return found
  }
  let number = record ?? rows.count - 1
  guard (1..<rows.count).contains(number) else {
    throw refusal(
      "there is no checkpoint record \(number)", "records 1 to \(rows.count - 1) are checkpoints")
  }
  return number
}
