import Glibc
import ProofPrimitives

/// Working memory on disk: a file without a name, gone with the process, whatever ends it.
///
/// For what is too large for memory and can be made again: nothing in it is ever synced. Reads and
/// writes of different ranges may happen at the same time.
package final class ScratchFile: Sendable {
  private let file: OwnedDescriptor
  private let place: String

  /// - Parameter folder: On whose file system the bytes go.
  package init(in folder: String) throws(StorageError) {
    place = "a scratch file in \(folder)"
    if let file = OwnedDescriptor(open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0o600)) {
      self.file = file
      return
    }
    // File systems without nameless files: the name is gone before anything is written.
    let path = "\(folder)/\(DurableFile.temporaryPrefix)scratch-\(getpid())"
    _ = unlink(path)
    file = try SystemCalls.open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
    _ = unlink(path)
  }

  package func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(StorageError) {
    try SystemCalls.write([bytes], file, offset: offset, place: place)
  }

  /// Fills `out`; what was never written reads as zeros inside the file and is an error beyond it.
  package func read(
    into out: UnsafeMutableRawBufferPointer, at offset: Int
  ) throws(StorageError) {
    guard let base = out.baseAddress else { return }
    var done = 0
    while done < out.count {
      let count = pread(file.raw, base + done, out.count - done, off_t(offset + done))
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else {
        throw SystemCalls.error("reading", at: place, count < 0 ? errno : EIO)
      }
      done += count
    }
  }
}
