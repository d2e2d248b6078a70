import Glibc

/// Visits every file beneath a folder, through no link.
enum FolderWalk {
  enum Found: Equatable {
    /// Changed last at `time`, in seconds since 1970.
    case file(byteCount: Int, time: Int64)
    /// A link, a FIFO, a device: nothing that belongs in a ledger.
    case odd
  }

  enum Action { case keep, remove }

  /// Deeper than any tile's path.
  private static let depthLimit = 16

  /// - Parameter visit: Given the name relative to `root`; says whether the file is to go.
  static func walk(
    _ root: String, _ visit: (String, Found) throws(LedgerError) -> Action
  ) throws(LedgerError) {
    let descriptor = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else {
      if errno == ENOENT { return }
      throw failure(root)
    }
    try walk(descriptor, root, "", 0, visit)
  }

  private static func walk(
    _ descriptor: Int32, _ root: String, _ prefix: String, _ depth: Int,
    _ visit: (String, Found) throws(LedgerError) -> Action
  ) throws(LedgerError) {
    guard depth < depthLimit, let folder = fdopendir(descriptor) else {
      close(descriptor)
      throw failure("\(root)/\(prefix)")
    }
    defer { closedir(folder) }
    var names: [String] = []
    while let item = readdir(folder) {
      let name = withUnsafeBytes(of: item.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != ".", name != ".." { names.append(name) }
    }
    for name in names.sorted() {
      let path = prefix + name
      var status = stat()
      guard fstatat(dirfd(folder), name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
        // A temporary file that was renamed meanwhile.
        if errno == ENOENT { continue }
        throw failure("\(root)/\(path)")
      }
      switch status.st_mode & S_IFMT {
      case S_IFDIR:
        let below = openat(
          dirfd(folder), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard below >= 0 else { throw failure("\(root)/\(path)") }
        try walk(below, root, "\(path)/", depth + 1, visit)
      case S_IFREG:
        let found = Found.file(
          byteCount: Int(status.st_size), time: Int64(status.st_mtim.tv_sec))
        guard try visit(path, found) == .remove else { continue }
        guard unlinkat(dirfd(folder), name, 0) == 0 else { throw failure("\(root)/\(path)") }
      default: _ = try visit(path, .odd)
      }
    }
  }

  private static func failure(_ path: String) -> LedgerError {
    LedgerError(
      .inputOutput, "the folder cannot be read: \(String(cString: strerror(errno)))",
      remedy: "check the disk and the permissions", path: path)
  }
}
