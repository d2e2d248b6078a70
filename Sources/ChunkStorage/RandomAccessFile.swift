import Glibc
import ProofPrimitives

/// A regular file that is open and read at any place, from several threads at once.
///
/// Nothing is held in memory. Its owner lets nobody write to it meanwhile; a file that shrinks is
/// noticed, one whose bytes change is not.
package final class RandomAccessFile: Sendable {
  /// The path, for messages.
  package let place: String
  /// When it was opened.
  package let byteCount: Int
  private let file: OwnedDescriptor

  /// - Parameter followsSymlinks: True for a path that a user gave; a link inside a directory that
  ///   a stranger filled is refused.
  /// - Throws: `.missing`, `.malformed` for what is no regular file.
  package convenience init(
    _ path: String, followsSymlinks: Bool = false
  ) throws(StorageError) {
    let file = try SystemCalls.open(path, O_RDONLY | (followsSymlinks ? 0 : O_NOFOLLOW))
    let byteCount = try SystemCalls.regularFileByteCount(file, place: path)
    self.init(file, byteCount: byteCount, place: path)
  }

  init(_ file: consuming OwnedDescriptor, byteCount: Int, place: String) {
    self.file = file
    self.byteCount = byteCount
    self.place = place
  }

  /// Fills `out` with the bytes from `offset` on.
  ///
  /// - Throws: `.damaged` when the file ends before.
  package func read(
    at offset: Int, into out: UnsafeMutableRawBufferPointer
  ) throws(StorageError) {
    guard offset >= 0, offset <= byteCount, out.count <= byteCount - offset else {
      throw tooShort(offset, out.count)
    }
    guard let base = out.baseAddress else { return }
    var filled = 0
    while filled < out.count {
      let got = pread(file.raw, base + filled, out.count - filled, off_t(offset + filled))
      if got < 0 {
        let code = errno
        if code == EINTR { continue }
        throw SystemCalls.error("reading", at: place, code)
      }
      guard got > 0 else { throw tooShort(offset, out.count) }
      filled += got
    }
  }

  /// The bytes of `range`. The caller has bounded their count.
  package func bytes(_ range: Range<Int>) throws(StorageError) -> [UInt8] {
    guard range.lowerBound >= 0, range.upperBound <= byteCount else {
      throw tooShort(range.lowerBound, range.count)
    }
    let bytes = try SystemCalls.read(file, range: range, place: place)
    guard bytes.count == range.count else { throw tooShort(range.lowerBound, range.count) }
    return bytes
  }

  private func tooShort(_ offset: Int, _ count: Int) -> StorageError {
    StorageError(
      .damaged, at: printable(place, limit: 1000),
      "\(count) bytes are wanted from byte \(offset) on and the file ends before",
      remedy: "let nothing write there and try again, or fetch the file again")
  }
}
