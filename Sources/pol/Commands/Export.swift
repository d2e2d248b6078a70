import ArgumentParser
import ChunkStorage
import ProofArchive
import ProofPrimitives

struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write a checkpoint as a safetensors file.",
    discussion: """
      Weights and buffers of the last checkpoint, unless told otherwise. The same checkpoint \
      gives the same bytes.

      Examples:
        pol export run.pol --out model.safetensors
        pol export run.pol --step 500 --optimizer --out step500.safetensors
      """)

  @Argument(help: "Archive, as a folder or a URL (http, https, s3).")
  var archive: String
  @Option(help: "The checkpoint with this record number.")
  var record: Int?
  @Option(help: "The checkpoint at this training step.")
  var step: Int?
  @Option(help: ArgumentHelp("Where the file goes.", valueName: "file"))
  var out: String
  @Flag(help: "Also what the optimiser keeps.")
  var optimizer = false
  @Flag(help: "Replace a file that stands there.")
  var force = false
  @OptionGroup var accessOptions: AccessOptions
  @OptionGroup var cacheOptions: CacheOptions
  @OptionGroup var reporting: Reporting

  func validate() throws {
    if record != nil, step != nil { throw ValidationError("give --record or --step") }
  }

  func run() throws {
    try reporting.run { output in
      let source = try cacheOptions.open(archive)
      let access = try accessOptions.access()
      let (reader, number, bytes) = try source.dropping {
        let reader = try openArchive(source, access: access)
        let number = try checkpointNumber(reader, record: record, step: step)
        return (
          reader, number,
          try reader.safetensors(ofCheckpoint: number, withOptimizer: optimizer)
        )
      }
      try DurableFile.write(bytes, to: out, replaces: force)
      let exported = reader.index.rows[number].step
      output.rows([
        ("exported", printable(out)), ("step", "\(exported), record \(number)"),
        ("size", byteText(bytes.count)),
      ])
      output.document(
        "pol-export/1",
        [
          ("file", .string(out)), ("record", .int(number)), ("step", .int(exported)),
          ("bytes", .int(bytes.count)),
        ])
      return 0
    }
  }
}
