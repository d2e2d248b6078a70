internal import ChunkStorage
internal import Glibc
internal import ProofPrimitives

/// The names of what lies in an archive's directory, with `/` between folders, one folder deep.
enum DirectoryListing {
  /// Includes whatever stands there, regular file or not; leaves out the writer's lock.
  static func names(_ path: String) throws(ArchiveError) -> [String] {
    var names: [String] = []
    for name in try entries(path, followsLinks: true)
    where name != ArchiveFiles.lock {
      if name == ArchiveFiles.packFolder || name == ArchiveFiles.datasetFolder {
        names += try entries("\(path)/\(name)").map { "\(name)/\($0)" }
      } else {
        names.append(name)
      }
    }
    return names.sorted()
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
      throw ArchiveError(
        .io, at: path, "the folder cannot be read: \(String(cString: strerror(code)))",
        remedy: "check the path and its permissions")
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
    guard errno == 0 else {
      throw ArchiveError(
        .io, at: path, "the folder cannot be read: \(String(cString: strerror(errno)))",
        remedy: "check the disk")
    }
    return names
  }
}
