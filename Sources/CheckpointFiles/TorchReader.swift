internal import ChunkStorage
internal import ProofArchive
internal import ProofPrimitives

/// A file that `torch.save` wrote since PyTorch 1.6: a zip with a pickle and one member for each
/// storage (`spec/conversion.md` §3.4). Nothing of it is executed.
struct TorchReader {
  private let file: RandomAccessFile
  private let directory: ZipDirectory
  /// The folder inside of the zip.
  private let root: String
  private let arena: PickleArena
  private var found: [FoundTensor] = []
  private var plainValueCount = 0
  private var visited = 0
  private var checked = Set<String>()

  /// Containers in containers: an optimiser's state has four.
  private static let depthLimit = 32
  /// Visited values: a container that is named many times is visited as often.
  private static let visitLimit = 1 << 22

  /// Whether a zip is one of PyTorch's.
  static func isTorch(_ directory: ZipDirectory) -> Bool {
    directory.members.contains { isPickle($0) }
  }

  private static func isPickle(_ member: ZipMember) -> Bool {
    member.name == "data.pkl" || member.name.hasSuffix("/data.pkl")
  }

  static func read(
    _ file: RandomAccessFile, _ directory: ZipDirectory, name: String
  ) throws(CheckpointFileError) -> ReadFile {
    let pickles = directory.members.filter(isPickle)
    guard pickles.count == 1, let pickle = pickles.first, !pickle.isDeflated else {
      throw ZipDirectory.malformed(
        file, "the zip has no single data.pkl, stored, as PyTorch writes it")
    }
    guard pickle.byteCount <= PickleMachine.byteLimit else {
      throw CheckpointFileError(
        .limit, at: file.place,
        "its pickle has \(pickle.byteCount) bytes, the limit is \(PickleMachine.byteLimit)",
        remedy: "save tensors instead of Python objects")
    }
    try pickle.checkStored(file)
    let bytes = try storing { () throws(StorageError) in try file.bytes(pickle.stored) }
    var machine = PickleMachine(bytes)
    let value: PickleValue
    do throws(ParsingError) {
      value = try machine.run()
    } catch {
      let isForeign = error.kind == .unsupported
      throw CheckpointFileError(
        isForeign ? .unsupported : error.kind == .limit ? .limit : .malformed,
        at: "\(file.place), data.pkl byte \(error.offset)", error.reason,
        remedy: isForeign
          ? "save what is needed as plain tensors: torch.save(model.state_dict(), ...)"
          : CheckpointFileError.again)
    }
    var reader = TorchReader(
      file: file, directory: directory, root: String(pickle.name.dropLast("data.pkl".count)),
      arena: machine.arena)
    try reader.checkByteOrder()
    try reader.collect(value, path: [], depth: 0)
    var result = ReadFile(name: name, file: file, tensors: reader.found)
    if reader.plainValueCount > 0 {
      result.notes.append(
        "\(name): \(reader.plainValueCount) values that are no tensors (numbers, texts) are kept in the "
          + "file's skeleton alone")
    }
    return result
  }

  private init(
    file: RandomAccessFile, directory: ZipDirectory, root: String, arena: PickleArena
  ) {
    self.file = file
    self.directory = directory
    self.root = root
    self.arena = arena
  }

  /// Files before PyTorch 2.1 say nothing, and are little-endian on every machine that is in use.
  private func checkByteOrder() throws(CheckpointFileError) {
    guard let member = directory["\(root)byteorder"] else { return }
    let bytes = try storing { () throws(StorageError) in
      try file.bytes(member.stored.prefix(16))
    }
    guard bytes == Array("little".utf8) else {
      throw CheckpointFileError(
        .unsupported, at: file.place, "its tensors are not little-endian",
        remedy: "load and save it on a little-endian machine")
    }
  }

  /// Depth first, in the order of the pickle. `path` is nil below a key that has no name.
  private mutating func collect(
    _ value: PickleValue, path: [String]?, depth: Int
  ) throws(CheckpointFileError) {
    visited += 1
    guard visited <= TorchReader.visitLimit, depth <= TorchReader.depthLimit else {
      throw CheckpointFileError(
        .limit, at: file.place,
        "its containers nest deeper than \(TorchReader.depthLimit), or in cycles, or name each other "
          + "too often", remedy: "save plain dicts of tensors")
    }
    switch value {
    case .tensor(let index):
      guard let path else {
        throw CheckpointFileError(
          .unsupported, at: file.place,
          "a tensor stands under a key that is no text and no integer",
          remedy: "save it under a text")
      }
      try add(arena.tensors[index], path.isEmpty ? ["tensor"] : path)
    case .dict(let index):
      for item in arena.dicts[index] {
        try collect(item.value, path: try extended(path, item.key), depth: depth + 1)
      }
    case .list(let index): try collect(arena.lists[index], path, depth)
    case .tuple(let index): try collect(arena.tuples[index], path, depth)
    case .storage, .global(.storageType):
      throw CheckpointFileError(
        .unsupported, at: file.place, "a storage stands there without its tensor",
        remedy: "save tensors, not storages")
    case .none, .bool, .int, .text, .global, .other: plainValueCount += 1
    }
  }

  private mutating func collect(
    _ items: [PickleValue], _ path: [String]?, _ depth: Int
  ) throws(CheckpointFileError) {
    for (position, item) in items.enumerated() {
      try collect(item, path: path.map { $0 + ["\(position)"] }, depth: depth + 1)
    }
  }

  private func extended(
    _ path: [String]?, _ key: PickleValue
  ) throws(CheckpointFileError) -> [String]? {
    guard let path else { return nil }
    switch key {
    case .text(let text):
      // Before it is joined: a long key that is used often would be held as often.
      guard text.utf8.count <= TensorSpec.nameLimit else {
        throw CheckpointFileError(
          .limit, at: file.place, "a key has more than \(TensorSpec.nameLimit) bytes",
          remedy: "use shorter names")
      }
      return path + [text]
    case .int(let number): return path + ["\(number)"]
    default: return nil
    }
  }

  private mutating func add(
    _ tensor: TorchTensor, _ path: [String]
  ) throws(CheckpointFileError) {
    let storage = tensor.storage
    let name = printable(path.joined(separator: "/"), limit: 60)
    func refusal(
      _ code: CheckpointFileError.Code, _ message: String, _ remedy: String
    ) -> CheckpointFileError {
      CheckpointFileError(
        code, at: file.place, "the tensor \"\(name)\" \(message)", remedy: remedy)
    }
    guard let member = directory["\(root)data/\(storage.key)"], !member.isDeflated else {
      throw refusal(.malformed, "names a storage that is not there", CheckpointFileError.again)
    }
    if checked.insert(storage.key).inserted { try member.checkStored(file) }
    let width = storage.type.byteCount
    guard member.byteCount / width >= storage.elementCount else {
      throw refusal(
        .malformed, "names a storage that is shorter than it says", CheckpointFileError.again)
    }
    let available = storage.elementCount
    guard tensor.offset <= available,
      StridedView.span(tensor.shape, tensor.strides, 1, limit: available - tensor.offset) != nil
    else {
      throw refusal(.malformed, "reaches out of its storage", CheckpointFileError.again)
    }
    let start = member.stored.lowerBound + tensor.offset * width
    if StridedView.isContiguous(tensor.shape, tensor.strides) {
      found.append(
        FoundTensor(
          path: path, type: storage.type, shape: tensor.shape, bytes: .stored(at: start)))
      return
    }
    guard
      let view = StridedView(
        type: storage.type, shape: tensor.shape, strides: tensor.strides, start: start,
        available: (available - tensor.offset) * width)
    else {
      throw refusal(
        .limit, "is a view that is not contiguous and has more than \(StridedView.byteLimit) bytes",
        "save it with .contiguous()")
    }
    found.append(
      FoundTensor(
        path: path, type: storage.type, shape: tensor.shape, bytes: .strided(view)))
  }
}
