package import ProofArchive

/// Data points decoded once: a row of scaled features and a label each.
///
/// A value of this type fits the settings it was made for, so a step checks nothing but the indices.
package struct PreparedPoints: Sendable {
  /// Features, shape [count, input width], row-major, already times the input scale.
  let features: [Float]
  let labels: [Int32]
  let inputCount: Int
  let classCount: Int
  private let rows: [UInt32: Int]

  package var count: Int { labels.count }

  /// Decodes points by dataset index.
  ///
  /// - Throws: `.badDataPoint` with the index of the first point (in index order) that does not fit.
  package init(
    _ points: [UInt32: DataPoint], settings: RunSettings
  ) throws(ReexecutionError) {
    let ordered = points.sorted { $0.key < $1.key }
    var rows: [UInt32: Int] = [:]
    rows.reserveCapacity(ordered.count)
    for (row, pair) in ordered.enumerated() { rows[pair.key] = row }
    try self.init(
      ordered.map(\.value), rows: rows, names: { "data point \(ordered[$0].key)" },
      settings: settings)
  }

  /// Decodes points that lie at consecutive indices from `first`, such as a whole dataset.
  package init(
    _ points: [DataPoint], first: UInt32 = 0, settings: RunSettings
  ) throws(ReexecutionError) {
    guard points.count <= RunSettings.indexLimit - Int(first) else {
      throw ReexecutionError(
        .badDataPoint, "the points reach past index 2^32 - 1", remedy: "give fewer points")
    }
    var rows: [UInt32: Int] = [:]
    rows.reserveCapacity(points.count)
    for row in points.indices { rows[first + UInt32(row)] = row }
    try self.init(
      points, rows: rows, names: { "data point \(Int(first) + $0)" }, settings: settings)
  }

  private init(
    _ points: [DataPoint], rows: [UInt32: Int], names: (Int) -> String, settings: RunSettings
  ) throws(ReexecutionError) {
    let inputCount = settings.layers.first ?? 0
    let classCount = settings.layers.last ?? 0
    var features: [Float] = []
    features.reserveCapacity(points.count * inputCount)
    var labels: [Int32] = []
    labels.reserveCapacity(points.count)
    for (row, point) in points.enumerated() {
      func refusal(_ message: String) -> ReexecutionError {
        ReexecutionError(
          .badDataPoint, "\(names(row)) \(message)",
          remedy: "use the dataset and the settings that belong together")
      }
      let elementCount = point.bytes.count / point.type.byteCount
      guard elementCount == inputCount else {
        throw refusal("has \(elementCount) elements, the network takes \(inputCount)")
      }
      guard point.label >= 0, point.label < classCount else {
        throw refusal("has label \(point.label), the network has \(classCount) classes")
      }
      guard PreparedPoints.decode(point, settings.inputScale.value, into: &features) else {
        throw refusal("holds \(point.type.name), read are U8, I8, U16, I16 and F32")
      }
      labels.append(Int32(point.label))
    }
    self.features = features
    self.labels = labels
    self.inputCount = inputCount
    self.classCount = classCount
    self.rows = rows
  }

  /// Appends element times scale for each element; false for a type whose values float32 may round.
  private static func decode(
    _ point: DataPoint, _ scale: Float, into features: inout [Float]
  ) -> Bool {
    point.bytes.withUnsafeBytes { bytes in
      func each<T: FixedWidthInteger>(_ type: T.Type, _ read: (T) -> Float) {
        for offset in stride(from: 0, to: bytes.count, by: T.bitWidth / 8) {
          let value = T(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
          features.append(read(value) * scale)
        }
      }
      switch point.type {
      case .u8: each(UInt8.self) { Float($0) }
      case .i8: each(Int8.self) { Float($0) }
      case .u16: each(UInt16.self) { Float($0) }
      case .i16: each(Int16.self) { Float($0) }
      case .f32: each(UInt32.self) { Float(bitPattern: $0) }
      default: return false
      }
      return true
    }
  }

  /// The row of a data point, nil when it was not given.
  func row(of index: UInt32) -> Int? { rows[index] }
}
