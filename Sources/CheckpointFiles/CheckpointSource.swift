internal import ChunkStorage
package import ProofArchive
internal import ProofPrimitives

/// A checkpoint of another program's, read piece by piece out of its files (`spec/conversion.md`).
///
/// Besides the tensors of the files it has one of role `counter` named `source/N` for each file: the
/// file's skeleton, from which an export restores the file byte for byte.
package struct CheckpointSource: StateSource {
  package let specs: [TensorSpec]
  /// What the user should know: what was not taken over, and what will not come back as it was.
  package let notes: [String]
  private let places: [Place]
  private let gathered = GatheredView()

  private enum Place: Sendable {
    case file(RandomAccessFile, at: Int)
    case strided(RandomAccessFile, StridedView)
    case memory([UInt8])
  }

  /// One for all tensors of a state and four more: two names for one storage (tied weights) are
  /// common, a file of a few bytes that claims to be a model is an attack.
  private static let repeatLimit = 4
  private static let smallByteCount = 16 << 20

  /// - Parameter files: With the role and final name of each file's tensors, in the order of
  ///   `tensors`.
  /// - Throws: `.malformed` when two tensors share a name, or a weight and a buffer do.
  init(
    _ files: [(file: ReadFile, names: [TensorName])], notes: [String] = [], place: String
  ) throws(CheckpointFileError) {
    var placed: [PlacedTensor] = []
    var notes = notes
    var skeletons: [FileSkeleton] = []
    var literalByteCount = 0
    for (file, names) in files {
      var own: [PlacedTensor] = []
      for (tensor, name) in zip(file.tensors, names) {
        guard
          let spec = TensorSpec(
            name: name.name, role: name.role, type: tensor.type, shape: tensor.shape)
        else {
          throw CheckpointFileError(
            .malformed, at: file.file.place,
            "tensor \"\(printable(name.name, limit: 60))\" has a name or a shape that an archive has "
              + "no room for",
            remedy: "rename it: 1 to \(TensorSpec.nameLimit) bytes without control characters")
        }
        own.append(PlacedTensor(spec: spec, file: file.file, bytes: tensor.bytes))
      }
      try CheckpointSource.checkByteCount(own, of: file.file)
      notes += file.notes
      if let skeleton = try FileSkeleton(
        of: file, tensors: own, remaining: FileSkeleton.totalLimit - literalByteCount)
      {
        literalByteCount += skeleton.literalByteCount
        skeletons.append(skeleton)
      } else {
        notes.append("\(file.name) will not come back byte for byte")
      }
      placed += own
    }
    var rows = placed.map { tensor in
      let place: Place =
        switch tensor.bytes {
        case .stored(let offset): .file(tensor.file, at: offset)
        case .inflated(let file, let offset): .file(file, at: offset)
        case .strided(let view): .strided(tensor.file, view)
        }
      return (spec: tensor.spec, place: place)
    }
    for (number, skeleton) in skeletons.enumerated() {
      let bytes = skeleton.encoded
      guard
        let spec = TensorSpec(
          name: FileSkeleton.tensorName(number), role: .counter, type: .u8, shape: [bytes.count])
      else { continue }
      rows.append((spec, .memory(bytes)))
    }
    rows.sort { TensorSpec.precedes($0.spec, $1.spec) }
    specs = rows.map(\.spec)
    places = rows.map(\.place)
    self.notes = notes
    try checkNames(place)
  }

  package func read(
    tensor index: Int, at offset: Int, into out: UnsafeMutableRawBufferPointer
  ) throws(ArchiveError) {
    do throws(StorageError) {
      switch places[index] {
      case .file(let file, let start): try file.read(at: start + offset, into: out)
      case .strided(let file, let view):
        let bytes = try gathered.bytes(index) { () throws(StorageError) in try view.gather(file) }
        copy(bytes, offset, out)
      case .memory(let bytes): copy(bytes, offset, out)
      }
    } catch {
      throw ArchiveError(error)
    }
  }

  private func copy(_ bytes: [UInt8], _ offset: Int, _ out: UnsafeMutableRawBufferPointer) {
    bytes.withUnsafeBytes {
      out.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<offset + out.count]))
    }
  }

  private func checkNames(_ place: String) throws(CheckpointFileError) {
    for (left, right) in zip(specs, specs.dropFirst()) where !TensorSpec.precedes(left, right) {
      throw CheckpointFileError(
        .malformed, at: place,
        "two tensors of role \(left.role.name) are named \"\(printable(left.name, limit: 60))\"",
        remedy: "rename one of them")
    }
    var names = Set<[UInt8]>()
    for spec in specs where spec.role == .weight || spec.role == .buffer {
      guard names.insert(Array(spec.name.utf8)).inserted else {
        throw CheckpointFileError(
          .malformed, at: place,
          "a weight and a buffer are named \"\(printable(spec.name, limit: 60))\"",
          remedy: "rename one of them")
      }
    }
  }

  private static func checkByteCount(
    _ tensors: [PlacedTensor], of file: RandomAccessFile
  ) throws(CheckpointFileError) {
    var left = file.byteCount * repeatLimit + smallByteCount
    for tensor in tensors {
      // What was inflated was bounded when it was.
      if case .inflated = tensor.bytes { continue }
      guard tensor.spec.byteCount <= left else {
        throw CheckpointFileError(
          .limit, at: file.place,
          "its tensors have more than \(repeatLimit) times the bytes of the file, through views that "
            + "overlap", remedy: "save each tensor with its own storage (`tensor.clone()`)")
      }
      left -= tensor.spec.byteCount
    }
  }
}

/// What a tensor of a file is called in the state.
struct TensorName: Sendable {
  let role: TensorRole
  let name: String

  /// Names of tensors that all have one role.
  static func all(_ tensors: [FoundTensor], _ role: TensorRole) -> [TensorName] {
    tensors.map { TensorName(role: role, name: $0.name) }
  }

  /// Names as a state file has them, with the role before a slash (`spec/executor.md` §4), when every
  /// name of the file does; else all are weights.
  static func byPrefix(_ tensors: [FoundTensor]) -> [TensorName] {
    var names: [TensorName] = []
    for tensor in tensors {
      let name = tensor.name
      guard let slash = name.firstIndex(of: "/"),
        let role = TensorRole.allCases.first(where: { $0.name == name[..<slash] })
      else { return all(tensors, .weight) }
      names.append(TensorName(role: role, name: String(name[name.index(after: slash)...])))
    }
    return names
  }
}
