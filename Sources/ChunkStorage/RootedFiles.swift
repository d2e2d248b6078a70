import Glibc
import ProofPrimitives

/// Files that one program keeps beneath one root and that others may have tampered with.
///
/// The root is the user's own choice and may be reached by a link; what is below may not. Reading
/// never waits for a FIFO. The folders of a name are made when something is written there.
package struct RootedFiles: Sendable {
  package let root: String

  /// Of a file that `replace` or `createTogether` writes, until it has its name.
  package static let temporarySuffix = ".tmp"

  package init(_ root: String) { self.root = root }

  /// The bytes of a regular file of at most `limit` bytes; nil when there is no such file.
  package func read(_ name: String, limit: Int) throws(StorageError) -> [UInt8]? {
    guard let entry = try find(name), let file = try entry.open(O_RDONLY) else { return nil }
    return try DurableFile.contents(file, limit: limit, place: entry.place)
  }

  /// Opens a regular file to be read in pieces; nil when there is no such file.
  package func open(_ name: String) throws(StorageError) -> RandomAccessFile? {
    guard let entry = try find(name), let file = try entry.open(O_RDONLY) else { return nil }
    let byteCount = try SystemCalls.regularFileByteCount(file, place: entry.place)
    return RandomAccessFile(file, byteCount: byteCount, place: entry.place)
  }

  /// Whether a regular file is there; false when nothing is. A link or anything else is an error.
  ///
  /// Without opening it: closing a database's file would drop the locks that this process has on it.
  package func isRegularOrMissing(_ name: String) throws(StorageError) -> Bool {
    guard let entry = try find(name) else { return false }
    var status = stat()
    guard fstatat(entry.folder.raw, entry.name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
      if errno == ENOENT { return false }
      throw SystemCalls.error("examining", at: entry.place, errno)
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw SystemCalls.notRegular(at: entry.place)
    }
    return true
  }

  /// Replaces a file whole, in the order of `DurableFile.write`: readers see the old bytes or the new.
  ///
  /// The temporary file is `<name>.tmp`, so that crashes leave at most one behind; the caller is the
  /// only writer.
  ///
  /// - Parameter syncsFolder: False leaves the last step to the caller's next change in the same folder.
  ///   Until then a power cut may bring the old file back.
  package func replace(
    _ name: String, with bytes: [UInt8], mode: UInt32 = 0o644, syncsFolder: Bool = true
  ) throws(StorageError) {
    let entry = try make(name)
    let temporary = entry.name + RootedFiles.temporarySuffix
    _ = unlinkat(entry.folder.raw, temporary, 0)
    try DurableFile.write(
      bytes, to: entry, temporary: temporary, mode: mode, replaces: true, syncsFolder: syncsFolder)
  }

  /// Writes files that never change, all of them durable when this returns. Each goes the way of
  /// `replace`, but step by step together: all are written, each is synced, all get their names, each
  /// folder is synced once. One that is there with the same bytes stays, as after a crash.
  ///
  /// - Returns: The name of one that is there with other bytes; then nothing was written. Nil else.
  package func createTogether(
    _ files: [(name: String, bytes: [UInt8])]
  ) throws(StorageError) -> String? {
    var written: [WrittenFile] = []
    var folders: [String: SharedFolder] = [:]
    for (name, bytes) in files {
      let folderName = String(name[..<(name.lastIndex(of: "/") ?? name.startIndex)])
      let entry = try make(name)
      let place = entry.place
      let fileName = entry.name
      let folder: SharedFolder
      if let known = folders[folderName] {
        folder = known
      } else {
        folder = SharedFolder(entry.takeFolder(), place: place)
        folders[folderName] = folder
      }
      var status = stat()
      if fstatat(folder.raw, fileName, &status, AT_SYMLINK_NOFOLLOW) == 0 {
        let present = try read(name, limit: max(bytes.count, 1 << 24))
        guard present == bytes else { return name }
        // It was synced before it got its name; the name itself may still have to be.
        continue
      }
      written.append(WrittenFile(folder: folder, name: fileName, place: place))
      try written[written.count - 1].write(bytes)
    }
    for file in written { try file.sync() }
    for file in written { try file.publish() }
    for folder in folders.values { try folder.sync() }
    return nil
  }

  /// Adds to a file's end, and syncs it and its folder, where other names may have changed. A crash may
  /// leave a part of `bytes` there. The caller is the only writer.
  package func append(_ name: String, _ bytes: [UInt8]) throws(StorageError) {
    try change(name, O_WRONLY | O_CREAT) { file, byteCount, place throws(StorageError) in
      try SystemCalls.write(bytes, file, offset: byteCount, place: place)
    }
  }

  /// Cuts a file back to `byteCount`, and syncs it and its folder.
  package func truncate(_ name: String, to byteCount: Int) throws(StorageError) {
    try change(name, O_WRONLY) { file, _, place throws(StorageError) in
      guard ftruncate(file.raw, off_t(byteCount)) == 0 else {
        throw SystemCalls.error("cutting the file", at: place, errno)
      }
    }
  }

  /// Makes the root itself, with its missing ancestors.
  package func makeRoot(mode: UInt32) throws(StorageError) {
    let names = root.split(separator: "/").map(String.init)
    for last in names.indices {
      let path = (root.hasPrefix("/") ? "/" : "./") + names[...last].joined(separator: "/")
      // What is there is not touched: its parent may be nothing that we may open.
      guard access(path, F_OK) != 0 else { continue }
      try DurableFile.createDirectory(path, mode: last == names.count - 1 ? mode : 0o755)
    }
  }

  /// Whether the root is a folder with nothing in it, or is not there.
  package func isVacant() throws(StorageError) -> Bool {
    guard let folder = opendir(root) else {
      if errno == ENOENT { return true }
      throw SystemCalls.error("reading the directory", at: root, errno)
    }
    defer { closedir(folder) }
    while let item = readdir(folder) {
      let name = withUnsafeBytes(of: item.pointee.d_name) { $0.prefix { $0 != 0 }.map { $0 } }
      if name != [46], name != [46, 46] { return false }
    }
    return true
  }

  /// Locks a file for as long as the answer lives, in this process too.
  ///
  /// - Throws: `.locked` at once when somebody holds it and `waits` is false.
  package func lock(_ name: String, waits: Bool = false) throws(StorageError) -> HeldLock {
    let entry = try make(name)
    guard let file = try entry.open(O_RDWR | O_CREAT, mode: 0o600) else {
      throw SystemCalls.error("opening", at: entry.place, ENOENT)
    }
    return try HeldLock(file, waits: waits, place: entry.place)
  }

  /// Where `name` lies; the root itself for an empty one.
  package func place(_ name: String) -> String { name.isEmpty ? root : "\(root)/\(name)" }

  private func change(
    _ name: String, _ flags: Int32,
    _ body: (borrowing OwnedDescriptor, Int, String) throws(StorageError) -> Void
  ) throws(StorageError) {
    let entry = try make(name)
    guard let file = try entry.open(flags, mode: 0o644) else {
      throw SystemCalls.error("opening", at: entry.place, ENOENT)
    }
    let byteCount = try SystemCalls.regularFileByteCount(file, place: entry.place)
    try body(file, byteCount, entry.place)
    // The length is part of what reading the data needs, so it is synced with it.
    guard fdatasync(file.raw) == 0 else {
      throw SystemCalls.error("syncing", at: entry.place, errno)
    }
    try entry.sync()
  }

  /// The last `count` bytes of a file's first `end`; fewer where it begins later. Nil when there is no file.
  package func read(
    _ name: String, endingAt end: Int, count: Int
  ) throws(StorageError) -> [UInt8]? {
    guard let file = try open(name) else { return nil }
    let end = min(end, file.byteCount)
    return try file.bytes(max(0, end - count)..<end)
  }

  /// Bytes of a regular file; nil when there is no such file.
  package func byteCount(of name: String) throws(StorageError) -> Int? {
    try open(name)?.byteCount
  }

  /// Nil when the root or a folder of the name is not there.
  private func find(_ name: String) throws(StorageError) -> FolderEntry? {
    let components = try ObjectName(name, in: root)
    do throws(StorageError) {
      let folder = try SystemCalls.open(root, O_RDONLY | O_DIRECTORY, "opening the directory")
      return try FolderEntry(components, beneath: folder, place: place(name))
    } catch {
      guard error.code == .missing else { throw error }
      return nil
    }
  }

  private func make(_ name: String) throws(StorageError) -> FolderEntry {
    let components = try ObjectName(name, in: root)
    let folder = try SystemCalls.open(root, O_RDONLY | O_DIRECTORY, "opening the directory")
    let entry = try FolderEntry(
      components, beneath: folder, place: place(name), makesFolders: true)
    guard let entry else { throw SystemCalls.error("opening", at: place(name), ENOENT) }
    return entry
  }
}

/// A folder in which several files are written.
private final class SharedFolder {
  private let folder: OwnedDescriptor
  private let place: String

  init(_ folder: consuming OwnedDescriptor, place: String) {
    self.folder = folder
    self.place = place
  }

  var raw: Int32 { folder.raw }

  func sync() throws(StorageError) { try DurableFile.syncDirectory(folder, place: place) }
}

/// A file that has its temporary name until `publish`, and goes if it never comes to that.
private final class WrittenFile {
  private let folder: SharedFolder
  private let name: String
  private let place: String
  private var file: TemporaryFile?
  private var isPublished = false

  init(folder: SharedFolder, name: String, place: String) {
    self.folder = folder
    self.name = name
    self.place = place
  }

  deinit { if file != nil, !isPublished { _ = unlinkat(folder.raw, temporary, 0) } }

  private var temporary: String { name + RootedFiles.temporarySuffix }

  func write(_ bytes: [UInt8]) throws(StorageError) {
    _ = unlinkat(folder.raw, temporary, 0)
    let file = TemporaryFile(
      try SystemCalls.open(
        at: folder.raw, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o644,
        place: place, "making a temporary file"), place: place)
    self.file = file
    try file.append(bytes)
  }

  func sync() throws(StorageError) { try file?.sync() }

  func publish() throws(StorageError) {
    guard renameat(folder.raw, temporary, folder.raw, name) == 0 else {
      throw SystemCalls.error("renaming a temporary file to this name", at: place, errno)
    }
    isPublished = true
  }
}
