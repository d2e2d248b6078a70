import Cryptography
import Glibc
package import ProofPrimitives

/// A file that is being fetched: `<name>.part` until it is whole and has its digest.
///
/// What an interrupted run left is gone on with; it is hashed again first, so that nothing is believed
/// because it is on the disk. One thread uses it.
package final class PartialFile {
  package static let suffix = ".part"

  /// What is there so far.
  package private(set) var byteCount: Int
  private let entry: FolderEntry
  private let temporary: String
  private let file: OwnedDescriptor
  private let hasher = SHA256()

  /// Opens or makes `<name>.part` beneath `root`, and the folders of the name.
  ///
  /// - Parameter limit: A longer one is not a beginning of what is wanted, and is begun anew.
  package init(
    _ name: String, in root: DirectoryObjectSource, limit: Int
  ) throws(StorageError) {
    entry = try root.entry(for: name)
    temporary = entry.name + PartialFile.suffix
    file = try SystemCalls.open(
      at: entry.folder.raw, temporary, O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o644,
      place: entry.place + PartialFile.suffix)
    byteCount = try SystemCalls.regularFileByteCount(file, place: entry.place)
    if byteCount > limit { try restart() }
    var offset = 0
    while offset < byteCount {
      let end = min(byteCount, offset + OutgoingFile.blockByteCount)
      let bytes = try SystemCalls.read(file, range: offset..<end, place: entry.place)
      guard bytes.count == end - offset else {
        throw rangeMissing(offset..<end, of: offset + bytes.count, at: entry.place)
      }
      hasher.update(bytes)
      offset = end
    }
  }

  package func append(_ bytes: [UInt8]) throws(StorageError) {
    try SystemCalls.write(bytes, file, offset: byteCount, place: entry.place)
    hasher.update(bytes)
    byteCount += bytes.count
  }

  /// Forgets what there is.
  package func restart() throws(StorageError) {
    guard ftruncate(file.raw, 0) == 0 else {
      throw SystemCalls.error("cutting the file", at: entry.place, errno)
    }
    byteCount = 0
    _ = hasher.finish()
  }

  /// Syncs, gives the file its name and syncs the folder, if the content has `digest`; nothing is
  /// replaced. To be called once for what was appended.
  ///
  /// - Returns: False, and the file is begun anew, when the content has another digest.
  package func finish(_ digest: Digest) throws(StorageError) -> Bool {
    guard hasher.finish() == digest else {
      try restart()
      return false
    }
    guard fsync(file.raw) == 0 else {
      throw SystemCalls.error("syncing", at: entry.place, errno)
    }
    try DurableFile.publish(
      temporary, as: entry.name, in: entry.folder, path: entry.place, replaces: false)
    try entry.sync()
    return true
  }

  /// Takes the part away.
  package func remove() { _ = unlinkat(entry.folder.raw, temporary, 0) }
}
