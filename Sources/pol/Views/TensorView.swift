import ProofArchive
import ProofPrimitives

/// One tensor of a checkpoint: what its values look like.
struct TensorView {
  private let reader: ArchiveReader
  private let number: Int
  private let tensor: Tensor

  init(_ reader: ArchiveReader, name: String, number: Int) throws {
    self.reader = reader
    self.number = number
    let specs = try reader.checkpoint(number).specs
    let spec = specs[try tensorPosition(name, in: specs, record: number)]
    guard let found = try reader.state(number, roles: [spec.role])[spec.role, name] else {
      throw CommandFailure(
        code: "internal", place: "record \(number)", message: "the tensor was not loaded",
        remedy: "report this")
    }
    tensor = found
  }

  func show(_ output: Output) {
    let spec = tensor.spec
    let step = reader.index.rows[number].step + reader.stepOffset
    var rows: [(name: String, value: String)] = [
      ("tensor", printable(spec.name, limit: 512)), ("role", spec.role.name),
      ("type", spec.type.name), ("shape", "\(spec.shape)"), ("record", "\(number), step \(step)"),
      ("digest", tensor.digest.hex),
    ]
    var members: [(String, JSONValue)] = [
      ("tensor", .string(spec.name)), ("role", .string(spec.role.name)),
      ("type", .string(spec.type.name)), ("shape", .array(spec.shape.map { .int($0) })),
      ("record", .int(number)), ("step", .int(step)), ("digest", .string(tensor.digest.hex)),
    ]
    let statistics = TensorStatistics(tensor)
    let numbers: [(String, Double)] = [
      ("min", statistics.minimum), ("max", statistics.maximum), ("mean", statistics.mean),
      ("norm", statistics.norm),
    ]
    rows += numbers.map { ($0.0, brief($0.1)) }
    rows.append(("NaN", "\(statistics.notANumberCount) of \(statistics.count)"))
    members += numbers.map { ($0.0, .double($0.1)) }
    members += [
      ("count", .int(statistics.count)), ("nanCount", .int(statistics.notANumberCount)),
      ("infiniteCount", .int(statistics.infiniteCount)),
    ]
    output.rows(rows)
    output.document("pol-inspect-tensor/1", members)
  }
}

/// Where the tensor that a user means stands among those of a record.
func tensorPosition(_ name: String, in specs: [TensorSpec], record number: Int) throws -> Int {
  if let position = specs.firstIndex(where: { $0.name == name }) { return position }
  let names = specs.prefix(6).map { printable($0.name, limit: 40) }.joined(separator: ", ")
  throw CommandFailure(
    code: "missing", place: "record \(number)",
    message: "there is no tensor \(printable(name, limit: 80))",
    remedy: "it holds \(names)\(specs.count > 6 ? ", …" : "")")
}
