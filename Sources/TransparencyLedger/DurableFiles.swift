import Glibc

/// Files under one root, reached without following any link below it.
///
/// A write is durable in this order: temporary file, write, sync, rename, sync the directory. After
/// a failed sync nothing read back is believed: the caller stops and opens the ledger again.
struct DurableFiles: Sendable {
  let root: String

  /// The bytes at `path`, or nil when there is no such file. Only regular files are read: the check
  /// comes after an open that neither waits (a FIFO would) nor follows a link.
  func read(_ path: String, limit: Int) throws(LedgerError) -> [UInt8]? {
    guard let parent = try openParent(path, create: false) else { return nil }
    defer { close(parent.descriptor) }
    let file = openat(
      parent.descriptor, parent.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard file >= 0 else {
      if errno == ENOENT { return nil }
      throw failure("it cannot be opened", path)
    }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0 else { throw failure("it cannot be examined", path) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw notRegular(path) }
    guard status.st_size <= limit else {
      throw LedgerError(
        .tooLarge, "it has \(status.st_size) bytes, the limit is \(limit)",
        remedy: "check that this is a ledger's file", path: place(path))
    }
    // One byte more than the limit shows a file that grew after it was examined.
    var bytes = [UInt8](repeating: 0, count: Int(status.st_size) + 1)
    var filled = 0
    while filled < bytes.count {
      let start = filled
      let count = bytes.withUnsafeMutableBytes {
        Glibc.read(file, $0.baseAddress?.advanced(by: start), $0.count - start)
      }
      if count < 0 {
        if errno == EINTR { continue }
        throw failure("it cannot be read", path)
      }
      if count == 0 { break }
      filled += count
    }
    guard filled < bytes.count else {
      throw LedgerError(
        .inputOutput, "it grew while it was read", remedy: "try again", path: place(path))
    }
    bytes.removeLast(bytes.count - filled)
    return bytes
  }

  /// Whether a regular file is at `path`; false when nothing is. A link or anything else is an error.
  func isRegularOrMissing(_ path: String) throws(LedgerError) -> Bool {
    guard let parent = try openParent(path, create: false) else { return false }
    defer { close(parent.descriptor) }
    var status = stat()
    guard fstatat(parent.descriptor, parent.name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
      if errno == ENOENT { return false }
      throw failure("it cannot be examined", path)
    }
    guard status.st_mode & S_IFMT == S_IFREG else { throw notRegular(path) }
    return true
  }

  /// Replaces `path` whole: readers see the old bytes or the new ones.
  func replace(_ path: String, with bytes: [UInt8], mode: mode_t = 0o644) throws(LedgerError) {
    guard let parent = try openParent(path, create: true) else { throw failure("no folder", path) }
    defer { close(parent.descriptor) }
    let temporary = parent.name + ".tmp"
    unlinkat(parent.descriptor, temporary, 0)
    let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
    let file = openat(parent.descriptor, temporary, flags, mode)
    guard file >= 0 else { throw failure("it cannot be created", path) }
    defer { close(file) }
    try writeAll(bytes, to: file, path)
    guard fsync(file) == 0 else { throw failure("it cannot be made durable", path) }
    guard renameat(parent.descriptor, temporary, parent.descriptor, parent.name) == 0 else {
      throw failure("it cannot be put in place", path)
    }
    guard fsync(parent.descriptor) == 0 else { throw failure("its folder cannot be synced", path) }
  }

  /// Writes a file that never changes. Finding it there with the same bytes is fine, as after a
  /// crash; with other bytes it is damage, and is left as it is.
  func createOnce(_ path: String, _ bytes: [UInt8]) throws(LedgerError) {
    if let present = try read(path, limit: max(bytes.count, 1 << 24)) {
      guard present == bytes else {
        throw LedgerError(
          .damagedTile, "it is there already with other bytes, and never changes once written",
          remedy: "restore the ledger's folder from a good copy", path: place(path))
      }
      return
    }
    try replace(path, with: bytes)
  }

  /// Adds to a file's end and syncs it. A crash may leave a part of `bytes` there.
  func append(_ path: String, _ bytes: [UInt8]) throws(LedgerError) {
    try withFile(path, O_WRONLY | O_APPEND | O_CREAT) { file throws(LedgerError) in
      try writeAll(bytes, to: file, path)
    }
  }

  /// Cuts a file back to `byteCount`.
  func truncate(_ path: String, to byteCount: Int) throws(LedgerError) {
    try withFile(path, O_WRONLY) { file throws(LedgerError) in
      guard ftruncate(file, off_t(byteCount)) == 0 else { throw failure("it cannot be cut", path) }
    }
  }

  /// Makes the root itself, with its missing ancestors.
  func makeRoot(mode: mode_t) throws(LedgerError) {
    var path = root.hasPrefix("/") ? "" : "."
    let components = root.split(separator: "/").map(String.init)
    for (position, component) in components.enumerated() {
      let parent = path.isEmpty ? "/" : path
      path += "/" + component
      let isLast = position == components.count - 1
      if mkdir(path, isLast ? mode : 0o755) == 0 {
        let folder = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if folder >= 0 {
          fsync(folder)
          close(folder)
        }
      } else if errno != EEXIST {
        throw failure("the folder \(path) cannot be made", "")
      }
    }
  }

  /// Whether the root is a folder with nothing in it, or is not there.
  func isVacant() throws(LedgerError) -> Bool {
    guard let folder = opendir(root) else {
      if errno == ENOENT { return true }
      throw failure("the folder cannot be read", "")
    }
    defer { closedir(folder) }
    while let item = readdir(folder) {
      let name = withUnsafeBytes(of: item.pointee.d_name) { $0.prefix { $0 != 0 }.map { $0 } }
      if name != [46], name != [46, 46] { return false }
    }
    return true
  }

  /// Locks `path` for this process until the answer goes away; nil when another holds it.
  func lock(_ path: String, waiting: Bool = false) throws(LedgerError) -> FileLock? {
    guard let parent = try openParent(path, create: true) else { throw failure("no folder", path) }
    defer { close(parent.descriptor) }
    let file = openat(
      parent.descriptor, parent.name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw failure("it cannot be opened", path) }
    guard flock(file, waiting ? LOCK_EX : LOCK_EX | LOCK_NB) == 0 else {
      let isHeld = errno == EWOULDBLOCK
      let error = failure("it cannot be locked", path)
      close(file)
      if isHeld { return nil }
      throw error
    }
    return FileLock(descriptor: file)
  }

  private func withFile(
    _ path: String, _ flags: Int32, _ body: (Int32) throws(LedgerError) -> Void
  ) throws(LedgerError) {
    guard let parent = try openParent(path, create: true) else { throw failure("no folder", path) }
    defer { close(parent.descriptor) }
    let file = openat(
      parent.descriptor, parent.name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw failure("it cannot be opened", path) }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw notRegular(path)
    }
    try body(file)
    guard fsync(file) == 0, fsync(parent.descriptor) == 0 else {
      throw failure("it cannot be made durable", path)
    }
  }

  private func writeAll(_ bytes: [UInt8], to file: Int32, _ path: String) throws(LedgerError) {
    var done = 0
    while done < bytes.count {
      let start = done
      let count = bytes.withUnsafeBytes {
        write(file, $0.baseAddress?.advanced(by: start), $0.count - start)
      }
      if count < 0 {
        if errno == EINTR { continue }
        throw failure("it cannot be written", path)
      }
      done += count
    }
  }

  /// Walks to the folder of `path`, one name at a time and through no link; nil when a folder is
  /// missing and is not to be made. The caller closes the descriptor.
  private func openParent(
    _ path: String, create: Bool
  ) throws(LedgerError) -> (descriptor: Int32, name: String)? {
    let names = path.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard let last = names.last,
      names.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." && !$0.utf8.contains(0) })
    else { throw failure("the path is malformed", path) }
    // The root is the user's own choice and may be reached by a link; what is below may not.
    var folder = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else {
      if errno == ENOENT { return nil }
      throw failure("the folder cannot be opened", "")
    }
    for name in names.dropLast() {
      var next = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
      if next < 0, errno == ENOENT, create {
        if mkdirat(folder, name, 0o755) == 0 || errno == EEXIST {
          guard fsync(folder) == 0 else {
            let error = failure("its folder cannot be synced", path)
            close(folder)
            throw error
          }
          next = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        }
      }
      guard next >= 0 else {
        let isMissing = errno == ENOENT && !create
        let error = failure("the folder \(name) cannot be opened", path)
        close(folder)
        if isMissing { return nil }
        throw error
      }
      close(folder)
      folder = next
    }
    return (folder, last)
  }

  func place(_ path: String) -> String { path.isEmpty ? root : "\(root)/\(path)" }

  /// Names the last system error, which the caller has not yet overwritten.
  private func failure(_ what: String, _ path: String) -> LedgerError {
    let number = errno
    if number == ELOOP || number == ENXIO { return notRegular(path) }
    return LedgerError(
      .inputOutput, "\(what): \(String(cString: strerror(number)))",
      remedy: "check the disk and the permissions", path: place(path))
  }

  private func notRegular(_ path: String) -> LedgerError {
    LedgerError(
      .notRegularFile, "it is not a regular file (links are not followed)",
      remedy: "put the file itself there", path: place(path))
  }
}

/// Holds a lock until it goes away.
final class FileLock: Sendable {
  private let descriptor: Int32

  init(descriptor: Int32) { self.descriptor = descriptor }

  deinit { close(descriptor) }
}
