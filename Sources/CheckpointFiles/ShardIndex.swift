internal import ChunkStorage
internal import ProofArchive
internal import ProofPrimitives

/// A model in several files, and the `*.index.json` that says which tensor is where
/// (`spec/conversion.md` §3.2).
struct ShardIndex {
  /// Tensor to shard, in the order of the file.
  let places: [(tensor: String, shard: String)]
  /// The shards in the order of their names.
  let shards: [String]

  /// 32 MiB, as for one header: the index of a model with 300,000 tensors.
  private static let byteLimit = SafetensorsReader.headerLimit
  private static let shardLimit = 10_000

  init(parsing bytes: [UInt8], place: String) throws(CheckpointFileError) {
    let json = try parsing(place) { () throws(ParsingError) in
      try JSONValue(parsing: bytes, form: .relaxed)
    }
    guard let members = json["weight_map"]?.members else {
      throw CheckpointFileError(
        .malformed, at: place, "there is no object weight_map", remedy: CheckpointFileError.again)
    }
    var places: [(tensor: String, shard: String)] = []
    var shards = Set<String>()
    for member in members {
      guard let shard = member.value.stringValue, FileSkeleton.isPlain(shard) else {
        throw CheckpointFileError(
          .malformed, at: place,
          "the shard of \"\(printable(member.key, limit: 60))\" is no plain file name",
          remedy: "put all shards into the folder of the index")
      }
      places.append((member.key, shard))
      shards.insert(shard)
    }
    guard shards.count <= ShardIndex.shardLimit else {
      throw CheckpointFileError(
        .limit, at: place,
        "there are \(shards.count) shards, the limit is \(ShardIndex.shardLimit)",
        remedy: "write larger shards")
    }
    self.places = places
    self.shards = shards.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// The index at `path` and the shards beside it.
  static func read(_ path: String) throws(CheckpointFileError) -> CheckpointSource {
    let name = FileFolder.lastComponent(path)
    let folder = String(path.utf8.dropLast(name.utf8.count)) ?? ""
    let file = try storing { () throws(StorageError) in
      try RandomAccessFile(path, followsSymlinks: true)
    }
    let files = try read(file, name: name, folder: folder.isEmpty ? "." : folder)
    return try CheckpointSource(
      files.map { ($0, TensorName.all($0.tensors, .weight)) }, place: path)
  }

  /// The index, without tensors, and then its shards; every tensor is in the shard that the index
  /// says, and the index names every tensor.
  static func read(
    _ file: RandomAccessFile, name: String, folder: String
  ) throws(CheckpointFileError) -> [ReadFile] {
    guard file.byteCount <= byteLimit else {
      throw CheckpointFileError(
        .limit, at: file.place, "the index has \(file.byteCount) bytes, the limit is \(byteLimit)",
        remedy: "check that this is the right file")
    }
    let bytes = try storing { () throws(StorageError) in try file.bytes(0..<file.byteCount) }
    let index = try ShardIndex(parsing: bytes, place: file.place)
    var missing = Dictionary(
      uniqueKeysWithValues: index.places.map { (Array($0.tensor.utf8), $0.shard) })
    var files = [ReadFile(name: name, file: file, tensors: [])]
    for shard in index.shards {
      let opened = try storing { () throws(StorageError) in
        try RandomAccessFile("\(folder)/\(shard)")
      }
      let read = try AnyFormat.read(opened, name: shard)
      for tensor in read.tensors {
        let key = Array(tensor.name.utf8)
        guard let place = missing[key], place.utf8.elementsEqual(shard.utf8) else {
          throw CheckpointFileError(
            .malformed, at: opened.place,
            "the index \(printable(name, limit: 60)) does not place the tensor "
              + "\"\(printable(tensor.name, limit: 60))\" here, or it stands twice",
            remedy: "write the index again")
        }
        missing[key] = nil
      }
      files.append(read)
    }
    if let left = missing.first {
      throw CheckpointFileError(
        .malformed, at: file.place,
        "the tensor \"\(printable(String(decoding: left.key, as: UTF8.self), limit: 60))\" is not in "
          + printable(left.value, limit: 60), remedy: "fetch the shard again")
    }
    return files
  }
}
