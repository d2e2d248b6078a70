internal import ChunkStorage
internal import ProofPrimitives

/// The checkpoints that an import makes one archive of, in the order of their steps
/// (`spec/conversion.md` §5). Each is opened when its turn comes.
package struct CheckpointSeries: Sendable {
  package struct Item: Sendable {
    /// File or folder.
    package let path: String
    /// Training step that its name says; else its position.
    package let step: Int
  }

  package let items: [Item]
  /// What concerns all of them.
  package let notes: [String]
  private let reference: ReferenceProofFolder?

  /// A step of fifteen digits is past any training.
  private static let stepDigitLimit = 15

  /// - Parameter paths: Checkpoints; or one folder of the reference implementation, or one with
  ///   `checkpoint-N` folders as a Trainer leaves it.
  /// - Throws: `.malformed` when two checkpoints are of one step.
  package init(_ paths: [String]) throws(CheckpointFileError) {
    var paths = paths
    if paths.count == 1, FileFolder.isFolder(paths[0]) {
      let folder = try FileFolder(paths[0])
      if let reference = ReferenceProofFolder(folder) {
        items = reference.checkpoints.map {
          Item(path: "\(reference.path)/\($0.name)", step: $0.step)
        }
        notes = ReferenceProofFolder.notes
        self.reference = reference
        return
      }
      let inner = folder.names.filter { $0.hasPrefix("checkpoint-") }
        .map { "\(folder.path)/\($0)" }.filter(FileFolder.isFolder)
      if !inner.isEmpty { paths = inner }
    }
    reference = nil
    let steps = paths.map { CheckpointSeries.step(in: FileFolder.lastComponent($0)) }
    let named = steps.compactMap { $0 }
    guard named.count == paths.count, !paths.isEmpty else {
      items = paths.enumerated().map { Item(path: $0.element, step: $0.offset) }
      notes =
        paths.count > 1
        ? ["not every name says a step (step500): they count as one step apart"] : []
      return
    }
    let sorted = zip(paths, named).map { Item(path: $0, step: $1) }.sorted { $0.step < $1.step }
    for (left, right) in zip(sorted, sorted.dropFirst()) where left.step == right.step {
      throw CheckpointFileError(
        .malformed, at: right.path,
        "this and \(printable(left.path)) are both of step \(left.step)",
        remedy: "give one of them")
    }
    items = sorted
    notes = []
  }

  package func open(_ position: Int) throws(CheckpointFileError) -> CheckpointSource {
    if let reference { return try reference.open(position) }
    return try CheckpointSource(opening: items[position].path)
  }

  /// The number after the last `step` or `checkpoint` of a name, with `_` or `-` between or nothing.
  static func step(in name: String) -> Int? {
    let bytes = Array(name.lowercased().utf8)
    var found: Int?
    for word in ["step", "checkpoint"].map({ Array($0.utf8) }) where bytes.count > word.count {
      for start in 0..<(bytes.count - word.count)
      where bytes[start..<start + word.count].elementsEqual(word) {
        var rest = bytes[(start + word.count)...]
        if rest.first == 0x5f || rest.first == 0x2d { rest = rest.dropFirst() }
        let digits = rest.prefix { (0x30...0x39).contains($0) }
        guard digits.count <= stepDigitLimit,
          let step = Int(String(decoding: digits, as: UTF8.self))
        else { continue }
        found = step
      }
      if found != nil { return found }
    }
    return found
  }
}
