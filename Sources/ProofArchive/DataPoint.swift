package import ProofPrimitives

/// One sample of a dataset with its label, before any transformation.
///
/// Its canonical bytes (`spec/dataset.md` §2) are what a dataset signature covers.
package struct DataPoint: Hashable, Sendable {
  package let type: ElementType
  /// Dimensions, outermost first.
  package let shape: [Int]
  /// Little-endian elements, row-major.
  package let bytes: [UInt8]
  package let label: Int64

  /// More dimensions than any sample has.
  package static let rankLimit = 8
  /// 64 MiB: a large medical image; a sample is held in memory whole.
  package static let byteLimit = 64 << 20

  /// Nil when the shape is out of bounds or does not fit the bytes.
  package init?(type: ElementType, shape: [Int], bytes: [UInt8], label: Int64) {
    guard shape.count <= DataPoint.rankLimit, bytes.count <= DataPoint.byteLimit,
      shape.allSatisfy({ $0 <= Int(UInt32.max) }),
      TensorSpec.byteCount(type, shape, limit: DataPoint.byteLimit) == bytes.count
    else { return nil }
    self.type = type
    self.shape = shape
    self.bytes = bytes
    self.label = label
  }

  package var canonicalBytes: [UInt8] {
    var writer = ByteWriter()
    writer.u8(type.rawValue)
    writer.u8(UInt8(shape.count))
    for dimension in shape { writer.u32(UInt32(dimension)) }
    writer.raw(bytes)
    writer.u64(UInt64(bitPattern: label))
    return writer.bytes
  }

  /// Reads exactly what `canonicalBytes` writes.
  package init(parsing input: ArraySlice<UInt8>) throws(ParsingError) {
    var reader = ByteReader(input)
    guard let type = ElementType(rawValue: try reader.u8("element type")) else {
      throw ParsingError("the element type of a data point is unknown", at: 0)
    }
    let rank = Int(try reader.u8("rank"))
    guard rank <= DataPoint.rankLimit else {
      throw ParsingError("a data point has \(rank) dimensions", at: 1, kind: .limit)
    }
    var shape: [Int] = []
    for _ in 0..<rank { shape.append(Int(try reader.u32("dimension"))) }
    guard let count = TensorSpec.byteCount(type, shape, limit: DataPoint.byteLimit) else {
      throw ParsingError("a data point has more than 64 MiB", at: 2, kind: .limit)
    }
    let payload = Array(try reader.take(count, "elements"))
    let label = Int64(bitPattern: try reader.u64("label"))
    try reader.finish("data point")
    guard let point = DataPoint(type: type, shape: shape, bytes: payload, label: label) else {
      throw ParsingError("the elements of a data point do not fit its shape", at: 2)
    }
    self = point
  }
}
