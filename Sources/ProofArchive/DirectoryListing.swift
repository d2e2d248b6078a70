internal import ChunkStorage
internal import Glibc
internal import ProofPrimitives

/// The names of what lies in an archive's directory, with `/` between folders, one folder deep.
enum DirectoryListing {
  /// Includes whatever stands there, regular file or not; leaves out the writer's lock.
  static func names(_ path: String) throws(ArchiveError) -> [String] {
    var names: [String] = []
    for name in try entries(path) where name != ArchiveFiles.lock {
      if name == ArchiveFiles.packFolder || name == ArchiveFiles.datasetFolder {
        names += try entries("\(path)/\(name)").map { "\(name)/\($0)" }
      } else {
        names.append(name)
      }
    }
    return names.sorted()
  }

  private static func entries(_ path: String) throws(ArchiveError) -> [String] {
    guard let stream = opendir(path) else {
      throw ArchiveError(
        .io, at: path, "the folder cannot be read: \(String(cString: strerror(errno)))",
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
