/// What a tensor's values look like; NaN is counted and left out of the rest.
package struct TensorStatistics: Equatable, Sendable {
  package private(set) var count = 0
  package private(set) var notANumberCount = 0
  package private(set) var infiniteCount = 0
  /// Zero when there is no number.
  package private(set) var minimum = 0.0
  package private(set) var maximum = 0.0
  package private(set) var mean = 0.0
  /// The l2 norm.
  package private(set) var norm = 0.0

  package init(_ tensor: Tensor) {
    let read = TensorStatistics.reader(tensor.spec.type)
    let width = tensor.spec.type.byteCount
    var sum = 0.0
    var squares = 0.0
    tensor.bytes.withUnsafeBytes { bytes in
      for offset in stride(from: 0, to: bytes.count, by: width) {
        count += 1
        let value = read(bytes, offset)
        guard !value.isNaN else {
          notANumberCount += 1
          continue
        }
        if value.isInfinite { infiniteCount += 1 }
        let isFirst = count - notANumberCount == 1
        minimum = isFirst ? value : min(minimum, value)
        maximum = isFirst ? value : max(maximum, value)
        sum += value
        squares += value * value
      }
    }
    let numbers = count - notANumberCount
    mean = numbers == 0 ? 0 : sum / Double(numbers)
    norm = squares.squareRoot()
  }

  typealias Reader = (_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> Double

  private static func integer<T: FixedWidthInteger>(_ type: T.Type) -> Reader {
    { Double(T(littleEndian: $0.loadUnaligned(fromByteOffset: $1, as: T.self))) }
  }

  /// The value of the element at a byte offset; 64-bit integers are rounded.
  static func reader(_ type: ElementType) -> Reader {
    func bits<T: FixedWidthInteger>(
      _ bytes: UnsafeRawBufferPointer, _ offset: Int, _ type: T.Type
    ) -> T {
      T(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
    }
    switch type {
    case .bool, .u8: return integer(UInt8.self)
    case .i8: return integer(Int8.self)
    case .i16: return integer(Int16.self)
    case .u16: return integer(UInt16.self)
    case .i32: return integer(Int32.self)
    case .u32: return integer(UInt32.self)
    case .i64: return integer(Int64.self)
    case .u64: return integer(UInt64.self)
    case .f16: return { Double(Float16(bitPattern: bits($0, $1, UInt16.self))) }
    case .bf16: return { Double(Float(bitPattern: UInt32(bits($0, $1, UInt16.self)) << 16)) }
    case .f32: return { Double(Float(bitPattern: bits($0, $1, UInt32.self))) }
    case .f64: return { Double(bitPattern: bits($0, $1, UInt64.self)) }
    // The upper byte of a Float16.
    case .f8e5m2: return { Double(Float16(bitPattern: UInt16(bits($0, $1, UInt8.self)) << 8)) }
    case .f8e4m3: return { float8e4m3(bits($0, $1, UInt8.self)) }
    }
  }

  /// E4M3FN: bias 7, no infinities, and NaN where all bits but the sign are set
  /// (Micikevicius et al., FP8 Formats for Deep Learning, 2022).
  private static func float8e4m3(_ byte: UInt8) -> Double {
    let magnitude = UInt16(byte & 0x7f)
    guard magnitude != 0x7f else { return .nan }
    // In the place of a Float16's exponent and fraction, whose bias of 15 makes it 2^8 too small.
    return Double(Float16(bitPattern: UInt16(byte & 0x80) << 8 | magnitude << 7)) * 256
  }
}
