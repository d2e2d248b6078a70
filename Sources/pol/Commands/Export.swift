import ArgumentParser
import CheckpointFiles
import ChunkStorage
import ProofArchive
import ProofPrimitives

struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write a checkpoint as files of other programs.",
    discussion: """
      Weights and buffers of the last checkpoint, as safetensors, unless told otherwise. The same \
      checkpoint gives the same bytes.

      Examples:
        pol export run.pol --out model.safetensors
        pol export run.pol --step 500 --optimizer --out step500.safetensors
        pol export run.pol --out model --format shards --model-signing-key p256.pem
      """)

  @Argument(help: "Archive, as a folder or a URL (http, https, s3).")
  var archive: String
  @Option(help: "The checkpoint with this record number.")
  var record: Int?
  @Option(help: "The checkpoint at this training step.")
  var step: Int?
  @OptionGroup var target: CheckpointOutput
  @Flag(help: "Also what the optimiser keeps.")
  var optimizer = false
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
      let roles: Set<TensorRole> =
        optimizer ? [.weight, .buffer, .optimizer] : [.weight, .buffer]
      let (reader, number, state) = try source.dropping {
        let reader = try openArchive(source, access: access)
        let number = try checkpointNumber(reader, record: record, step: step)
        return (reader, number, try reader.source(number))
      }
      let exported = reader.index.rows[number].step
      // Loaders of the Transformers library want `format`.
      let files = try target.write(
        state, roles: roles,
        metadata: [
          ("format", "pt"), ("pol.archive_root", reader.index.root.hex),
          ("pol.step", "\(exported)"),
        ])
      let byteCount = try files.reduce(0) { try $0 + RandomAccessFile($1).byteCount }
      output.rows(
        files.map { ("exported", printable($0)) }
          + [("step", "\(exported), record \(number)"), ("size", byteText(byteCount))])
      output.document(
        "pol-export/1",
        [
          ("file", .string(target.out)), ("files", .array(files.map { .string($0) })),
          ("record", .int(number)), ("step", .int(exported)),
          ("bytes", .int(byteCount)),
        ])
      return 0
    }
  }
}
