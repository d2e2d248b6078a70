import ArgumentParser
import CheckpointFiles
import ChunkStorage
import Cryptography
import ProofArchive
import ProofPrimitives

/// Formats that a checkpoint is written in (`spec/conversion.md` §6).
enum CheckpointFormat: String, ExpressibleByArgument, CaseIterable {
  case safetensors, shards, npz, original
}

/// Where a checkpoint goes and as what: shared by the commands that write one.
struct CheckpointOutput: ParsableArguments {
  @Option(help: ArgumentHelp("Where the file or the folder goes.", valueName: "path"))
  var out: String
  @Option(
    help: ArgumentHelp(
      "safetensors, shards (a folder), npz, or original (a folder of the files that were imported, "
        + "byte for byte). Else by the end of the path.",
      valueName: "format"))
  var format: CheckpointFormat?
  @Option(help: ArgumentHelp("Most megabytes of tensors in a shard.", valueName: "MB"))
  var shardSize = 5000
  @Option(
    help: ArgumentHelp(
      "Sign the folder with this P-256 key in PEM form, for OpenSSF's model_signing; writes model.sig "
        + "into it.", valueName: "file"))
  var modelSigningKey: String?
  @Flag(help: "Put the role before each name, as in a state file: weight/..., optimizer/...")
  var roleNames = false
  @Flag(help: "Replace what stands there.")
  var force = false

  private static let signatureName = "model.sig"

  var chosenFormat: CheckpointFormat {
    if let format { return format }
    return out.hasSuffix(".npz") ? .npz : .safetensors
  }

  /// Whether nothing is said of how files are written.
  var isPlain: Bool { format == nil && modelSigningKey == nil && !roleNames }

  func validate() throws {
    guard (1...1_000_000).contains(shardSize) else {
      throw ValidationError("--shard-size is 1 to 1000000 megabytes")
    }
    let isFolder = chosenFormat == .shards || chosenFormat == .original
    if modelSigningKey != nil, !isFolder {
      throw ValidationError("--model-signing-key signs folders: give --format shards or original")
    }
    if roleNames, chosenFormat != .safetensors {
      throw ValidationError("--role-names is for safetensors")
    }
  }

  /// Writes what is chosen.
  ///
  /// - Parameter roles: Of the tensors; `original` takes what its files are made of.
  /// - Returns: The paths of the files.
  func write(
    _ source: any StateSource, roles: Set<TensorRole>, metadata: [(String, String)]
  ) throws -> [String] {
    let key = try modelSigningKey.map { path in
      let pem = try DurableFile.readWhole(path, limit: 65_536, followsSymlinks: true)
      return try CommandFailure.at(path) { try P256SigningKey(pem: pem) }
    }
    let writer = CheckpointWriter(source, roles: roles, replaces: force)
    var names: [String]
    switch chosenFormat {
    case .safetensors:
      try writer.writeSafetensors(to: out, metadata: metadata, prefixesRoles: roleNames)
      return [out]
    case .npz:
      try writer.writeNumpyArchive(to: out)
      return [out]
    case .shards:
      names = try writer.writeShards(
        to: out, shardByteLimit: shardSize * 1_000_000, metadata: metadata)
    case .original:
      names = try writer.restore(to: out)
      guard !names.isEmpty else {
        throw CommandFailure(
          code: "missing", place: printable(out, limit: 1000),
          message: "the checkpoint keeps no file that it came from",
          remedy: "choose another format")
      }
    }
    if let key {
      let name = CheckpointOutput.signatureName
      let bundle = try ModelSigningBundle.make(folder: out, signatureName: name, key: key)
      try DurableFile.write(bundle, to: "\(out)/\(name)", replaces: force)
      names.append(name)
    }
    return names.map { "\(out)/\($0)" }
  }
}
