internal import ChunkStorage
internal import Glibc
internal import ProofPrimitives

/// The names of what lies in an archive's directory, with `/` between folders, one folder deep.
enum DirectoryListing {
  /// Includes whatever stands there, regular file or not.
  static func names(_ path: String) throws(ArchiveError) -> [String] {
    var names: [String] = []
    for name in try entries(path) {
      if name == ArchiveFiles.packFolder || name == ArchiveFiles.datasetFolder {
        names += try entries("\(path)/\(name)").map { "\(name)/\($0)" }
      } else {
        names.append(name)
      }
    }
    return names.sorted()
  }

  /// Whether anything stands at `path`; what is no folder is refused.
  static func exists(_ path: String) throws(ArchiveError) -> Bool {
    var status = stat()
    guard lstat(path, &status) == 0 else {
      if errno == ENOENT { return false }
      throw failure(path)
    }
    guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
      throw ArchiveError(
        .malformed, at: path, "something that is no folder stands here",
        remedy: "choose another path")
    }
    return true
  }

  private static func failure(_ path: String) -> ArchiveError {
    ArchiveError(
      .io, at: path, "the folder cannot be read: \(String(cString: strerror(errno)))",
      remedy: "check the path and its permissions")
  }

  private static func entries(_ path: String) throws(ArchiveError) -> [String] {
    guard let stream = opendir(path) else { throw failure(path) }
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
    guard errno == 0 else { throw failure(path) }
    return names
  }
}
