internal import ChunkStorage
internal import Glibc
internal import ProofPrimitives

/// A folder that a user chose, and the plain files in it.
struct FileFolder {
  let path: String
  /// Sorted by bytes. Names that are not plain text are left out and counted.
  let names: [String]
  let unnamedCount: Int

  /// A checkpoint folder has tens of files, a proof folder thousands.
  private static let nameLimit = 1 << 20

  init(_ path: String) throws(CheckpointFileError) {
    guard let stream = opendir(path) else { throw FileFolder.failure(path, errno) }
    defer { closedir(stream) }
    var names: [String] = []
    var unnamedCount = 0
    errno = 0
    while let entry = readdir(stream) {
      let bytes = withUnsafeBytes(of: entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
      if bytes == [46] || bytes == [46, 46] { continue }
      guard names.count < FileFolder.nameLimit else {
        throw CheckpointFileError(
          .limit, at: path, "the folder has more than \(FileFolder.nameLimit) files",
          remedy: "give the files themselves")
      }
      if let name = String(validating: bytes, as: UTF8.self), FileSkeleton.isPlain(name) {
        names.append(name)
      } else {
        unnamedCount += 1
      }
    }
    guard errno == 0 else { throw FileFolder.failure(path, errno) }
    self.path = path
    self.names = names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    self.unnamedCount = unnamedCount
  }

  /// Opens a file in the folder; a link is refused, so that a foreign folder cannot lead elsewhere.
  func open(_ name: String) throws(CheckpointFileError) -> RandomAccessFile {
    try storing { () throws(StorageError) in try RandomAccessFile("\(path)/\(name)") }
  }

  func has(_ name: String) -> Bool { names.contains { $0.utf8.elementsEqual(name.utf8) } }

  /// Whether a regular file has this name, without following a link.
  func isRegular(_ name: String) -> Bool {
    var status = stat()
    return lstat("\(path)/\(name)", &status) == 0 && status.st_mode & S_IFMT == S_IFREG
  }

  /// Whether a folder has this name, without following a link.
  func isRealFolder(_ name: String) -> Bool {
    var status = stat()
    return lstat("\(path)/\(name)", &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  static func isFolder(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  static func lastComponent(_ path: String) -> String {
    path.split(separator: "/").last.map(String.init) ?? path
  }

  private static func failure(_ path: String, _ code: Int32) -> CheckpointFileError {
    CheckpointFileError(
      code == ENOENT ? .missing : .io, at: path,
      "the folder cannot be read: \(String(cString: strerror(code)))",
      remedy: "check the path and its permissions")
  }
}
