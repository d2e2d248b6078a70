internal import ChunkStorage
internal import ProofArchive
internal import Synchronization

/// A tensor whose elements do not stand in row-major order: a transposed or sliced view.
struct StridedView: Sendable {
  /// 256 MiB, for the bytes that the view spans and for those that it gives: both are held in memory
  /// while it is read. Larger ones are for the program that wrote them to make contiguous.
  static let byteLimit = 256 << 20

  let elementByteCount: Int
  let shape: [Int]
  /// Elements from one index to the next, for each dimension; none negative.
  let strides: [Int]
  /// Byte of the first element in the file.
  let start: Int
  /// Bytes from `start` on that the view reaches.
  let spanByteCount: Int

  /// Nil when the strides do not fit the shape, are negative, or the view reaches over a limit or out
  /// of `available` bytes.
  init?(type: ElementType, shape: [Int], strides: [Int], start: Int, available: Int) {
    guard shape.count == strides.count, strides.allSatisfy({ $0 >= 0 }),
      let span = StridedView.span(shape, strides, type.byteCount, limit: available),
      let spec = TensorSpec(name: "view", role: .weight, type: type, shape: shape),
      span <= StridedView.byteLimit, spec.byteCount <= StridedView.byteLimit
    else { return nil }
    elementByteCount = type.byteCount
    self.shape = shape
    self.strides = strides
    self.start = start
    spanByteCount = span
  }

  /// Bytes from the first element to the end of the last; nil above `limit`.
  static func span(_ shape: [Int], _ strides: [Int], _ width: Int, limit: Int) -> Int? {
    if shape.contains(0) { return 0 }
    var last = 0
    for (dimension, stride) in zip(shape, strides) {
      let (step, overflow) = (dimension - 1).multipliedReportingOverflow(by: stride)
      guard !overflow, step <= limit else { return nil }
      last += step
      guard last <= limit else { return nil }
    }
    let (bytes, overflow) = (last + 1).multipliedReportingOverflow(by: width)
    return overflow || bytes > limit ? nil : bytes
  }

  /// Whether elements with these strides stand in row-major order without holes.
  static func isContiguous(_ shape: [Int], _ strides: [Int]) -> Bool {
    if shape.contains(0) { return true }
    var expected = 1
    for (dimension, stride) in zip(shape, strides).reversed() where dimension != 1 {
      guard stride == expected else { return false }
      expected *= dimension
    }
    return true
  }

  /// Strides of an array whose first index runs fastest.
  static func columnMajor(_ shape: [Int]) -> [Int] {
    var strides: [Int] = []
    var product = 1
    for dimension in shape {
      strides.append(product)
      product *= max(1, dimension)
    }
    return strides
  }

  /// All elements in row-major order. The caller has bounded the product of the shape.
  func gather(_ file: RandomAccessFile) throws(StorageError) -> [UInt8] {
    let count = shape.reduce(1, *)
    if count == 0 { return [] }
    let source = try file.bytes(start..<start + spanByteCount)
    var out = [UInt8]()
    out.reserveCapacity(count * elementByteCount)
    var index = [Int](repeating: 0, count: shape.count)
    var element = 0
    for _ in 0..<count {
      let byte = element * elementByteCount
      out.append(contentsOf: source[byte..<byte + elementByteCount])
      for axis in shape.indices.reversed() {
        index[axis] += 1
        element += strides[axis]
        if index[axis] < shape[axis] { break }
        element -= strides[axis] * shape[axis]
        index[axis] = 0
      }
    }
    return out
  }
}

/// The view that was gathered last: a state is read in order, so that each is gathered once.
final class GatheredView: Sendable {
  private let last = Mutex<(index: Int, bytes: [UInt8])?>(nil)

  func bytes(
    _ index: Int, _ make: () throws(StorageError) -> [UInt8]
  ) throws(StorageError) -> [UInt8] {
    try last.withLock { last throws(StorageError) in
      if let last, last.index == index { return last.bytes }
      // Before the next one is made: two would be twice the limit.
      last = nil
      let bytes = try make()
      last = (index, bytes)
      return bytes
    }
  }
}
