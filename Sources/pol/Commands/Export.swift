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
        pol export https://example.org/run.pol --tensor embed --bytes 0-1048576 --out embed.bin
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
  @Option(help: "The bytes of this tensor alone, as they are recorded. Fetches no other chunk.")
  var tensor: String?
  @Option(
    help: ArgumentHelp("Of --tensor, these bytes: the last one is END - 1.", valueName: "start-end")
  )
  var bytes: String?
  @OptionGroup var accessOptions: AccessOptions
  @OptionGroup var cacheOptions: CacheOptions
  @OptionGroup var reporting: Reporting

  func validate() throws {
    if record != nil, step != nil { throw ValidationError("give --record or --step") }
    guard step ?? 0 >= 0 else { throw ValidationError("--step is 0 or more") }
    if bytes != nil, tensor == nil { throw ValidationError("--bytes is for --tensor") }
    if tensor != nil, optimizer || !target.isPlain {
      throw ValidationError(
        "--tensor writes plain bytes: give it with --out, --force and --bytes only")
    }
    _ = try byteRange()
  }

  /// Nil for all bytes.
  private func byteRange() throws -> Range<Int>? {
    guard let bytes else { return nil }
    let parts = bytes.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
    guard parts.count == 2, let start = parts[0], let end = parts[1], start < end else {
      throw ValidationError("--bytes is two numbers with a dash, such as 0-1048576")
    }
    return start..<end
  }

  func run() throws {
    try reporting.run { output in
      let source = try cacheOptions.open(archive)
      let access = try accessOptions.access()
      if let tensor {
        try source.dropping {
          let reader = try openArchive(source, access: access)
          let number = try checkpointNumber(reader, record: record, step: step)
          let slice = try TensorSlice(reader, number, name: tensor, bytes: try byteRange())
          try slice.write(to: target.out, replaces: target.force)
          slice.show(target.out, output)
        }
        return 0
      }
      let roles: Set<TensorRole> =
        optimizer ? [.weight, .buffer, .optimizer] : [.weight, .buffer]
      let (reader, number, state) = try source.dropping {
        let reader = try openArchive(source, access: access)
        let number = try checkpointNumber(reader, record: record, step: step)
        return (reader, number, try reader.source(number))
      }
      let exported = reader.index.rows[number].step + reader.stepOffset
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
