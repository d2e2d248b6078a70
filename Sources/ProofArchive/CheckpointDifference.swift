internal import ProofPrimitives

/// How two checkpoints differ, of one archive or of two.
///
/// Chunks with one digest at one place are equal and not fetched. Of the others both sides are read, a few
/// MiB at a time, each chunk checked against its record. Norms are float64, over the difference of the
/// elements; integers are subtracted exactly before that.
package struct CheckpointDifference: Sendable {
  package struct TensorChange: Sendable {
    package let spec: TensorSpec
    /// Chunks of the second checkpoint with bytes of the tensor, and those with another digest.
    package internal(set) var chunkCount = 0
    package internal(set) var changedChunkCount = 0
    package internal(set) var l2 = 0.0
    package internal(set) var linf = 0.0
    package internal(set) var isIdentical = true
  }

  /// In both, with one type and shape; in the order of the second record.
  package private(set) var tensors: [TensorChange] = []
  package private(set) var onlyInFirst: [TensorSpec] = []
  package private(set) var onlyInSecond: [TensorSpec] = []
  /// Of the second checkpoint.
  package private(set) var chunkCount = 0
  package private(set) var changedChunkCount = 0

  package var identicalCount: Int { tensors.count { $0.isIdentical } }

  /// A run of a tensor's bytes that lies in one chunk on both sides.
  private struct Run {
    let offset: Int
    let byteCount: Int
    let first: Int
    let second: Int
    let isEqual: Bool
  }

  private struct Side {
    let record: CheckpointRecord
    let chunkByteCount: Int
    var expected: [Bool]

    init(_ reader: ArchiveReader, _ number: Int) throws(ArchiveError) {
      record = try reader.checkpoint(number)
      chunkByteCount = reader.opening.sizes.chunk
      expected = Array(repeating: false, count: record.chunks.count)
    }

    func place(_ tensor: Int, _ offset: Int) -> (chunk: Int, offset: Int) {
      let place = record.layout.places[tensor]
      let position = Int(place.offset) + offset
      return (Int(place.firstChunk) + position / chunkByteCount, position % chunkByteCount)
    }
  }

  private struct Key: Hashable {
    let role: TensorRole
    let name: [UInt8]
    init(_ spec: TensorSpec) {
      role = spec.role
      name = Array(spec.name.utf8)
    }
  }

  /// Compares checkpoint `a` of one reader with `b` of another one, or of the same.
  package init(
    _ a: ArchiveReader, _ aNumber: Int, _ b: ArchiveReader, _ bNumber: Int,
    progress: (Double) -> Void = { _ in }
  ) throws(ArchiveError) {
    var first = try Side(a, aNumber)
    var second = try Side(b, bNumber)
    var positions: [Key: Int] = [:]
    for (position, spec) in first.record.specs.enumerated() { positions[Key(spec)] = position }
    var pairs: [(first: Int, second: Int, runs: [Run])] = []
    var changed = Set<Int>()
    for (position, spec) in second.record.specs.enumerated() {
      guard let other = positions[Key(spec)], first.record.specs[other] == spec else {
        onlyInSecond.append(spec)
        for chunk in CheckpointDifference.chunks(of: position, second) { changed.insert(chunk) }
        continue
      }
      positions[Key(spec)] = nil
      let runs = CheckpointDifference.runs(spec, other, first, position, second)
      for run in runs where !run.isEqual {
        first.expected[run.first] = true
        second.expected[run.second] = true
        changed.insert(run.second)
      }
      pairs.append((other, position, runs))
    }
    onlyInFirst = positions.values.sorted().map { first.record.specs[$0] }
    chunkCount = second.record.chunks.count
    changedChunkCount = changed.count
    let old = CheckpointStateSource(
      first.record, try a.envelope(aNumber), a.loader, chunkByteCount: first.chunkByteCount,
      readsAhead: true, expected: first.expected)
    let new = CheckpointStateSource(
      second.record, try b.envelope(bNumber), b.loader, chunkByteCount: second.chunkByteCount,
      readsAhead: true, expected: second.expected)
    for (number, pair) in pairs.enumerated() {
      var change = TensorChange(spec: second.record.specs[pair.second])
      change.chunkCount = Set(pair.runs.map(\.second)).count
      change.changedChunkCount = Set(pair.runs.filter { !$0.isEqual }.map(\.second)).count
      try CheckpointDifference.compare(pair.runs, old, pair.first, new, pair.second, &change)
      tensors.append(change)
      progress(Double(number + 1) / Double(pairs.count))
    }
  }

  private static func chunks(of tensor: Int, _ side: Side) -> Range<Int> {
    let count = side.record.specs[tensor].byteCount
    guard count > 0 else { return 0..<0 }
    return side.place(tensor, 0).chunk..<side.place(tensor, count - 1).chunk + 1
  }

  private static func runs(
    _ spec: TensorSpec, _ a: Int, _ first: Side, _ b: Int, _ second: Side
  ) -> [Run] {
    var runs: [Run] = []
    var offset = 0
    while offset < spec.byteCount {
      let (left, right) = (first.place(a, offset), second.place(b, offset))
      let count = min(
        spec.byteCount - offset, first.chunkByteCount - left.offset,
        second.chunkByteCount - right.offset)
      runs.append(
        Run(
          offset: offset, byteCount: count, first: left.chunk, second: right.chunk,
          isEqual: left.offset == right.offset
            && first.record.chunks[left.chunk] == second.record.chunks[right.chunk]))
      offset += count
    }
    return runs
  }

  private static func compare(
    _ runs: [Run], _ old: any StateSource, _ a: Int, _ new: any StateSource, _ b: Int,
    _ change: inout TensorChange
  ) throws(ArchiveError) {
    let type = change.spec.type
    let distance = CheckpointDifference.distance(type)
    var sums = DifferenceSums()
    var left: [UInt8] = []
    var right: [UInt8] = []
    for run in runs where !run.isEqual {
      left = try bytes(old, a, run)
      right = try bytes(new, b, run)
      guard left != right else { continue }
      change.isIdentical = false
      left.withUnsafeBytes { before in
        right.withUnsafeBytes { after in
          for offset in stride(from: 0, to: before.count, by: type.byteCount) {
            sums.add(distance(before, after, offset))
          }
        }
      }
    }
    change.l2 = sums.isNaN ? .nan : sums.squares.squareRoot()
    change.linf = sums.isNaN ? .nan : sums.largest
  }

  private typealias Distance = (
    _ before: UnsafeRawBufferPointer, _ after: UnsafeRawBufferPointer, _ offset: Int
  ) -> Double

  /// How far the elements at a byte offset are apart, without a sign for integers. Neighbours among
  /// 64-bit integers are one number as float64, so that these are subtracted as they are.
  private static func distance(_ type: ElementType) -> Distance {
    switch type {
    case .i64: return integerDistance(Int64.self)
    case .u64: return integerDistance(UInt64.self)
    default:
      let read = TensorStatistics.reader(type)
      return { before, after, offset in read(after, offset) - read(before, offset) }
    }
  }

  private static func integerDistance<T: FixedWidthInteger>(_ type: T.Type) -> Distance {
    { before, after, offset in
      let old = T(littleEndian: before.loadUnaligned(fromByteOffset: offset, as: T.self))
      let new = T(littleEndian: after.loadUnaligned(fromByteOffset: offset, as: T.self))
      // The larger one less the smaller one always fits the unsigned type, without a carry.
      return Double(T.Magnitude(truncatingIfNeeded: max(old, new) &- min(old, new)))
    }
  }

  private struct DifferenceSums {
    var squares = 0.0
    var largest = 0.0
    var isNaN = false

    mutating func add(_ difference: Double) {
      squares += difference * difference
      largest = max(largest, abs(difference))
      if difference.isNaN { isNaN = true }
    }
  }

  private static func bytes(
    _ source: any StateSource, _ tensor: Int, _ run: Run
  ) throws(ArchiveError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: run.byteCount)
    var failure: ArchiveError?
    bytes.withUnsafeMutableBytes { out in
      do throws(ArchiveError) {
        try source.read(tensor: tensor, at: run.offset, into: out)
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return bytes
  }
}
