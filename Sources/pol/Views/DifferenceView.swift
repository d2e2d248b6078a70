import ProofArchive
import ProofPrimitives

/// Two checkpoints beside each other.
struct DifferenceView {
  private let difference: CheckpointDifference
  private let names: (first: String, second: String)

  init(
    _ a: (reader: ArchiveReader, number: Int), _ b: (reader: ArchiveReader, number: Int)
  ) throws {
    func name(_ side: (reader: ArchiveReader, number: Int)) -> String {
      let step = side.reader.index.rows[side.number].step + side.reader.stepOffset
      return "record \(side.number), step \(step)"
    }
    names = (name(a), name(b))
    let progress = ProgressBar("comparing")
    defer { progress.finish() }
    difference = try CheckpointDifference(a.reader, a.number, b.reader, b.number) {
      progress.show($0)
    }
  }

  func show(_ output: Output) {
    var rows: [(name: String, value: String)] = [
      ("first", names.first), ("second", names.second),
      ("chunks", "\(difference.changedChunkCount) of \(difference.chunkCount) changed"),
      (
        "tensors",
        "\(difference.identicalCount) identical, "
          + "\(difference.tensors.count - difference.identicalCount) changed"
      ),
    ]
    for (name, specs) in [
      ("only first", difference.onlyInFirst), ("only second", difference.onlyInSecond),
    ] where !specs.isEmpty {
      let shown = specs.prefix(4).map { printable($0.name, limit: 40) }.joined(separator: ", ")
      rows.append((name, "\(specs.count): \(shown)\(specs.count > 4 ? ", …" : "")"))
    }
    output.rows(rows)
    let changed = difference.tensors.filter { !$0.isIdentical }
    if !changed.isEmpty {
      output.line()
      output.line(
        "tensor".column(34) + "role".column(10) + "chunks".rightColumn(11) + "l2".rightColumn(12)
          + "linf".rightColumn(12))
    }
    for tensor in changed {
      output.line(
        printable(tensor.spec.name, limit: 100).column(33) + " " + tensor.spec.role.name.column(10)
          + "\(tensor.changedChunkCount)/\(tensor.chunkCount)".rightColumn(11)
          + brief(tensor.l2).rightColumn(12) + brief(tensor.linf).rightColumn(12))
    }
    output.document("pol-inspect-diff/1", members)
  }

  private var members: [(String, JSONValue)] {
    let tensors = difference.tensors.map { tensor in
      JSONValue.object([
        .init("name", .string(tensor.spec.name)), .init("role", .string(tensor.spec.role.name)),
        .init("identical", .bool(tensor.isIdentical)),
        .init("chunks", .int(tensor.chunkCount)),
        .init("changedChunks", .int(tensor.changedChunkCount)),
        .init("l2", .double(tensor.l2)), .init("linf", .double(tensor.linf)),
      ])
    }
    return [
      ("chunks", .int(difference.chunkCount)),
      ("changedChunks", .int(difference.changedChunkCount)),
      ("identicalTensors", .int(difference.identicalCount)), ("tensors", .array(tensors)),
      ("onlyInFirst", .array(difference.onlyInFirst.map { .string($0.name) })),
      ("onlyInSecond", .array(difference.onlyInSecond.map { .string($0.name) })),
    ]
  }
}
