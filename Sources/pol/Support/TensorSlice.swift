import ChunkStorage
import ProofArchive
import ProofPrimitives

/// Bytes of one tensor of a checkpoint: its chunks are fetched, and what they are deltas against.
struct TensorSlice {
  private let source: any StateSource
  private let position: Int
  private let range: Range<Int>
  private let number: Int
  private let step: Int

  /// 4 MiB: one round trip each.
  private static let pieceByteCount = 4 << 20

  /// - Parameter bytes: Nil for all.
  init(_ reader: ArchiveReader, _ number: Int, name: String, bytes: Range<Int>?) throws {
    source = try reader.source(number, readsAhead: false)
    position = try tensorPosition(name, in: source.specs, record: number)
    let byteCount = source.specs[position].byteCount
    range = bytes ?? 0..<byteCount
    self.number = number
    step = reader.index.rows[number].step + reader.stepOffset
    guard range.upperBound <= byteCount else {
      throw CommandFailure(
        code: "missing", place: "record \(number)",
        message: "\(printable(name, limit: 80)) has \(byteCount) bytes",
        remedy: "ask for bytes from 0 to \(byteCount)")
    }
  }

  func write(to path: String, replaces: Bool) throws {
    let file = try DurableFileWriter(path, replaces: replaces)
    for start in stride(from: range.lowerBound, to: range.upperBound, by: Self.pieceByteCount) {
      let count = min(Self.pieceByteCount, range.upperBound - start)
      var piece = [UInt8](repeating: 0, count: count)
      try piece.withUnsafeMutableBytes { try source.read(tensor: position, at: start, into: $0) }
      try file.append(piece)
    }
    try file.finish()
  }

  func show(_ path: String, _ output: Output) {
    let spec = source.specs[position]
    output.rows([
      ("exported", printable(path)),
      ("tensor", "\(printable(spec.name, limit: 512)), \(spec.type.name) \(spec.shape)"),
      ("bytes", "\(range.lowerBound) to \(range.upperBound) of \(spec.byteCount)"),
      ("step", "\(step), record \(number)"),
    ])
    output.document(
      "pol-export-tensor/1",
      [
        ("file", .string(path)), ("tensor", .string(spec.name)), ("role", .string(spec.role.name)),
        ("type", .string(spec.type.name)), ("shape", .array(spec.shape.map { .int($0) })),
        ("start", .int(range.lowerBound)), ("end", .int(range.upperBound)),
        ("record", .int(number)), ("step", .int(step)),
      ])
  }
}
