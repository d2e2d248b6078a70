import Glibc
import ProofPrimitives

/// Keeps every other writer out of a directory for as long as this object lives.
///
/// An advisory `flock` on a file in it, let go by the system also when the process dies. The lock file
/// is never deleted: whoever had it open would then hold a lock that nobody else sees.
package final class DirectoryLock: Sendable {
  package let path: String
  private let file: OwnedDescriptor

  /// - Parameter path: The directory, which exists.
  /// - Throws: `.locked` at once when somebody holds the lock, in this process too.
  package init(_ path: String, fileName: String = "lock") throws(StorageError) {
    try SystemCalls.checkPath(path)
    self.path = path.hasSuffix("/") ? path + fileName : path + "/" + fileName
    let place = self.path
    file = try SystemCalls.open(
      place, O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o644, "opening the lock file")
    _ = try SystemCalls.regularFileByteCount(file, place: place)
    while flock(file.raw, LOCK_EX | LOCK_NB) != 0 {
      let code = errno
      if code == EINTR { continue }
      guard code == EWOULDBLOCK else { throw SystemCalls.error("locking", at: place, code) }
      throw StorageError(
        .locked, at: printable(place, limit: 1000), "another process is writing here",
        remedy: "wait until it has ended, then try again")
    }
  }
}
