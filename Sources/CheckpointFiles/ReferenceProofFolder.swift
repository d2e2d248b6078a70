internal import ChunkStorage
internal import ProofArchive
internal import ProofPrimitives

/// The folder that the reference implementation of Proof-of-Learning leaves: `model_step_N` for each
/// checkpoint, `indices.npy` and `hash.txt` (`spec/conversion.md` §3.6).
struct ReferenceProofFolder: Sendable {
  let path: String
  /// The names of the checkpoints, by step.
  let checkpoints: [(name: String, step: Int)]

  private static let prefix = "model_step_"

  /// Nil for any other folder.
  init?(_ folder: FileFolder) {
    var checkpoints: [(name: String, step: Int)] = []
    for name in folder.names where name.hasPrefix(ReferenceProofFolder.prefix) {
      let digits = name.dropFirst(ReferenceProofFolder.prefix.count)
      // One spelling for each number, so that no two files have one step.
      guard let step = Int(digits), step >= 0, "\(step)" == digits else { continue }
      checkpoints.append((name, step))
    }
    guard !checkpoints.isEmpty else { return nil }
    path = folder.path
    self.checkpoints = checkpoints.sorted { $0.step < $1.step }
  }

  /// What the folder says that an archive cannot take over as it is.
  static let notes = [
    "the steps between two checkpoints are recorded as lost: nothing in the folder ties a step to its "
      + "batch, so no segment of it can be re-executed",
    "hash.txt is kept as bytes: it covers an abridged text of the inputs and no labels, so it is no "
      + "dataset root",
  ]

  /// A checkpoint; the first one carries what the folder holds besides.
  func open(_ position: Int) throws(CheckpointFileError) -> CheckpointSource {
    let folder = try FileFolder(path)
    let name = checkpoints[position].name
    let read = try AnyFormat.read(try folder.open(name), name: name)
    var files = [(file: read, names: AnyFormat.names(read))]
    var notes: [String] = []
    if position == 0 {
      let known = Set(checkpoints.map(\.name))
      for other in folder.names where !known.contains(other) {
        let shown = printable(other, limit: 100)
        guard folder.isRegular(other) else {
          notes.append("\(shown) is a folder or a link and was not taken over")
          continue
        }
        let file = try folder.open(other)
        if other == "indices.npy" {
          files.append(
            (try indices(file, name: other), [TensorName(role: .counter, name: "indices")]))
        } else if other == "hash.txt", file.byteCount <= FileSkeleton.literalLimit {
          files.append((ReadFile(name: other, file: file, tensors: []), []))
        } else {
          notes.append(
            "\(shown) was not taken over: the reference implementation writes no such file")
        }
      }
    }
    return try CheckpointSource(files, notes: notes, place: "\(path)/\(name)")
  }

  /// The indices of all steps, as one tensor of shape [steps, batch].
  private func indices(
    _ file: RandomAccessFile, name: String
  ) throws(CheckpointFileError) -> ReadFile {
    let header = try NumpyHeader.read(file, in: 0..<file.byteCount, place: file.place)
    guard !header.isFortranOrder || header.shape.count <= 1 else {
      throw CheckpointFileError(
        .unsupported, at: file.place, "the indices are in Fortran order",
        remedy: "write them with numpy.ascontiguousarray")
    }
    let tensor = FoundTensor(
      path: ["indices"], type: header.type, shape: header.shape,
      bytes: .stored(at: header.byteCount))
    var notes = [
      "indices.npy is kept as the tensor \"indices\" of the first checkpoint, as the prover's word alone"
    ]
    if let last = checkpoints.last?.step, header.shape.first != last {
      notes.append(
        "indices.npy has \(header.shape.first ?? 0) rows and the last checkpoint is of step \(last)"
      )
    }
    return ReadFile(name: name, file: file, tensors: [tensor], notes: notes)
  }
}
