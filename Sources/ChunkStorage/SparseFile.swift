import Glibc

/// `<name>.part`, of which some ranges are there, each at its own place (`spec/store.md` §5.1).
///
/// Which ones, somebody else keeps: what was never written reads as zeros. Different ranges may be written
/// at the same time.
package final class SparseFile: Sendable {
  private let entry: FolderEntry
  private let temporary: String
  private let file: OwnedDescriptor

  /// Opens `<name>.part` beneath `root`, or makes it and the folders of the name.
  package init(_ name: String, in root: DirectoryObjectSource) throws(StorageError) {
    entry = try root.entry(for: name)
    temporary = entry.name + PartialFile.suffix
    file = try SystemCalls.open(
      at: entry.folder.raw, temporary, O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o644,
      place: entry.place + PartialFile.suffix)
    _ = try SystemCalls.regularFileByteCount(file, place: entry.place + PartialFile.suffix)
  }

  package func write(_ bytes: [UInt8], at offset: Int) throws(StorageError) {
    try SystemCalls.write(bytes, file, offset: offset, place: entry.place + PartialFile.suffix)
  }

  /// Makes what was written last, and the name.
  package func sync() throws(StorageError) {
    guard fsync(file.raw) == 0 else {
      throw SystemCalls.error("syncing", at: entry.place + PartialFile.suffix, errno)
    }
    try entry.sync()
  }

  /// Cuts the file to `byteCount`, syncs, gives it its own name and syncs the folder; nothing is replaced.
  package func publish(byteCount: Int) throws(StorageError) {
    guard ftruncate(file.raw, off_t(byteCount)) == 0 else {
      throw SystemCalls.error("cutting the file", at: entry.place, errno)
    }
    try sync()
    try DurableFile.publish(
      temporary, as: entry.name, in: entry.folder, path: entry.place, replaces: false)
    try entry.sync()
  }

  /// Takes the file away.
  package func remove() { _ = unlinkat(entry.folder.raw, temporary, 0) }
}
