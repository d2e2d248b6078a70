package import ProofArchive
internal import ProofPrimitives

/// Data points out of a safetensors file, for trainers whose data is no CSV (`spec/recorder.md` §5).
///
/// The tensor `inputs` has shape [n, ...], the tensor `labels` is I64 of shape [n]; point i is row i.
package enum SafetensorsDataset {
  /// 16 GiB: the points are held in memory.
  package static let byteLimit = 16 << 30

  package static func points(path: String) throws(RecordingError) -> [DataPoint] {
    try points(parsing: userFile(path, limit: byteLimit), name: path)
  }

  package static func points(
    parsing bytes: [UInt8], name: String
  ) throws(RecordingError) -> [DataPoint] {
    func refusal(_ message: String) -> RecordingError {
      RecordingError(
        .badInput, at: printable(name, limit: 1000), message,
        remedy: "write `inputs` of shape [n, ...] and `labels`, I64 of shape [n]")
    }
    let tensors: [Tensor]
    do throws(ParsingError) {
      tensors = try SafetensorsFile.parse(bytes, role: .buffer)
    } catch {
      throw refusal("\(error.reason) at byte \(error.offset)")
    }
    guard tensors.count == 2, let inputs = tensors.first(where: { $0.spec.name == "inputs" }),
      let labels = tensors.first(where: { $0.spec.name == "labels" })
    else { throw refusal("the file does not hold exactly the tensors inputs and labels") }
    guard let count = inputs.spec.shape.first, count >= 1, count <= Int(UInt32.max),
      labels.spec.type == .i64, labels.spec.shape == [count]
    else { throw refusal("the shapes or types of inputs and labels do not go together") }
    let shape = Array(inputs.spec.shape.dropFirst())
    let rowByteCount = inputs.bytes.count / count
    var points: [DataPoint] = []
    points.reserveCapacity(count)
    for row in 0..<count {
      let label = labels.bytes.withUnsafeBytes {
        Int64(littleEndian: $0.loadUnaligned(fromByteOffset: row * 8, as: Int64.self))
      }
      let bytes = Array(inputs.bytes[row * rowByteCount..<(row + 1) * rowByteCount])
      guard
        let point = DataPoint(type: inputs.spec.type, shape: shape, bytes: bytes, label: label)
      else { throw refusal("a row of inputs is larger than a data point may be") }
      points.append(point)
    }
    return points
  }
}
