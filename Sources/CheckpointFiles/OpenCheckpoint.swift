internal import ChunkStorage
internal import Glibc
internal import ProofArchive
internal import ProofPrimitives

extension CheckpointSource {
  /// Opens a checkpoint: a file in a format that its first bytes tell, the index of a sharded model,
  /// or a folder of files.
  ///
  /// A link at `path` itself is followed; none is beneath a folder.
  /// - Throws: `CheckpointFileError` with the file and what to do (`spec/conversion.md` §8).
  /// - Complexity: Reads headers, and zip members once to check them; tensors are read later.
  package init(opening path: String) throws(CheckpointFileError) {
    if FileFolder.isFolder(path) {
      self = try CheckpointFolder.read(path)
    } else if path.hasSuffix(".index.json") {
      self = try ShardIndex.read(path)
    } else {
      let file = try storing { () throws(StorageError) in
        try RandomAccessFile(path, followsSymlinks: true)
      }
      let read = try AnyFormat.read(file, name: FileFolder.lastComponent(path))
      try self.init([(read, AnyFormat.names(read))], place: path)
    }
  }
}

/// A single file in any format.
enum AnyFormat {
  static func read(_ file: RandomAccessFile, name: String) throws(CheckpointFileError) -> ReadFile {
    let head = try storing { () throws(StorageError) in
      try file.bytes(0..<min(16, file.byteCount))
    }
    if head.starts(with: [0x50, 0x4b]) {
      let directory = try ZipDirectory(file)
      guard TorchReader.isTorch(directory) else {
        guard directory.members.contains(where: { $0.name.hasSuffix(".npy") }) else {
          throw CheckpointFileError(
            .unsupported, at: file.place,
            "the zip holds neither arrays (.npy) nor a PyTorch pickle (data.pkl)",
            remedy: "give a file of numpy.savez or torch.save")
        }
        return try NumpyArchiveReader.read(file, directory, name: name)
      }
      return try TorchReader.read(file, directory, name: name)
    }
    // A pickle; the long integer is the magic of torch.save before 1.6.
    if head.count >= 2, head[0] == 0x80, (2...5).contains(head[1]) {
      throw CheckpointFileError(
        .unsupported, at: file.place,
        "this is a bare pickle, as PyTorch wrote before 1.6, and could run anything",
        remedy:
          "where you trust it, load it and save it again with a newer PyTorch, or as safetensors")
    }
    if NumpyHeader.isNumpy(head) {
      throw CheckpointFileError(
        .unsupported, at: file.place, "this is a single array without a name",
        remedy: "put it into an archive of arrays with numpy.savez")
    }
    return try SafetensorsReader.read(file, name: name)
  }

  static func names(_ read: ReadFile) -> [TensorName] {
    read.tensors.contains { $0.path.count > 1 }
      ? TorchNames.names(read.tensors) : TensorName.byPrefix(read.tensors)
  }
}
