internal import ChunkStorage
internal import Glibc
internal import ProofPrimitives

/// The names of what lies in an archive's directory, with `/` between folders, one folder deep.
enum DirectoryListing {
  /// Includes whatever stands there, regular file or not.
  static func names(_ path: String) throws(ArchiveError) -> [String] {
    var names: [String] = []
    for name in try entries(path, followsLinks: true) {
      if name == ArchiveFiles.packFolder || name == ArchiveFiles.datasetFolder {
        names += try entries("\(path)/\(name)").map { "\(name)/\($0)" }
      } else {
        names.append(name)
      }
    }
    return names.sorted()
  }

  /// Removes what a process left that died while it wrote a file; the caller holds the folder's lock, so
  /// nobody writes.
  static func removeTemporaryFiles(_ path: String) throws(ArchiveError) {
    for name in try names(path) {
      guard name.split(separator: "/").last?.hasPrefix(DurableFile.temporaryPrefix) == true else {
        continue
      }
      try storing { () throws(StorageError) in try DurableFile.remove("\(path)/\(name)") }
    }
  }

  /// Whether anything stands at `path`; what is no folder is refused.
  static func exists(_ path: String) throws(ArchiveError) -> Bool {
    var status = stat()
    guard lstat(path, &status) == 0 else {
      if errno == ENOENT { return false }
      throw failure(path, errno)
    }
    guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
      throw ArchiveError(
        .malformed, at: path, "something that is no folder stands here",
        remedy: "choose another path")
    }
    return true
  }

  private static func failure(_ path: String, _ code: Int32) -> ArchiveError {
    ArchiveError(
      .io, at: path, "the folder cannot be read: \(String(cString: strerror(code)))",
      remedy: "check the path and its permissions")
  }

  private static func entries(
    _ path: String, followsLinks: Bool = false
  ) throws(ArchiveError) -> [String] {
    let flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | (followsLinks ? 0 : O_NOFOLLOW)
    let descriptor = open(path, flags)
    guard descriptor >= 0, let stream = fdopendir(descriptor) else {
      let code = errno
      if descriptor >= 0 { close(descriptor) }
      // Its files are then missing, each by its own name.
      if code == ENOENT { return [] }
      guard code != ENOTDIR, code != ELOOP else {
        throw ArchiveError(
          .malformed, at: path, "a file or a link stands where a folder should",
          remedy: "copy the archive without links")
      }
      throw failure(path, code)
    }
    defer { closedir(stream) }
    var names: [String] = []
    errno = 0
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    // An error is not the end of the folder.
    guard errno == 0 else { throw failure(path, errno) }
    return names
  }
}
