internal import ChunkStorage
package import ProofArchive
internal import ProofPrimitives

/// A labelled dataset out of CSV files: one sample a line, integers between commas, the label last.
///
/// Nothing else is read: no header, no quotes, no spaces, no fractions. A sample becomes a data point
/// of shape [features] with the smallest of the element types U8, I16 and I32 that holds every feature
/// of the whole dataset, so that the dataset root is a function of the numbers alone.
package struct CSVDataset: Sendable {
  /// Training samples first, then the held-out ones.
  package let points: [DataPoint]
  package let trainingCount: Int
  package let featureCount: Int
  /// One more than the largest label.
  package let classCount: Int

  package var heldOutCount: Int { points.count - trainingCount }

  /// 1 GiB: the file is held in memory.
  package static let byteLimit = 1 << 30
  /// Features of one sample and its label: more than the widest layer takes.
  package static let columnLimit = 65_537

  /// Reads a folder that holds `train.csv` and `test.csv`, or one file without held-out samples.
  package init(path: String) throws(RecordingError) {
    if isDirectory(path) {
      let folder = path.hasSuffix("/") ? String(path.dropLast()) : path
      let names = ["\(folder)/train.csv", "\(folder)/test.csv"]
      try self.init(
        training: (names[0], try userFile(names[0], limit: CSVDataset.byteLimit)),
        heldOut: (names[1], try userFile(names[1], limit: CSVDataset.byteLimit)))
    } else {
      try self.init(training: (path, try userFile(path, limit: CSVDataset.byteLimit)), heldOut: nil)
    }
  }

  /// - Parameters:
  ///   - training: A name for messages, and the bytes.
  ///   - heldOut: Nil for none.
  package init(
    training: (name: String, bytes: [UInt8]), heldOut: (name: String, bytes: [UInt8])?
  ) throws(RecordingError) {
    var parser = CSVParser(training.name, training.bytes)
    var table = try parser.table(featureCount: nil)
    trainingCount = table.labels.count
    featureCount = table.featureCount
    if let heldOut {
      var parser = CSVParser(heldOut.name, heldOut.bytes)
      table.append(try parser.table(featureCount: table.featureCount))
    }
    points = table.points
    classCount = Int(table.labels.max() ?? 0) + 1
  }
}

/// The numbers of a file.
private struct CSVTable {
  let featureCount: Int
  /// Row after row.
  var features: [Int32] = []
  var labels: [Int32] = []

  mutating func append(_ other: CSVTable) {
    features += other.features
    labels += other.labels
  }

  var points: [DataPoint] {
    let least = features.min() ?? 0
    let most = features.max() ?? 0
    let type: ElementType =
      if least >= 0, most <= 255 {
        .u8
      } else if least >= -32_768, most <= 32_767 { .i16 } else { .i32 }
    return labels.indices.compactMap { row in
      var bytes: [UInt8] = []
      bytes.reserveCapacity(featureCount * type.byteCount)
      for value in features[row * featureCount..<(row + 1) * featureCount] {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0[0..<type.byteCount]) }
      }
      return DataPoint(
        type: type, shape: [featureCount], bytes: bytes, label: Int64(labels[row]))
    }
  }
}

private struct CSVParser {
  private let name: String
  private let bytes: [UInt8]
  private var offset = 0
  private var line = 1
  private var lineStart = 0

  init(_ name: String, _ bytes: [UInt8]) {
    self.name = name
    self.bytes = bytes
  }

  /// - Parameter featureCount: What every line has to have; nil takes the first line's.
  mutating func table(featureCount: Int?) throws(RecordingError) -> CSVTable {
    guard !bytes.isEmpty else { throw refusal("the file is empty") }
    var table: CSVTable?
    var row: [Int32] = []
    while offset < bytes.count {
      row.removeAll(keepingCapacity: true)
      repeat {
        guard row.count < CSVDataset.columnLimit else {
          throw refusal("a line has more than \(CSVDataset.columnLimit) numbers")
        }
        row.append(try integer())
      } while try !takeSeparator()
      let wanted = table?.featureCount ?? featureCount ?? row.count - 1
      guard row.count == wanted + 1 else {
        throw refusal(
          "the line has \(row.count) numbers, the lines before have \(wanted + 1)", wholeLine: true)
      }
      guard let label = row.popLast(), wanted > 0 else {
        throw refusal("a line needs a feature and a label", wholeLine: true)
      }
      guard label >= 0 else {
        throw refusal("the label \(label) is negative: labels count from 0", wholeLine: true)
      }
      if table == nil { table = CSVTable(featureCount: wanted) }
      table?.features += row
      table?.labels.append(label)
      nextLine()
    }
    guard let table else { throw refusal("the file has no sample") }
    return table
  }

  /// A minus sign, and up to ten digits within 32 bits.
  private mutating func integer() throws(RecordingError) -> Int32 {
    let start = offset
    if offset < bytes.count, bytes[offset] == 45 { offset += 1 }
    let firstDigit = offset
    while offset < bytes.count, (48...57).contains(bytes[offset]) { offset += 1 }
    let isEnded = offset == bytes.count || [44, 10, 13].contains(bytes[offset])
    guard isEnded, offset > firstDigit, offset - firstDigit <= 10,
      let value = Int32(String(decoding: bytes[start..<offset], as: UTF8.self))
    else {
      let end = bytes[start...].firstIndex { [44, 10, 13].contains($0) } ?? bytes.count
      offset = start
      let field = String(decoding: bytes[start..<min(end, start + 40)], as: UTF8.self)
      throw refusal(
        field.isEmpty ? "a number is missing" : "\"\(printable(field))\" is no integer of 32 bits")
    }
    return value
  }

  /// True at the end of a line, false after a comma.
  private mutating func takeSeparator() throws(RecordingError) -> Bool {
    guard offset < bytes.count else { return true }
    if bytes[offset] == 44 {
      offset += 1
      return false
    }
    if bytes[offset] == 13 {
      guard offset + 1 < bytes.count, bytes[offset + 1] == 10 else {
        throw refusal("a carriage return without a line feed")
      }
      offset += 1
    }
    return true
  }

  private mutating func nextLine() {
    if offset < bytes.count { offset += 1 }
    line += 1
    lineStart = offset
  }

  private func refusal(_ message: String, wholeLine: Bool = false) -> RecordingError {
    let column = wholeLine ? "" : ", column \(offset - lineStart + 1)"
    return RecordingError(
      .badInput, at: "\(printable(name, limit: 1000)), line \(line)\(column)", message,
      remedy: "write one sample a line: integers between commas, the label last")
  }
}
