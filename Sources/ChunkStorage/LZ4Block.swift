import CLZ4

/// One LZ4 block (lz4_Block_format) without any framing of its own.
package enum LZ4Block {
  /// One byte of an LZ4 sequence yields at most 255, so no block grows by more.
  package static let expansionLimit = 255

  /// Nil when the block would not be smaller than `raw`.
  package static func compress(_ raw: [UInt8]) -> [UInt8]? {
    guard raw.count > 1, raw.count <= Int(LZ4_MAX_INPUT_SIZE) else { return nil }
    let block = [UInt8](unsafeUninitializedCapacity: raw.count - 1) { out, count in
      let written = raw.withUnsafeBytes {
        LZ4_compress_default($0.baseAddress, out.baseAddress, Int32($0.count), Int32(out.count))
      }
      count = max(0, Int(written))
    }
    return block.isEmpty ? nil : block
  }

  /// Exactly `count` bytes, or nil. The caller has compared `count` with its limits.
  package static func decompress(_ block: ArraySlice<UInt8>, count: Int) -> [UInt8]? {
    guard !block.isEmpty, block.count <= Int(Int32.max), (1...Int(Int32.max)).contains(count)
    else { return nil }
    var written: Int32 = -1
    let raw = [UInt8](unsafeUninitializedCapacity: count) { out, initialized in
      written = block.withUnsafeBytes {
        LZ4_decompress_safe($0.baseAddress, out.baseAddress, Int32($0.count), Int32(count))
      }
      initialized = max(0, Int(written))
    }
    return Int(written) == count ? raw : nil
  }
}
