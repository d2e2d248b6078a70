import Glibc
import ProofPrimitives
import Synchronization

/// The objects of a directory, which a stranger may have filled.
///
/// The directory is opened once and everything is looked up relative to it, one component at a time
/// and without following links: whatever stands there, reading never leaves the directory, and never
/// waits for a FIFO. The root itself is the user's word and may be a link.
package final class DirectoryObjectSource: ObjectSource {
  package let location: String
  private let root: OwnedDescriptor
  private let count = Mutex(TransferCount())

  /// - Throws: `.missing` when there is no such directory, `.malformed` when it is something else.
  package init(_ path: String) throws(StorageError) {
    location = path
    try SystemCalls.checkPath(path)
    guard let root = OwnedDescriptor(open(path, O_RDONLY | O_DIRECTORY | SystemCalls.safely)) else {
      throw SystemCalls.folderError(errno, at: path)
    }
    self.root = root
  }

  package var isNear: Bool { true }
  package var transfer: TransferCount { count.withLock { $0 } }

  package func byteCount(of name: String) throws(StorageError) -> Int? {
    guard let file = try openObject(name) else { return nil }
    return try SystemCalls.regularFileByteCount(file, place: place(of: name))
  }

  package func read(_ name: String, range: Range<Int>) throws(StorageError) -> [UInt8] {
    let place = place(of: name)
    guard let file = try openObject(name) else {
      throw StorageError(
        .missing, at: place, "there is no such file", remedy: "copy the directory again")
    }
    let byteCount = try SystemCalls.regularFileByteCount(file, place: place)
    guard range.lowerBound >= 0, range.upperBound <= byteCount else {
      throw rangeMissing(range, of: byteCount, at: place)
    }
    let bytes = try SystemCalls.read(file, range: range, place: place)
    count.withLock { $0.bytes += bytes.count }
    guard bytes.count == range.count else {
      throw rangeMissing(range, of: range.lowerBound + bytes.count, at: place)
    }
    return bytes
  }

  package func readWhole(_ name: String, limit: Int) throws(StorageError) -> [UInt8]? {
    guard let file = try openObject(name) else { return nil }
    let bytes = try DurableFile.contents(file, limit: limit, place: place(of: name))
    count.withLock { $0.bytes += bytes.count }
    return bytes
  }

  /// A file that is sent elsewhere; nil when it is not there.
  package func outgoing(_ name: String) throws(StorageError) -> OutgoingFile? {
    guard let file = try openObject(name) else { return nil }
    return try OutgoingFile(file, place: place(of: name))
  }

  /// Where a new file goes; its folders are made.
  func entry(for name: String) throws(StorageError) -> FolderEntry {
    let place = place(of: name)
    let entry = try FolderEntry(
      ObjectName(name, in: location), beneath: root, place: place, makesFolders: true)
    guard let entry else { throw SystemCalls.error("opening", at: place, ENOENT) }
    return entry
  }

  /// The names of all regular files, with `/` between folders. Links are not followed.
  func names() throws(StorageError) -> Set<String> {
    var names: Set<String> = []
    var folders = [""]
    while let folder = folders.popLast() {
      let depth = folder.split(separator: "/").count
      guard depth < ObjectName.componentLimit else { continue }
      let items = try FolderListing.items(folder, beneath: root, place: place(of: folder))
      for item in items {
        if item.isFolder {
          folders.append(folder + item.name + "/")
        } else {
          names.insert(folder + item.name)
        }
      }
    }
    return names
  }

  /// Nil when the file or a folder of its name is not there.
  private func openObject(_ name: String) throws(StorageError) -> OwnedDescriptor? {
    let components = try ObjectName(name, in: location)
    count.withLock { $0.requests += 1 }
    guard let entry = try FolderEntry(components, beneath: root, place: place(of: name)) else {
      return nil
    }
    return try entry.open(O_RDONLY)
  }

  private func place(of name: String) -> String {
    printable(location.hasSuffix("/") ? location + name : location + "/" + name, limit: 1000)
  }
}

/// What every source answers when an object ends before the range that was asked for.
func rangeMissing(_ range: Range<Int>, of byteCount: Int, at place: String) -> StorageError {
  StorageError(
    .missing, at: place,
    "bytes \(range.lowerBound)..<\(range.upperBound) are asked for and there are \(byteCount)",
    remedy: "fetch the file again, it is not whole")
}
