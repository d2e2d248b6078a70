internal import ChunkStorage
internal import ProofPrimitives

/// The folder that a repaired archive is made in: new, so that nothing of a damaged one is ever replaced.
enum NewArchiveFolder {
  /// Makes the folder with those of an archive, and holds it.
  ///
  /// - Throws: `.present` when something stands in it.
  static func make(_ path: String) throws(ArchiveError) -> DirectoryLock {
    try storing { () throws(StorageError) in
      guard try RootedFiles(path).isVacant() else {
        throw StorageError(
          .present, at: printable(path, limit: 1000), "something stands here; nothing is replaced",
          remedy: "choose a folder that does not exist yet")
      }
      try RootedFiles(path).makeRoot(mode: 0o755)
      try DurableFile.createDirectory("\(path)/\(ArchiveFiles.packFolder)")
      try DurableFile.createDirectory("\(path)/\(ArchiveFiles.datasetFolder)")
      return try DirectoryLock(path)
    }
  }
}
