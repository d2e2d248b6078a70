import Glibc
import ProofPrimitives

/// Files that are either there whole, also after a power cut, or not there.
package enum DurableFile {
  /// What a temporary file's name begins with; one that is left behind by a crash may be deleted.
  package static let temporaryPrefix = ".pol-tmp-"

  /// Puts a file with these bytes at `path`:
  ///
  /// 1. make a temporary file in the same directory, which must not exist and is never a link;
  /// 2. write all bytes;
  /// 3. sync the file;
  /// 4. rename it to its name (or link it there, when nothing may be replaced);
  /// 5. sync the directory, without which the new name may be lost.
  ///
  /// After an error in 1 to 4 the old file stands as it was and the temporary one is removed. After one
  /// in 5 the new file stands and may be gone after a power cut.
  /// - Parameters:
  ///   - mode: Permissions, lessened by the process's umask.
  ///   - replaces: False refuses, with `.present`, a path where anything stands.
  package static func write(
    _ bytes: [UInt8], to path: String, mode: UInt32 = 0o644, replaces: Bool = true
  ) throws(StorageError) {
    try SystemCalls.checkPath(path)
    let (folder, name) = split(path)
    let directory = try SystemCalls.open(
      folder, O_RDONLY | O_DIRECTORY, "opening the directory")
    try write(
      bytes, to: FolderEntry(folder: directory, name: name, place: path),
      temporary: temporaryName(), mode: mode, replaces: replaces)
  }

  static func temporaryName() -> String {
    temporaryPrefix + Hex.encode((0..<8).map { _ in UInt8.random(in: .min ... .max) })
  }

  /// The five steps, in a folder that is open.
  static func write(
    _ bytes: [UInt8], to entry: borrowing FolderEntry, temporary: String, mode: UInt32,
    replaces: Bool, syncsFolder: Bool = true
  ) throws(StorageError) {
    try write(
      to: entry, temporary: temporary, mode: mode, replaces: replaces, syncsFolder: syncsFolder
    ) { file throws(StorageError) in try file.append(bytes) }
  }

  /// The five steps; `body` is step 2.
  static func write(
    to entry: borrowing FolderEntry, temporary: String, mode: UInt32, replaces: Bool,
    syncsFolder: Bool = true, _ body: (TemporaryFile) throws(StorageError) -> Void
  ) throws(StorageError) {
    let path = entry.place
    let file = TemporaryFile(
      try SystemCalls.open(
        at: entry.folder.raw, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: mode,
        place: path, "making a temporary file"), place: path)
    do throws(StorageError) {
      try body(file)
      try file.sync()
      try publish(temporary, as: entry.name, in: entry.folder, path: path, replaces: replaces)
    } catch {
      _ = unlinkat(entry.folder.raw, temporary, 0)
      throw error
    }
    if syncsFolder { try entry.sync() }
  }

  /// Makes a directory and syncs its parent. One that is already there is accepted.
  /// - Returns: True when it was made by this call.
  @discardableResult
  package static func createDirectory(
    _ path: String, mode: UInt32 = 0o755
  ) throws(StorageError) -> Bool {
    try SystemCalls.checkPath(path)
    let isNew = mkdir(path, mode) == 0
    if !isNew {
      let code = errno
      guard code == EEXIST else { throw SystemCalls.error("making the directory", at: path, code) }
      var status = stat()
      guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
        throw StorageError(
          .malformed, at: printable(path, limit: 1000),
          "something that is no directory stands here",
          remedy: "move it away or choose another path")
      }
    }
    // Also when it was there: whoever made it may have crashed before this.
    try syncParent(of: path)
    return isNew
  }

  /// The bytes of a regular file of at most `limit` bytes.
  ///
  /// - Parameter followsSymlinks: True for paths that a user gave; a link inside a directory that a
  ///   stranger filled is refused.
  /// - Throws: `.missing`, `.malformed` for a FIFO, a device or a directory (none of them is waited
  ///   for), `.limit` before anything is read.
  package static func readWhole(
    _ path: String, limit: Int, followsSymlinks: Bool = false
  ) throws(StorageError) -> [UInt8] {
    let file = try SystemCalls.open(path, O_RDONLY | (followsSymlinks ? 0 : O_NOFOLLOW))
    return try contents(file, limit: limit, place: path)
  }

  /// Removes a file and syncs its directory; one that is not there is accepted.
  package static func remove(_ path: String) throws(StorageError) {
    try SystemCalls.checkPath(path)
    if unlink(path) != 0 {
      let code = errno
      guard code == ENOENT else { throw SystemCalls.error("removing", at: path, code) }
    }
    try syncParent(of: path)
  }

  static func contents(
    _ file: borrowing OwnedDescriptor, limit: Int, place: String
  ) throws(StorageError) -> [UInt8] {
    let byteCount = try SystemCalls.regularFileByteCount(file, place: place)
    guard byteCount <= limit else {
      throw StorageError(
        .limit, at: printable(place, limit: 1000),
        "the file has \(byteCount) bytes and at most \(limit) are accepted here",
        remedy: "check that this is the right file")
    }
    let bytes = try SystemCalls.read(file, range: 0..<byteCount, place: place)
    guard bytes.count == byteCount else {
      throw StorageError(
        .io, at: printable(place, limit: 1000), "the file shrank while it was read",
        remedy: "let nothing write there, then try again")
    }
    return bytes
  }

  /// Makes the names in the directory that holds `path` last.
  static func syncParent(of path: String) throws(StorageError) {
    let folder = split(path).folder
    let directory = try SystemCalls.open(
      folder, O_RDONLY | O_DIRECTORY, "opening the directory")
    try syncDirectory(directory, place: folder)
  }

  static func syncDirectory(
    _ directory: borrowing OwnedDescriptor, place: String
  ) throws(StorageError) {
    // EINVAL comes from file systems on which a directory has nothing to sync.
    guard fsync(directory.raw) == 0 || errno == EINVAL else {
      throw SystemCalls.error("syncing the directory", at: place, errno)
    }
  }

  static func publish(
    _ temporary: String, as name: String, in directory: borrowing OwnedDescriptor, path: String,
    replaces: Bool
  ) throws(StorageError) {
    if replaces {
      guard renameat(directory.raw, temporary, directory.raw, name) == 0 else {
        throw SystemCalls.error("renaming a temporary file to this name", at: path, errno)
      }
      return
    }
    guard linkat(directory.raw, temporary, directory.raw, name, 0) == 0 else {
      let code = errno
      guard code == EEXIST else { throw SystemCalls.error("naming the file", at: path, code) }
      throw StorageError(
        .present, at: printable(path, limit: 1000),
        "something stands here already and is not replaced",
        remedy: "choose another path, or move it away")
    }
    _ = unlinkat(directory.raw, temporary, 0)
  }

  /// The directory that holds `path`, and its last component.
  static func split(_ path: String) -> (folder: String, name: String) {
    var path = path[...]
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    guard let slash = path.lastIndex(of: "/") else { return (".", String(path)) }
    let folder = path[..<slash]
    return (folder.isEmpty ? "/" : String(folder), String(path[path.index(after: slash)...]))
  }
}

/// A new file that is written from its beginning to its end.
final class TemporaryFile {
  private let file: OwnedDescriptor
  private let place: String
  private var byteCount = 0

  init(_ file: consuming OwnedDescriptor, place: String) {
    self.file = file
    self.place = place
  }

  func append(_ bytes: [UInt8]) throws(StorageError) {
    try SystemCalls.write(bytes, file, offset: byteCount, place: place)
    byteCount += bytes.count
  }

  func sync() throws(StorageError) {
    guard fsync(file.raw) == 0 else { throw SystemCalls.error("syncing", at: place, errno) }
  }
}
