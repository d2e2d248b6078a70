import Glibc
import ProofPrimitives

/// An advisory `flock`, held for as long as this object lives and let go by the system also when the
/// process dies.
package final class HeldLock: Sendable {
  private let file: OwnedDescriptor

  /// - Throws: `.locked` at once when somebody holds the lock, in this process too, and `waits` is false.
  init(_ file: consuming OwnedDescriptor, waits: Bool, place: String) throws(StorageError) {
    while flock(file.raw, waits ? LOCK_EX : LOCK_EX | LOCK_NB) != 0 {
      let code = errno
      if code == EINTR { continue }
      guard code == EWOULDBLOCK else { throw SystemCalls.error("locking", at: place, code) }
      throw StorageError(
        .locked, at: printable(place, limit: 1000), "another process is writing here",
        remedy: "wait until it has ended, then try again")
    }
    self.file = file
  }

  /// Closing alone is not enough: a child that another thread has started holds a copy of the descriptor
  /// until its `exec`, and the lock belongs to the open file, not to the descriptor. Unlocking frees it
  /// whoever else still has a copy.
  deinit {
    while flock(file.raw, LOCK_UN) != 0, errno == EINTR {}
  }
}
