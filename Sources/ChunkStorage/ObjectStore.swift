package import ProofPrimitives

/// What is put into a store under a name.
package struct OutgoingObject: Sendable {
  package enum Content: Sendable {
    case bytes([UInt8])
    case file(OutgoingFile)
  }

  package let name: String
  package let content: Content
  /// SHA-256 of the content.
  package let digest: Digest

  package init(_ name: String, _ content: Content, digest: Digest) {
    self.name = name
    self.content = content
    self.digest = digest
  }

  package var byteCount: Int {
    switch content {
    case .bytes(let bytes): bytes.count
    case .file(let file): file.byteCount
    }
  }
}

/// What a store says of an object without sending it.
package struct StoredObject: Sendable, Equatable {
  package let byteCount: Int
  /// SHA-256 as the store remembers it from when the object was put; nil when it does not. A hint that
  /// saves work: a store is a stranger, and readers check what they are given.
  package let digest: Digest?
}

package enum PutOutcome: Sendable, Equatable {
  case stored
  /// Something stands under that name already, and stands as it was.
  case present
}

/// What a store was found to do.
package struct StorePreparation: Sendable, Equatable {
  /// Whether the probe was put by this.
  package let isProbeStored: Bool
  /// What the user should know, in words; mostly nothing.
  package let warnings: [String]

  package init(isProbeStored: Bool, warnings: [String]) {
    self.isProbeStored = isProbeStored
    self.warnings = warnings
  }
}

/// Where the files of an archive are published (`spec/store.md`).
///
/// **Atomic:** an object is there whole or not at all. **Lasting:** when `put` returns, the object
/// survives what the store promises to survive: a power cut for a directory, whatever an S3 server says
/// of its disks. **Consistent:** what was put is seen by whoever asks afterwards. Nothing is ever
/// replaced.
package protocol ObjectStore: Sendable {
  /// For messages: a path or URL.
  var location: String { get }

  /// Reads what was put.
  var source: any ObjectSource { get }

  /// Finds out what the store can do, by putting `probe`, which is going to be put anyway. To be
  /// called before `put`.
  func prepare(_ probe: OutgoingObject) throws(StorageError) -> StorePreparation

  /// What stands under a name; nil when nothing does.
  func find(_ name: String) throws(StorageError) -> StoredObject?

  /// Puts a whole object where nothing stands. Large files go in parts; memory does not grow with them.
  /// - Parameters:
  ///   - progress: Called with byte counts as they are sent, from this thread.
  ///   - isStopped: Asked between parts; true ends with an error and leaves nothing.
  /// - Throws: `.damaged` when the content does not have its digest.
  func put(
    _ object: OutgoingObject, progress: (Int) -> Void, isStopped: () -> Bool
  ) throws(StorageError) -> PutOutcome

  /// The names that there are, in no order; nil when the store cannot list, or does not let us.
  func names() throws(StorageError) -> Set<String>?
}

extension ObjectStore {
  /// Whether `object` stands under its name: nil when nothing does, false when something else does.
  ///
  /// A store that does not remember digests is read.
  package func holds(_ object: OutgoingObject) throws(StorageError) -> Bool? {
    guard let found = try find(object.name) else { return nil }
    guard found.byteCount == object.byteCount else { return false }
    if let digest = found.digest { return digest == object.digest }
    return try source.digest(of: object.name, byteCount: found.byteCount) == object.digest
  }

  func stopped(_ name: String) -> StorageError {
    StorageError(
      .io, at: "\(location)/\(name)", "stopped before it was sent",
      remedy: "run the same command again: it goes on where it stopped")
  }
}

/// The store that a user's word stands for: an `s3://` URL, else a directory, which is made.
package func openObjectStore(
  _ location: String, s3 settings: S3Settings
) throws(StorageError) -> any ObjectStore {
  guard let scheme = urlScheme(location) else { return try DirectoryObjectStore(location) }
  guard scheme == "s3" else {
    throw StorageError(
      .unsupported, at: printable(location), "only directories and s3 servers can be written",
      remedy: "give a path, or a URL that starts with s3://")
  }
  return try S3ObjectStore(location, settings)
}
