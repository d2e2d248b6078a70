import CZlib
import Synchronization

/// The gzip form of one bundle, counted against the memory of all of them until nobody sends it.
final class CompressedBundle: Sendable {
  let bytes: [UInt8]
  private let compression: BundleCompression

  fileprivate init(_ bytes: [UInt8], _ compression: BundleCompression) {
    self.bytes = bytes
    self.compression = compression
  }

  deinit { compression.release(bytes.count) }
}

/// Makes gzip forms of bundles and keeps the latest ones.
///
/// A form is the same bytes each time (one zlib, one level, no time in the header), so that a range
/// of it may be asked for after the first part came from an earlier one.
final class BundleCompression: Sendable {
  /// Names the bytes in entity tags: another zlib makes others.
  static let coding = "gzip-\(String(cString: zlibVersion()))"

  private struct State {
    /// Of all forms that anybody holds.
    var usedByteCount = 0
    /// Oldest first.
    var kept: [(path: String, bundle: CompressedBundle)] = []
    var keptByteCount = 0
  }

  private let memoryLimit: Int
  private let cacheLimit: Int
  private let state = Mutex(State())

  init(
    memoryLimit: Int = ServiceLimits.gzipMemoryByteCount,
    cacheLimit: Int = ServiceLimits.gzipCacheByteCount
  ) {
    self.memoryLimit = memoryLimit
    self.cacheLimit = cacheLimit
  }

  var usedByteCount: Int { state.withLock { $0.usedByteCount } }

  /// The form of the bundle at `path`; nil when it is too large, or memory is used up by others.
  ///
  /// - Parameter read: Gives the plain bytes, if they are needed.
  func bundle<Failure: Error>(
    path: String, byteCount: Int, read: () throws(Failure) -> [UInt8]
  ) throws(Failure) -> CompressedBundle? {
    guard byteCount <= ServiceLimits.gzipInputByteCount else { return nil }
    if let known = state.withLock({ state in state.kept.first { $0.path == path }?.bundle }) {
      return known
    }
    guard let bytes = BundleCompression.gzip(try read()) else { return nil }
    let isAllowed = state.withLock { state in
      guard state.usedByteCount + bytes.count <= memoryLimit else { return false }
      state.usedByteCount += bytes.count
      return true
    }
    guard isAllowed else { return nil }
    let bundle = CompressedBundle(bytes, self)
    keep(bundle, path)
    return bundle
  }

  private func keep(_ bundle: CompressedBundle, _ path: String) {
    var dropped: [CompressedBundle] = []
    state.withLock { state in
      guard bundle.bytes.count <= cacheLimit else { return }
      state.kept.append((path, bundle))
      state.keptByteCount += bundle.bytes.count
      while state.keptByteCount > cacheLimit {
        let oldest = state.kept.removeFirst().bundle
        state.keptByteCount -= oldest.bytes.count
        dropped.append(oldest)
      }
    }
    // Here, not under the lock: the last holder's end takes it again.
    dropped.removeAll()
  }

  fileprivate func release(_ byteCount: Int) {
    state.withLock { $0.usedByteCount -= byteCount }
  }

  /// RFC 1952, level 6; nil when zlib has no memory.
  static func gzip(_ bytes: [UInt8]) -> [UInt8]? {
    var stream = z_stream()
    // 16 more than the window's 15 bits: a gzip header, with no name and no time.
    guard
      deflateInit2_(
        &stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
        Int32(MemoryLayout<z_stream>.size)) == Z_OK
    else { return nil }
    defer { deflateEnd(&stream) }
    var input = bytes
    var output = [UInt8](repeating: 0, count: Int(deflateBound(&stream, UInt(bytes.count))))
    let status = input.withUnsafeMutableBufferPointer { source in
      output.withUnsafeMutableBufferPointer { target in
        stream.next_in = source.baseAddress
        stream.avail_in = UInt32(source.count)
        stream.next_out = target.baseAddress
        stream.avail_out = UInt32(target.count)
        return deflate(&stream, Z_FINISH)
      }
    }
    guard status == Z_STREAM_END else { return nil }
    output.removeLast(Int(stream.avail_out))
    return output
  }
}
