internal import ChunkStorage
internal import ProofArchive
internal import ProofPrimitives

/// A folder as Hugging Face's Trainer and `save_pretrained` write it (`spec/conversion.md` §3.5).
enum CheckpointFolder {
  /// The first of these that is there is the model.
  static let models = [
    "model.safetensors", "model.safetensors.index.json", "adapter_model.safetensors",
    "pytorch_model.bin", "pytorch_model.bin.index.json",
  ]
  static let optimizers = ["optimizer.pt", "optimizer.bin"]

  static func read(_ path: String) throws(CheckpointFileError) -> CheckpointSource {
    let folder = try FileFolder(path)
    guard let model = models.first(where: { folder.has($0) }) else {
      throw CheckpointFileError(
        .missing, at: path,
        "the folder holds no model: none of \(models.joined(separator: ", "))",
        remedy: "give the checkpoint's file itself")
    }
    var files: [(file: ReadFile, names: [TensorName])] = []
    var taken = Set<[UInt8]>()
    var notes: [String] = []
    let opened = try folder.open(model)
    let parts =
      model.hasSuffix(".index.json")
      ? try ShardIndex.read(opened, name: model, folder: path)
      : [try AnyFormat.read(opened, name: model)]
    for part in parts {
      taken.insert(Array(part.name.utf8))
      files.append((part, TensorName.all(part.tensors, .weight)))
    }
    for name in folder.names where !taken.contains(Array(name.utf8)) {
      let shown = printable(name, limit: 100)
      guard folder.isRegular(name) else {
        notes.append("\(shown) is a folder or a link and was not taken over")
        continue
      }
      let file = try folder.open(name)
      if optimizers.contains(name) {
        let read = try AnyFormat.read(file, name: name)
        files.append((read, TensorName.all(read.tensors, .optimizer)))
      } else if file.byteCount <= FileSkeleton.literalLimit, !models.contains(name) {
        // As bytes: what it says is for the program that wrote it.
        files.append((ReadFile(name: name, file: file, tensors: []), []))
      } else {
        notes.append("\(shown) was not taken over: it is no part of the model that was read")
      }
    }
    if folder.unnamedCount > 0 {
      notes.append("\(folder.unnamedCount) files without a plain name were not taken over")
    }
    return try CheckpointSource(files, notes: notes, place: path)
  }
}
