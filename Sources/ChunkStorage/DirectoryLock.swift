import Glibc
import ProofPrimitives

/// Keeps every other writer out of a directory for as long as this object lives.
///
/// An advisory `flock` on the directory itself, let go by the system also when the process dies. A lock
/// file would have to lie among the published files, or be deleted while somebody holds it open.
package final class DirectoryLock: Sendable {
  package let path: String
  private let lock: HeldLock

  /// - Parameter path: The directory, which exists.
  /// - Throws: `.locked` at once when somebody holds the lock, in this process too.
  package init(_ path: String) throws(StorageError) {
    try SystemCalls.checkPath(path)
    self.path = path
    lock = try HeldLock(
      try SystemCalls.open(path, O_RDONLY | O_DIRECTORY, "opening the directory"), waits: false,
      place: path)
  }
}
