internal import ChunkStorage
package import ProofArchive
package import ProofPrimitives

/// A file without its tensors' bytes: what stands between them, and which tensor goes where
/// (`spec/conversion.md` §4).
package struct FileSkeleton: Equatable, Sendable {
  package enum Segment: Equatable, Sendable {
    case literal([UInt8])
    /// `range` of the bytes of a tensor.
    case tensor(role: TensorRole, name: String, range: Range<Int>)

    var byteCount: Int {
      switch self {
      case .literal(let bytes): bytes.count
      case .tensor(_, _, let range): range.count
      }
    }
  }

  /// A plain name, without folders.
  package let fileName: String
  package let segments: [Segment]

  /// 64 MiB of one file and 256 MiB of a checkpoint: headers and pickles are far below, and a file
  /// that has more is data that nobody could name.
  static let literalLimit = 64 << 20
  static let totalLimit = 256 << 20
  /// One file's literals, and a name for each of its tensors.
  static let encodedLimit = 1 << 30
  /// A million tensors, and as many gaps between them.
  private static let segmentLimit = 1 << 21
  private static let magic = Array("polskel1".utf8)

  package static func tensorName(_ number: Int) -> String { "source/\(number)" }

  /// Bytes of the file.
  package var byteCount: Int { segments.reduce(0) { $0 + $1.byteCount } }

  var literalByteCount: Int {
    segments.reduce(0) { sum, segment in
      if case .literal(let bytes) = segment { sum + bytes.count } else { sum }
    }
  }

  /// Whether `name` names a file in the folder where it is written, and nothing else.
  package static func isPlain(_ name: String) -> Bool {
    !name.isEmpty && name.utf8.count <= 255 && name != "." && name != ".."
      && !name.unicodeScalars.contains { $0.value < 32 || $0.value == 127 || $0 == "/" }
  }

  /// Nil when the bytes of the file cannot be told apart: a member is compressed, what is no tensor is
  /// larger than a limit, or the name is not plain.
  init?(
    of file: ReadFile, tensors: [PlacedTensor], remaining: Int
  ) throws(CheckpointFileError) {
    guard FileSkeleton.isPlain(file.name) else { return nil }
    var stored: [(range: Range<Int>, spec: TensorSpec)] = []
    for tensor in tensors where tensor.spec.byteCount > 0 {
      switch tensor.bytes {
      case .stored(let offset):
        stored.append((offset..<offset + tensor.spec.byteCount, tensor.spec))
      case .inflated: return nil
      case .strided: continue
      }
    }
    stored.sort {
      ($0.range.lowerBound, -$0.range.upperBound) < ($1.range.lowerBound, -$1.range.upperBound)
    }
    var segments: [Segment] = []
    var cursor = 0
    var left = min(FileSkeleton.literalLimit, remaining)
    func literal(until end: Int) throws(CheckpointFileError) -> Bool {
      guard end > cursor else { return true }
      guard end - cursor <= left else { return false }
      left -= end - cursor
      segments.append(
        .literal(
          try storing { () throws(StorageError) in try file.file.bytes(cursor..<end) }))
      return true
    }
    for (range, spec) in stored where range.upperBound > cursor {
      guard try literal(until: range.lowerBound) else { return nil }
      // Tensors that overlap, such as tied weights: the part that no earlier one gave.
      let begin = max(cursor, range.lowerBound)
      segments.append(
        .tensor(
          role: spec.role, name: spec.name,
          range: begin - range.lowerBound..<range.count))
      cursor = range.upperBound
    }
    guard try literal(until: file.file.byteCount) else { return nil }
    fileName = file.name
    self.segments = segments
  }

  package var encoded: [UInt8] {
    var writer = ByteWriter()
    writer.raw(FileSkeleton.magic)
    writer.string(fileName)
    writer.u64(UInt64(byteCount))
    writer.u32(UInt32(segments.count))
    for segment in segments {
      switch segment {
      case .literal(let bytes):
        writer.u8(0)
        writer.u32(UInt32(bytes.count))
        writer.raw(bytes)
      case .tensor(let role, let name, let range):
        writer.u8(1)
        writer.u8(role.rawValue)
        writer.string(name)
        writer.u64(UInt64(range.lowerBound))
        writer.u64(UInt64(range.count))
      }
    }
    return writer.bytes
  }

  package init(parsing bytes: [UInt8]) throws(ParsingError) {
    var reader = ByteReader(bytes)
    try reader.expect(FileSkeleton.magic, "the magic")
    let nameOffset = reader.offset
    fileName = try reader.string("file name", limit: 255)
    guard FileSkeleton.isPlain(fileName) else {
      throw ParsingError("the file name is not a plain name", at: nameOffset)
    }
    let countOffset = reader.offset
    let byteCount = try reader.u64("file length")
    let count = try reader.count(
      "segment count", itemByteCount: 6, limit: FileSkeleton.segmentLimit)
    var segments: [Segment] = []
    var total = 0
    for _ in 0..<count {
      let segment = try FileSkeleton.segment(&reader)
      if case .literal = segment, case .literal = segments.last {
        throw ParsingError("two literal segments follow each other", at: reader.offset)
      }
      // Each is at most 2^40 and there are at most 2^21: the sum fits.
      total += segment.byteCount
      segments.append(segment)
    }
    guard UInt64(total) == byteCount else {
      throw ParsingError("the segments are not as long as the file", at: countOffset)
    }
    try reader.finish("skeleton")
    self.segments = segments
  }

  private static func segment(_ reader: inout ByteReader) throws(ParsingError) -> Segment {
    let start = reader.offset
    switch try reader.u8("segment kind") {
    case 0:
      let count = try reader.count("literal length", itemByteCount: 1, limit: literalLimit)
      guard count > 0 else { throw ParsingError("a segment is empty", at: start) }
      return .literal(Array(try reader.take(count, "literal")))
    case 1:
      guard let role = TensorRole(rawValue: try reader.u8("role")) else {
        throw ParsingError("the role is not known", at: start + 1)
      }
      let name = try reader.string("tensor name", limit: TensorSpec.nameLimit)
      let offset = try reader.u64("offset")
      let count = try reader.u64("length")
      guard count > 0, count <= UInt64(TensorSpec.byteLimit), offset <= UInt64(TensorSpec.byteLimit)
      else { throw ParsingError("a range is empty or over the limit", at: start) }
      return .tensor(role: role, name: name, range: Int(offset)..<Int(offset) + Int(count))
    default: throw ParsingError("the segment kind is not known", at: start, kind: .unsupported)
    }
  }
}
