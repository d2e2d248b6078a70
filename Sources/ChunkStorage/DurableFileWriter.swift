import Glibc
import ProofPrimitives

/// A file that is written piece by piece and stands at its path whole, or not at all: the five steps of
/// `DurableFile.write`, for what is too large to hold in memory.
///
/// One that is dropped before `finish` leaves nothing behind.
package final class DurableFileWriter {
  private let entry: FolderEntry
  private let temporary: String
  private let file: OwnedDescriptor
  private let replaces: Bool
  private var isFinished = false
  /// Bytes appended so far.
  package private(set) var byteCount = 0

  /// - Parameter replaces: False refuses, in `finish`, a path where anything stands.
  package init(
    _ path: String, mode: UInt32 = 0o644, replaces: Bool
  ) throws(StorageError) {
    try SystemCalls.checkPath(path)
    let (folder, name) = DurableFile.split(path)
    let directory = try SystemCalls.open(
      folder, O_RDONLY | O_DIRECTORY, "opening the directory")
    temporary =
      DurableFile.temporaryPrefix
      + Hex.encode((0..<8).map { _ in UInt8.random(in: .min ... .max) })
    file = try SystemCalls.open(
      at: directory.raw, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: mode,
      place: path, "making a temporary file")
    entry = FolderEntry(folder: directory, name: name, place: path)
    self.replaces = replaces
  }

  deinit {
    if !isFinished { _ = unlinkat(entry.folder.raw, temporary, 0) }
  }

  package func append(_ bytes: [UInt8]) throws(StorageError) {
    try SystemCalls.write(bytes, file, offset: byteCount, place: entry.place)
    byteCount += bytes.count
  }

  /// Writes over bytes that were appended, such as a checksum that stands before what it covers.
  package func replace(_ bytes: [UInt8], at offset: Int) throws(StorageError) {
    precondition(offset >= 0 && offset + bytes.count <= byteCount)
    try SystemCalls.write(bytes, file, offset: offset, place: entry.place)
  }

  /// Syncs the file, gives it its name and syncs the directory.
  package func finish() throws(StorageError) {
    guard fsync(file.raw) == 0 else { throw SystemCalls.error("syncing", at: entry.place, errno) }
    try DurableFile.publish(
      temporary, as: entry.name, in: entry.folder, path: entry.place, replaces: replaces)
    isFinished = true
    try entry.sync()
  }
}
