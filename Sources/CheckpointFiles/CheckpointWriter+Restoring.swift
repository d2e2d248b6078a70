internal import ChunkStorage
internal import ProofArchive
internal import ProofPrimitives

extension CheckpointWriter {
  /// The files that the checkpoint was imported from, by their numbers; empty when it was not.
  ///
  /// - Throws: `.malformed` when a skeleton breaks its format, or two of them name one file or one
  ///   tensor; so all files together are never larger than the checkpoint.
  package func skeletons() throws(CheckpointFileError) -> [FileSkeleton] {
    var numbered: [(number: Int, skeleton: FileSkeleton)] = []
    var files = Set<[UInt8]>()
    var tensors = Set<TensorKey>()
    for (index, spec) in source.specs.enumerated() {
      guard let number = CheckpointWriter.skeletonNumber(spec) else { continue }
      guard spec.byteCount <= FileSkeleton.encodedLimit else {
        throw refusal(number, "has \(spec.byteCount) bytes, over the limit", .limit)
      }
      var bytes: [UInt8] = []
      bytes.reserveCapacity(spec.byteCount)
      try pieces(index, 0..<spec.byteCount) { bytes += $0 }
      let skeleton = try parsing("the tensor source/\(number)") { () throws(ParsingError) in
        try FileSkeleton(parsing: bytes)
      }
      guard files.insert(Array(skeleton.fileName.utf8)).inserted else {
        throw refusal(number, "names a file that another one names")
      }
      for case .tensor(let role, let name, _) in skeleton.segments {
        guard tensors.insert(TensorKey(role: role, name: Array(name.utf8))).inserted else {
          throw refusal(number, "names \"\(printable(name, limit: 60))\" for the second time")
        }
      }
      numbered.append((number, skeleton))
    }
    return numbered.sorted { $0.number < $1.number }.map(\.skeleton)
  }

  /// Writes the files that the checkpoint was imported from into `folder`, byte for byte.
  ///
  /// - Returns: Their names; empty when the checkpoint was not imported.
  @discardableResult
  package func restore(to folder: String) throws(CheckpointFileError) -> [String] {
    let skeletons = try skeletons()
    guard !skeletons.isEmpty else { return [] }
    try storing { () throws(StorageError) in _ = try DurableFile.createDirectory(folder) }
    for skeleton in skeletons {
      try restore(skeleton, to: "\(folder)/\(skeleton.fileName)")
    }
    return skeletons.map(\.fileName)
  }

  /// Writes one of `skeletons()` to `path`, whatever it was called.
  package func restore(
    _ skeleton: FileSkeleton, to path: String
  ) throws(CheckpointFileError) {
    var positions: [TensorKey: Int] = [:]
    for (index, spec) in source.specs.enumerated() {
      positions[TensorKey(role: spec.role, name: Array(spec.name.utf8))] = index
    }
    let file = try open(path)
    for segment in skeleton.segments {
      switch segment {
      case .literal(let bytes):
        try storing { () throws(StorageError) in try file.append(bytes) }
      case .tensor(let role, let name, let range):
        guard let index = positions[TensorKey(role: role, name: Array(name.utf8))],
          range.upperBound <= source.specs[index].byteCount
        else {
          throw CheckpointFileError(
            .malformed, at: path,
            "the \(role.name) tensor \"\(printable(name, limit: 60))\" that the file was made of is not "
              + "there, or is shorter", remedy: "export the tensors themselves, as safetensors")
        }
        try pieces(index, range) { piece throws(StorageError) in try file.append(piece) }
      }
    }
    try storing { () throws(StorageError) in try file.finish() }
  }

  private func refusal(
    _ number: Int, _ message: String, _ code: CheckpointFileError.Code = .malformed
  ) -> CheckpointFileError {
    CheckpointFileError(
      code, at: "the tensor source/\(number)", "the skeleton \(message)",
      remedy: "export the tensors themselves, as safetensors")
  }
}

/// A role and a name, compared by bytes.
private struct TensorKey: Hashable {
  let role: TensorRole
  let name: [UInt8]
}
