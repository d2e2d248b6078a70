/// A 32-byte SHA-256 value.
///
/// Always compared whole: a digest is never cut short to decide equality.
package struct Digest: Hashable, Sendable, Comparable, CustomStringConvertible {
  package static let byteCount = 32
  /// Thirty-two zero bytes, which stand for "none" in fixed-size fields.
  package static let zero = Digest(words: (0, 0, 0, 0))

  private let w0: UInt64
  private let w1: UInt64
  private let w2: UInt64
  private let w3: UInt64

  /// Eight bytes each, big-endian.
  package init(words: (UInt64, UInt64, UInt64, UInt64)) {
    (w0, w1, w2, w3) = words
  }

  /// Nil unless there are exactly 32 bytes.
  package init?(_ bytes: some Collection<UInt8>) {
    guard bytes.count == Digest.byteCount else { return nil }
    // Arrays and their slices, which nearly all are, without a call for each byte.
    let whole = bytes.withContiguousStorageIfAvailable { storage in
      storage.count == Digest.byteCount
        ? storage.baseAddress.map { Digest(loadingFrom: UnsafeRawPointer($0)) } : nil
    }
    if let whole = whole ?? nil {
      self = whole
      return
    }
    var words = SIMD4<UInt64>()
    var position = 0
    for byte in bytes {
      words[position >> 3] = words[position >> 3] << 8 | UInt64(byte)
      position += 1
    }
    self.init(words: (words[0], words[1], words[2], words[3]))
  }

  /// Nil unless the text is exactly 64 lower-case hexadecimal digits.
  package init?(hex: String) {
    guard hex.utf8.count == 64, let bytes = Hex.decode(hex) else { return nil }
    self.init(bytes)
  }

  /// Reads 32 bytes at `pointer`.
  package init(loadingFrom pointer: UnsafeRawPointer) {
    func word(_ index: Int) -> UInt64 {
      UInt64(bigEndian: pointer.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self))
    }
    self.init(words: (word(0), word(1), word(2), word(3)))
  }

  package var bytes: [UInt8] {
    var out = [UInt8]()
    out.reserveCapacity(32)
    append(to: &out)
    return out
  }

  package func append(to out: inout [UInt8]) {
    for word in [w0, w1, w2, w3] {
      withUnsafeBytes(of: word.bigEndian) { out.append(contentsOf: $0) }
    }
  }

  /// Eight bytes each, big-endian.
  package var words: (UInt64, UInt64, UInt64, UInt64) { (w0, w1, w2, w3) }

  /// Lower-case hexadecimal, 64 digits.
  package var hex: String { Hex.encode(bytes) }
  /// The first 12 digits, for people to read; never for deciding anything.
  package var short: String { String(hex.prefix(12)) }
  package var description: String { hex }
  package var isZero: Bool { self == .zero }

  /// Bytewise order.
  package static func < (left: Digest, right: Digest) -> Bool {
    (left.w0, left.w1, left.w2, left.w3) < (right.w0, right.w1, right.w2, right.w3)
  }

  /// Bit `position` of 256, the highest bit of the first byte being bit 0.
  package func bit(_ position: Int) -> Bool {
    precondition((0..<256).contains(position), "a digest has 256 bits")
    let word = [w0, w1, w2, w3][position >> 6]
    return word >> UInt64(63 - position & 63) & 1 == 1
  }
}
