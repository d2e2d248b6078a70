@testable import ChunkStorage

/// The filters as `spec/filters.md` §4 puts them, one bit after the other.
enum ReferenceFilters {
  /// Mapped elements, as integers of the element's size.
  static func mapped(
    _ raw: [UInt8], _ element: ChunkElement, parent: [UInt8]? = nil
  ) -> [UInt64] {
    let bits = UInt64(element.byteCount) * 8
    let mask = bits == 64 ? UInt64.max : (1 << bits) - 1
    let values = integers(raw, element.byteCount)
    guard let parent else {
      guard element.isFloat else { return values }
      return values.map { ($0 << 1 | $0 >> (bits - 1)) & mask }
    }
    func inOrder(_ value: UInt64) -> UInt64 {
      element.isFloat && value >> (bits - 1) == 1 ? value ^ (mask >> 1) : value
    }
    return zip(values, integers(parent, element.byteCount)).map { value, older in
      let difference = (inOrder(value) &- inOrder(older)) & mask
      let isNegative = difference >> (bits - 1) == 1
      return (difference << 1 ^ (isNegative ? mask : 0)) & mask
    }
  }

  static func integers(_ raw: [UInt8], _ size: Int) -> [UInt64] {
    stride(from: 0, to: raw.count, by: size).map { start in
      var value: UInt64 = 0
      for byte in 0..<size { value |= UInt64(raw[start + byte]) << UInt64(8 * byte) }
      return value
    }
  }

  /// Planes one after the other, then the tail.
  static func bitPlanes(_ mapped: [UInt64], size: Int) -> (planes: [[UInt8]], tail: [UInt8]) {
    let whole = mapped.count / 8 * 8
    var planes = [[UInt8]](repeating: [UInt8](repeating: 0, count: whole / 8), count: 8 * size)
    for plane in 0..<8 * size {
      for (i, value) in mapped[..<whole].enumerated() where value >> UInt64(plane) & 1 == 1 {
        planes[plane][i / 8] |= 1 << UInt8(i % 8)
      }
    }
    let tail = mapped[whole...].flatMap { value -> [UInt8] in
      (0..<size).map { byte in UInt8(truncatingIfNeeded: value >> UInt64(8 * byte)) }
    }
    return (planes, tail)
  }

  static func bytePlanes(_ mapped: [UInt64], size: Int) -> [[UInt8]] {
    (0..<size).map { byte in
      mapped.map { value in UInt8(truncatingIfNeeded: value >> UInt64(8 * byte)) }
    }
  }
}
