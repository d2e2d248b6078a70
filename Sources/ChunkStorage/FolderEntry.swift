import Glibc
import ProofPrimitives

/// A name in a folder that is open, so that no link put on the way there can lead elsewhere.
struct FolderEntry: ~Copyable {
  let folder: OwnedDescriptor
  let name: String
  /// For messages.
  let place: String

  init(folder: consuming OwnedDescriptor, name: String, place: String) {
    self.folder = folder
    self.name = name
    self.place = place
  }

  /// Walks to the folder of `name` from `root`, one component at a time and through no link; nil
  /// when a folder is missing and is not to be made.
  ///
  /// - Parameter makesFolders: Makes what is missing; each new name is synced.
  init?(
    _ name: ObjectName, beneath root: borrowing OwnedDescriptor, place: String,
    makesFolders: Bool = false
  ) throws(StorageError) {
    var names = name.components
    self.name = names.removeLast()
    self.place = place
    let flags = O_RDONLY | O_DIRECTORY
    var folder = try SystemCalls.open(
      at: root.raw, ".", flags, place: place, "opening the directory")
    for name in names {
      var next = OwnedDescriptor(
        openat(folder.raw, name, flags | O_NOFOLLOW | SystemCalls.safely))
      var code = errno
      if next == nil, code == ENOENT {
        guard makesFolders else { return nil }
        guard mkdirat(folder.raw, name, 0o755) == 0 || errno == EEXIST else {
          throw SystemCalls.error("making the directory", at: place, errno)
        }
        try DurableFile.syncDirectory(folder, place: place)
        next = OwnedDescriptor(openat(folder.raw, name, flags | O_NOFOLLOW | SystemCalls.safely))
        code = errno
      }
      guard let next else { throw SystemCalls.folderError(code, at: place) }
      folder = next
    }
    self.folder = folder
  }

  /// Opens the file itself, never through a link; nil when it is not there.
  func open(_ flags: Int32, mode: UInt32 = 0) throws(StorageError) -> OwnedDescriptor? {
    do throws(StorageError) {
      return try SystemCalls.open(
        at: folder.raw, name, flags | O_NOFOLLOW, mode: mode, place: place)
    } catch {
      guard error.code == .missing else { throw error }
      return nil
    }
  }

  /// The folder alone, for several names in it.
  consuming func takeFolder() -> OwnedDescriptor { folder }

  func sync() throws(StorageError) { try DurableFile.syncDirectory(folder, place: place) }
}
