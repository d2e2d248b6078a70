/// What a chunk's elements are: the filters of `spec/filters.md` work on whole elements.
package struct ChunkElement: Hashable, Sendable {
  /// 1, 2, 4 or 8.
  package let byteCount: Int
  /// Sign, exponent and mantissa, in this order from the highest bit (IEEE 754's and the like).
  package let isFloat: Bool

  /// `nil` for other sizes.
  package init?(byteCount: Int, isFloat: Bool) {
    guard [1, 2, 4, 8].contains(byteCount) else { return nil }
    self.byteCount = byteCount
    self.isFloat = isFloat
  }

  /// The element of a frame's parameter byte: the size, and 128 more for floats.
  package init?(parameter: UInt8) {
    self.init(byteCount: Int(parameter & 127), isFloat: parameter >= 128)
  }

  package var parameter: UInt8 { UInt8(byteCount) | (isFloat ? 128 : 0) }

  /// Plain bytes.
  package static let byte = ChunkElement(size: 1)

  private init(size: Int) {
    byteCount = size
    isFloat = false
  }
}

/// How a chunk's bytes became its payload (`spec/filters.md` §3).
package enum ChunkCodec: UInt8, CaseIterable, Sendable {
  /// The raw bytes.
  case stored = 0
  /// One LZ4 block.
  case lz4 = 1
  /// One element, which all are equal to.
  case constant = 2
  /// Bit planes, those that repeat themselves through LZ4.
  case bits = 3
  /// Differences from a parent chunk in byte planes, each through LZ4.
  case deltaPlanes = 16
  /// Differences from a parent chunk in bit planes.
  case deltaBits = 17

  /// Whether the payload means nothing without another chunk of the same length.
  package var isDelta: Bool { rawValue >= 16 }

  /// Whether the parameter byte says what the elements are; otherwise it is 0.
  package var hasElement: Bool { rawValue >= 2 }
}

/// A chunk's payload and what a frame's header says of it.
package struct ChunkEncoding: Sendable {
  package let codec: ChunkCodec
  package let parameter: UInt8
  package let payload: [UInt8]
  package let rawByteCount: Int

  package init(codec: ChunkCodec, parameter: UInt8, payload: [UInt8], rawByteCount: Int) {
    self.codec = codec
    self.parameter = parameter
    self.payload = payload
    self.rawByteCount = rawByteCount
  }
}
