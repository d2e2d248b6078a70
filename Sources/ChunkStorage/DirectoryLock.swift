import Glibc
import ProofPrimitives

/// Keeps every other writer out of a directory for as long as this object lives.
///
/// An advisory `flock` on the directory itself, let go by the system also when the process dies. A lock
/// file would have to lie among the published files, or be deleted while somebody holds it open.
package final class DirectoryLock: Sendable {
  package let path: String
  private let directory: OwnedDescriptor

  /// - Parameter path: The directory, which exists.
  /// - Throws: `.locked` at once when somebody holds the lock, in this process too.
  package init(_ path: String) throws(StorageError) {
    try SystemCalls.checkPath(path)
    self.path = path
    directory = try SystemCalls.open(path, O_RDONLY | O_DIRECTORY, "opening the directory")
    while flock(directory.raw, LOCK_EX | LOCK_NB) != 0 {
      let code = errno
      if code == EINTR { continue }
      guard code == EWOULDBLOCK else { throw SystemCalls.error("locking", at: path, code) }
      throw StorageError(
        .locked, at: printable(path, limit: 1000), "another process is writing here",
        remedy: "wait until it has ended, then try again")
    }
  }
}
