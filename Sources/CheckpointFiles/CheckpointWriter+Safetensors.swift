internal import ChunkStorage
internal import ProofArchive
internal import ProofPrimitives

extension CheckpointWriter {
  /// A safetensors file, laid out as `SafetensorsFile.encode` does: the same checkpoint gives the same
  /// bytes.
  ///
  /// - Parameter prefixesRoles: Names as in a state file, `weight/...` (`spec/executor.md` §4); else two
  ///   tensors of different roles must not share one.
  /// - Returns: Bytes written.
  @discardableResult
  package func writeSafetensors(
    to path: String, metadata: [(String, String)] = [], prefixesRoles: Bool = false
  ) throws(CheckpointFileError) -> Int {
    let specs = try names(prefixesRoles: prefixesRoles, place: path)
    return try writeSafetensors(
      Array(zip(chosen, specs)), to: path, metadata: metadata)
  }

  /// Safetensors files of at most `shardByteLimit` tensor bytes each, or of one larger tensor, and the
  /// index that Hugging Face's loaders read; it is written last.
  ///
  /// - Returns: The files' names.
  @discardableResult
  package func writeShards(
    to folder: String, shardByteLimit: Int, metadata: [(String, String)] = []
  ) throws(CheckpointFileError) -> [String] {
    precondition(shardByteLimit > 0)
    let specs = try names(prefixesRoles: false, place: folder)
    var shards: [[(Int, TensorSpec)]] = []
    var room = 0
    for (index, spec) in zip(chosen, specs) {
      if shards.isEmpty || spec.byteCount > room {
        shards.append([])
        room = shardByteLimit
      }
      shards[shards.count - 1].append((index, spec))
      room -= min(room, spec.byteCount)
    }
    try storing { () throws(StorageError) in _ = try DurableFile.createDirectory(folder) }
    var places: [(String, JSONValue)] = []
    var files: [String] = []
    for (number, shard) in shards.enumerated() {
      let name = "model-\(padded(number + 1))-of-\(padded(shards.count)).safetensors"
      try writeSafetensors(shard, to: "\(folder)/\(name)", metadata: metadata)
      files.append(name)
      places += shard.map { ($0.1.name, .string(name)) }
    }
    let total = specs.reduce(0) { $0 + $1.byteCount }
    let index = JSONValue.map([
      ("metadata", .map([("total_size", .int(total))])), ("weight_map", .map(places)),
    ])
    let name = "model.safetensors.index.json"
    try storing { () throws(StorageError) in
      try DurableFile.write(
        Array((index.prettyText + "\n").utf8), to: "\(folder)/\(name)", replaces: replaces)
    }
    return files + [name]
  }

  private func padded(_ number: Int) -> String {
    let digits = "\(number)"
    return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
  }

  @discardableResult
  private func writeSafetensors(
    _ tensors: [(index: Int, spec: TensorSpec)], to path: String, metadata: [(String, String)]
  ) throws(CheckpointFileError) -> Int {
    let head = SafetensorsFile.head(of: tensors.map(\.spec), metadata: metadata)
    let file = try open(path)
    try storing { () throws(StorageError) in try file.append(head.bytes) }
    for position in head.order { try append(tensors[position].index, to: file) }
    try storing { () throws(StorageError) in try file.finish() }
    return file.byteCount
  }

  /// The specs of what is chosen, under the names that they get in the file.
  func names(prefixesRoles: Bool, place: String) throws(CheckpointFileError) -> [TensorSpec] {
    var specs: [TensorSpec] = []
    var seen = Set<[UInt8]>()
    for spec in chosen.map({ source.specs[$0] }) {
      let name = prefixesRoles ? "\(spec.role.name)/\(spec.name)" : spec.name
      guard
        let renamed = TensorSpec(name: name, role: spec.role, type: spec.type, shape: spec.shape)
      else {
        throw CheckpointFileError(
          .limit, at: place, "the name \"\(printable(name, limit: 60))\" is too long",
          remedy: "export without the roles in the names")
      }
      guard seen.insert(Array(name.utf8)).inserted else {
        throw CheckpointFileError(
          .unsupported, at: place,
          "two tensors are named \"\(printable(name, limit: 60))\", which the format has no room for",
          remedy: "export one role, or with the roles in the names")
      }
      specs.append(renamed)
    }
    return specs
  }
}
