import Cryptography
import Glibc
import ProofPrimitives

/// Files beneath a directory, in the order of `DurableFile.write`: whole, on the disk, never replaced.
package final class DirectoryObjectStore: ObjectStore {
  package let location: String
  package let source: any ObjectSource
  private let directory: DirectoryObjectSource

  /// Makes the directory and its missing ancestors.
  package init(_ path: String) throws(StorageError) {
    try SystemCalls.checkPath(path)
    try RootedFiles(path).makeRoot(mode: 0o755)
    directory = try DirectoryObjectSource(path)
    source = directory
    location = directory.location
  }

  package func prepare(_ probe: OutgoingObject) -> StorePreparation {
    StorePreparation(isProbeStored: false, warnings: [])
  }

  package func find(_ name: String) throws(StorageError) -> StoredObject? {
    try directory.byteCount(of: name).map { StoredObject(byteCount: $0, digest: nil) }
  }

  package func put(
    _ object: OutgoingObject, progress: (Int) -> Void, isStopped: () -> Bool
  ) throws(StorageError) -> PutOutcome {
    guard try find(object.name) == nil else { return .present }
    let entry = try directory.entry(for: object.name)
    let place = entry.place
    let hasher = SHA256()
    do throws(StorageError) {
      try DurableFile.write(
        to: entry, temporary: DurableFile.temporaryName(), mode: 0o644, replaces: false
      ) { file throws(StorageError) in
        func add(_ bytes: [UInt8]) throws(StorageError) {
          guard !isStopped() else { throw stopped(object.name) }
          try file.append(bytes)
          hasher.update(bytes)
          progress(bytes.count)
        }
        switch object.content {
        case .bytes(let bytes): try add(bytes)
        case .file(let file): try file.forEachBlock(of: 0..<file.byteCount, add)
        }
        guard hasher.finish() == object.digest else {
          throw StorageError(
            .damaged, at: place, "the bytes changed while they were copied",
            remedy: "check the disk that they come from")
        }
      }
    } catch {
      // Somebody else was faster.
      guard error.code == .present else { throw error }
      return .present
    }
    return .stored
  }

  /// The regular files; folders that are links are not looked into.
  package func names() throws(StorageError) -> Set<String>? { try directory.names() }
}
