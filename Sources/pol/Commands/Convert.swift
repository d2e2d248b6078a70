import ArgumentParser
import CheckpointFiles
import ProofArchive
import ProofPrimitives

struct Convert: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write a checkpoint of another program in another format.",
    discussion: """
      Reads safetensors, sharded safetensors, .npz, files of torch.save and checkpoint folders. \
      Nothing in them is executed: a pickle that asks for more than plain tensors is refused.

      Examples:
        pol convert model.pt --out model.safetensors
        pol convert checkpoint-500 --out model --format shards --model-signing-key p256.pem
      """)

  @Argument(help: "A file, a shard index or a folder.")
  var checkpoint: String
  @OptionGroup var target: CheckpointOutput
  @Flag(help: "Also what the optimiser keeps, and the rest.")
  var optimizer = false
  @OptionGroup var reporting: Reporting

  func run() throws {
    try reporting.run { output in
      let source = try CheckpointSource(opening: checkpoint)
      let roles: Set<TensorRole> =
        optimizer ? Set(TensorRole.allCases) : [.weight, .buffer]
      let files = try target.write(source, roles: roles, metadata: [("format", "pt")])
      for note in source.notes { output.hint(note) }
      let count = source.specs.count { roles.contains($0.role) }
      output.rows(
        [("converted", printable(checkpoint)), ("tensors", "\(count)")]
          + files.map { ("file", printable($0)) })
      output.document(
        "pol-convert/1",
        [
          ("files", .array(files.map { .string($0) })), ("tensors", .int(count)),
          ("notes", .array(source.notes.map { .string($0) })),
        ])
      return 0
    }
  }
}
