import Glibc
import ProofPrimitives

/// What lies in a folder beneath an open root, regular files and folders alone.
enum FolderListing {
  struct Item {
    let name: String
    let isFolder: Bool
    let byteCount: Int
    /// Of the last change, since 1970.
    let nanoseconds: Int
  }

  /// - Parameter folder: Empty, or a name with a slash at its end.
  static func items(
    _ folder: String, beneath root: borrowing OwnedDescriptor, place: String
  ) throws(StorageError) -> [Item] {
    // Reached as an object's folder is: one component at a time, through no link.
    guard
      let entry = try FolderEntry(
        ObjectName(folder + "x", in: place), beneath: root, place: place)
    else { return [] }
    // A descriptor of its own: the stream closes the one that it is given.
    let descriptor = openat(entry.folder.raw, ".", O_RDONLY | O_DIRECTORY | SystemCalls.safely)
    guard descriptor >= 0, let stream = fdopendir(descriptor) else {
      let code = errno
      if descriptor >= 0 { close(descriptor) }
      throw SystemCalls.error("reading the directory", at: place, code)
    }
    defer { closedir(stream) }
    var items: [Item] = []
    errno = 0
    while let found = readdir(stream) {
      let name = withUnsafePointer(to: found.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      var status = stat()
      guard name != ".", name != "..",
        fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0
      else {
        // A file may go while its folder is read.
        errno = 0
        continue
      }
      let kind = status.st_mode & S_IFMT
      if kind == S_IFDIR || kind == S_IFREG {
        items.append(
          Item(
            name: name, isFolder: kind == S_IFDIR, byteCount: Int(status.st_size),
            nanoseconds: status.st_mtim.tv_sec &* 1_000_000_000 &+ status.st_mtim.tv_nsec))
      }
      errno = 0
    }
    // An error is not the end of the folder.
    guard errno == 0 else { throw SystemCalls.error("reading the directory", at: place, errno) }
    return items
  }
}
