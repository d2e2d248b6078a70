import ProofArchive
import ProofPrimitives

/// One checkpoint record: its steps, norms and tensors.
struct RecordView {
  private let reader: ArchiveReader
  private let number: Int
  private let record: CheckpointRecord

  init(_ reader: ArchiveReader, number: Int) throws {
    self.reader = reader
    self.number = number
    record = try reader.checkpoint(number)
  }

  private var step: Int { record.step + reader.stepOffset }

  private var norms: [(name: String, bits: UInt64)] {
    [
      ("l1", record.norms.l1), ("l2", record.norms.l2), ("linf", record.norms.linf),
      ("weightL2", record.norms.weightL2),
    ]
  }

  func show(_ output: Output) {
    output.rows([
      ("record", "\(number) of \(reader.index.rows.count - 1)"),
      ("record hash", reader.index.rows[number].hash.hex),
      ("step", "\(step), \(record.steps.count) known since the record before"),
      ("signature root", record.signatureRoot.hex),
      (
        "update",
        norms.map { "\($0.name) \(brief(Double(bitPattern: $0.bits)))" }.joined(separator: "  ")
      ),
    ])
    if let gap = record.gap {
      output.rows([("gap", "\(gap.lostSteps) steps lost: \(printable(gap.cause))")])
    }
    showSteps(output)
    showTensors(output)
    output.document("pol-inspect-record/1", members)
  }

  private func showSteps(_ output: Output) {
    guard !record.steps.isEmpty else { return }
    output.line()
    let lost = record.gap?.lostSteps ?? 0
    output.line("      step  learning rate          loss  points")
    for (offset, step) in record.steps.enumerated() {
      let rate = brief(Double(Float(bitPattern: step.learningRate)))
      let loss = brief(Double(Float(bitPattern: step.loss)))
      output.line(
        "\(record.firstStep + lost + offset)".rightColumn(10) + rate.rightColumn(15)
          + loss.rightColumn(14) + "\(step.batch.count)".rightColumn(8))
    }
  }

  private func showTensors(_ output: Output) {
    output.line()
    let titles = ["tensor".column(29), "role".column(9), "type".column(7), "shape".column(16)]
    output.line((titles + ["chunks"]).joined(separator: " "))
    for (index, spec) in record.specs.enumerated() {
      let digests = chunks(of: index)
      let shown = digests.first.map(\.short) ?? "none"
      let more = digests.count > 1 ? "+\(digests.count - 1)" : ""
      let cells = [
        printable(spec.name, limit: 100).column(29), spec.role.name.column(9),
        spec.type.name.column(7), "\(spec.shape)".column(16), String(shown.prefix(10)) + more,
      ]
      output.line(cells.joined(separator: " "))
    }
  }

  /// The chunks that hold bytes of a tensor.
  private func chunks(of tensor: Int) -> [Digest] {
    record.layout.chunks.indices
      .filter { chunk in record.layout.chunks[chunk].contains { $0.tensor == tensor } }
      .map { record.chunks[$0] }
  }

  private var members: [(String, JSONValue)] {
    let steps = record.steps.enumerated().map { offset, step in
      JSONValue.object([
        JSONValue.Member("step", .int(record.step - record.steps.count + offset)),
        JSONValue.Member("learningRate", .double(Double(Float(bitPattern: step.learningRate)))),
        JSONValue.Member("loss", .double(Double(Float(bitPattern: step.loss)))),
        JSONValue.Member("batch", .array(step.batch.map { JSONValue.int($0) })),
      ])
    }
    let tensors = record.specs.enumerated().map { index, spec in
      JSONValue.object([
        JSONValue.Member("name", .string(spec.name)),
        JSONValue.Member("role", .string(spec.role.name)),
        JSONValue.Member("type", .string(spec.type.name)),
        JSONValue.Member("shape", .array(spec.shape.map { .int($0) })),
        JSONValue.Member("chunks", .array(chunks(of: index).map { .string($0.hex) })),
      ])
    }
    return [
      ("record", .int(number)), ("hash", .string(reader.index.rows[number].hash.hex)),
      ("step", .int(step)), ("signatureRoot", .string(record.signatureRoot.hex)),
      (
        "norms",
        .object(norms.map { .init($0.name, .double(Double(bitPattern: $0.bits))) })
      ),
      ("steps", .array(steps)), ("tensors", .array(tensors)),
    ]
      + (record.gap.map {
        [("gap", .map([("cause", .string($0.cause)), ("lostSteps", .int($0.lostSteps))]))]
      } ?? [])
  }
}
