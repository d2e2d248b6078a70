import Cryptography
import Glibc
import ProofPrimitives
import Synchronization

/// Byte strings under digests in a folder of the user's own, up to a size (`spec/store.md` §6).
///
/// A file is SHA-256 of the content, then the content; one whose digest does not match is no entry. So a
/// crash, a full disk or somebody else's hand can only make it forget. Nothing is synced. Several
/// processes may share a folder. What is read was used last; what was not used longest goes first.
package final class CacheFolder: Sendable {
  package let path: String
  private let byteLimit: Int
  private let root: OwnedDescriptor
  /// Bytes in the folder as far as this process knows; looked up again before anything is removed.
  private let byteCount: Mutex<Int>

  /// Makes the folder, for this user alone.
  ///
  /// - Parameter byteLimit: Of all entries together.
  package init(_ path: String, byteLimit: Int) throws(StorageError) {
    self.path = path
    self.byteLimit = byteLimit
    try RootedFiles(path).makeRoot(mode: 0o700)
    root = try SystemCalls.open(path, O_RDONLY | O_DIRECTORY, "opening the directory")
    byteCount = Mutex(0)
    let present = try entries()
    byteCount.withLock { $0 = present.reduce(0) { $0 + $1.byteCount } }
    shrink()
  }

  /// The content under `key`, of at most `limit` bytes; nil when there is none that is whole.
  func read(_ key: Digest, limit: Int) -> [UInt8]? {
    let name = key.hex
    guard let file = try? SystemCalls.open(at: root.raw, name, O_RDONLY | O_NOFOLLOW, place: path),
      let all = try? DurableFile.contents(
        file, limit: min(limit, byteLimit) + Digest.byteCount, place: path),
      let digest = Digest(all.prefix(Digest.byteCount))
    else { return nil }
    let content = Array(all.dropFirst(Digest.byteCount))
    guard SHA256.hash(content) == digest else {
      remove(key)
      return nil
    }
    _ = utimensat(root.raw, name, nil, AT_SYMLINK_NOFOLLOW)
    return content
  }

  /// Keeps the content, if it can: a cache that is full or broken is no reason to fail.
  func write(_ content: [UInt8], _ key: Digest) {
    // One entry never pushes out most of the others.
    guard content.count <= byteLimit / 8 else { return }
    let temporary = DurableFile.temporaryName()
    let bytes = SHA256.hash(content).bytes + content
    do throws(StorageError) {
      let file = try SystemCalls.open(
        at: root.raw, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600, place: path)
      try SystemCalls.write(bytes, file, offset: 0, place: path)
    } catch {
      _ = unlinkat(root.raw, temporary, 0)
      return
    }
    guard renameat(root.raw, temporary, root.raw, key.hex) == 0 else {
      _ = unlinkat(root.raw, temporary, 0)
      return
    }
    let isFull = byteCount.withLock {
      $0 += bytes.count
      return $0 > byteLimit
    }
    if isFull { shrink() }
  }

  func remove(_ key: Digest) { _ = unlinkat(root.raw, key.hex, 0) }

  /// Removes what was not used longest, down to three quarters of the limit, so that the folder is not
  /// listed again for each entry.
  private func shrink() {
    guard let present = try? entries().sorted(by: { $0.nanoseconds < $1.nanoseconds }) else {
      return
    }
    var total = present.reduce(0) { $0 + $1.byteCount }
    if total > byteLimit {
      for entry in present {
        guard total > byteLimit / 4 * 3 else { break }
        if unlinkat(root.raw, entry.name, 0) == 0 { total -= entry.byteCount }
      }
    }
    let left = total
    byteCount.withLock { $0 = left }
  }

  /// Our own files alone: whoever names the wrong folder loses nothing in it.
  private func entries() throws(StorageError) -> [FolderListing.Item] {
    try FolderListing.items("", beneath: root, place: path).filter {
      !$0.isFolder
        && (Digest(hex: $0.name) != nil || $0.name.hasPrefix(DurableFile.temporaryPrefix))
    }
  }
}
