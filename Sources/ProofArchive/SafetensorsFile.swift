package import ProofPrimitives

/// The safetensors format: u64 header length, JSON header, tensor bytes.
///
/// Read more strictly than the reference does: duplicate keys, holes, overlaps, unaligned ends and
/// element types without a whole number of bytes are refused. Source: huggingface/safetensors README.
package enum SafetensorsFile {
  /// The reference implementation's own limit on the header.
  package static let headerLimit = 100_000_000
  /// A million tensors; the header's limit would let through a few times as many empty ones.
  private static let tensorLimit = 1 << 20

  /// The tensors of a file; all get `role`.
  ///
  /// - Parameter bytes: The whole file. Tensors are copied out of it.
  package static func parse(_ bytes: [UInt8], role: TensorRole) throws(ParsingError) -> [Tensor] {
    var reader = ByteReader(bytes)
    let claimed = try reader.u64("header length")
    guard claimed <= UInt64(headerLimit), claimed <= UInt64(reader.remaining) else {
      throw ParsingError("the header length is over the file's or the limit", at: 0)
    }
    let header = try reader.take(Int(claimed), "header")
    let start = reader.offset
    let rows = try Self.rows(header: header, dataByteCount: reader.remaining, role: role)
    var tensors: [Tensor] = []
    for row in rows {
      let slice = bytes[start + row.range.lowerBound..<start + row.range.upperBound]
      guard let tensor = Tensor(row.spec, bytes: Array(slice)) else {
        throw ParsingError("a tensor's bytes do not fit its shape", at: start)
      }
      tensors.append(tensor)
    }
    return tensors
  }

  /// A tensor and where its bytes stand, counted from the first byte after the header.
  package struct Row: Sendable {
    package let spec: TensorSpec
    package let range: Range<Int>
  }

  /// The tensors that a header names, in the order of their bytes, which they cover without a hole.
  ///
  /// - Parameters:
  ///   - header: The JSON alone, without its length.
  ///   - dataByteCount: Bytes of the file after the header.
  package static func rows(
    header: some Collection<UInt8>, dataByteCount: Int, role: TensorRole
  ) throws(ParsingError) -> [Row] {
    let start = 8 + header.count
    guard let members = try JSONValue(parsing: header, form: .relaxed).members,
      members.count <= tensorLimit
    else {
      throw ParsingError("the header is not an object of tensors", at: 8)
    }
    var rows: [Row] = []
    for member in members where member.key != "__metadata__" {
      rows.append(try row(member, role: role, dataByteCount: dataByteCount))
    }
    rows.sort {
      ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound)
    }
    var cursor = 0
    for row in rows {
      guard row.range.lowerBound == cursor else {
        throw ParsingError("the tensors leave a hole or overlap", at: start + cursor)
      }
      cursor = row.range.upperBound
    }
    guard cursor == dataByteCount else {
      throw ParsingError("bytes stand after the last tensor", at: start + cursor)
    }
    return rows
  }

  private static func row(
    _ member: JSONValue.Member, role: TensorRole, dataByteCount: Int
  ) throws(ParsingError) -> Row {
    let name = printable(member.key, limit: 60)
    guard !member.key.isEmpty, member.key.utf8.count <= TensorSpec.nameLimit,
      !member.key.unicodeScalars.contains(where: { $0.value < 32 || $0.value == 127 })
    else {
      throw ParsingError(
        "tensor name \"\(name)\" is empty, longer than \(TensorSpec.nameLimit) bytes or holds a "
          + "control character", at: 8)
    }
    guard let typeName = member.value["dtype"]?.stringValue else {
      throw ParsingError("tensor \"\(name)\" names no element type", at: 8)
    }
    guard let type = ElementType(name: typeName) else {
      throw ParsingError(
        "tensor \"\(name)\" has the element type \"\(printable(typeName, limit: 40))\": complex "
          + "numbers and unknown types are not recorded", at: 8, kind: .unsupported)
    }
    let shape = member.value["shape"]?.arrayValue?.map(\.countValue)
    let offsets = member.value["data_offsets"]?.arrayValue?.map(\.countValue)
    guard let shape, let dimensions = unwrapped(shape), let offsets,
      let bounds = unwrapped(offsets),
      bounds.count == 2, bounds[0] <= bounds[1], bounds[1] <= dataByteCount,
      let spec = TensorSpec(name: member.key, role: role, type: type, shape: dimensions),
      spec.byteCount == bounds[1] - bounds[0]
    else {
      throw ParsingError("tensor \"\(name)\" has a shape or offsets that do not fit", at: 8)
    }
    return Row(spec: spec, range: bounds[0]..<bounds[1])
  }

  private static func unwrapped(_ values: [Int?]) -> [Int]? {
    let present = values.compactMap { $0 }
    return present.count == values.count ? present : nil
  }

  /// A file as the reference writer lays it out: larger elements first, then by name; the header
  /// padded with spaces to a multiple of 8. The same tensors give the same bytes.
  package static func encode(_ tensors: [Tensor], metadata: [(String, String)] = []) -> [UInt8] {
    let head = Self.head(of: tensors.map(\.spec), metadata: metadata)
    var bytes = head.bytes
    for index in head.order { bytes += tensors[index].bytes }
    return bytes
  }

  /// All that stands before the tensors' bytes in such a file, and the order in which they follow.
  package static func head(
    of specs: [TensorSpec], metadata: [(String, String)] = []
  ) -> (bytes: [UInt8], order: [Int]) {
    let order = specs.indices.sorted { left, right in
      let (a, b) = (specs[left].type.byteCount, specs[right].type.byteCount)
      if a != b { return a > b }
      return specs[left].name.utf8.lexicographicallyPrecedes(specs[right].name.utf8)
    }
    var members: [JSONValue.Member] = []
    if !metadata.isEmpty {
      members.append(.init("__metadata__", .map(metadata.map { ($0.0, .string($0.1)) })))
    }
    var cursor = 0
    for spec in order.map({ specs[$0] }) {
      let end = cursor + spec.byteCount
      members.append(
        .init(
          spec.name,
          .map([
            ("data_offsets", .array([.int(cursor), .int(end)])),
            ("dtype", .string(spec.type.name)),
            ("shape", .array(spec.shape.map { .int($0) })),
          ])))
      cursor = end
    }
    var header = JSONValue.object(members).encoded
    while header.count % 8 != 0 { header.append(32) }
    var writer = ByteWriter()
    writer.u64(UInt64(header.count))
    writer.raw(header)
    return (writer.bytes, order)
  }
}
