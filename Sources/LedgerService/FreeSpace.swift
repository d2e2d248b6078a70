import Glibc

/// Room on the disk of a folder, for those without privileges.
enum FreeSpace {
  /// Nil when the file system does not say.
  static func byteCount(at path: String) -> UInt64? {
    var status = statvfs()
    guard statvfs(path, &status) == 0 else { return nil }
    return UInt64(status.f_bavail) * UInt64(status.f_frsize)
  }
}
