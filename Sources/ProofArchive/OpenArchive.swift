package import ChunkStorage
internal import ProofPrimitives

/// The archive that a user's word stands for. A folder may be unfinished; a server's archive has to be
/// sealed, because reading one that is not means reading all of it.
package func openArchive(
  _ location: String, access: ArchiveAccess = .none
) throws(ArchiveError) -> ArchiveReader {
  try openArchive(
    try storing { () throws(StorageError) in try openObjectSource(location) }, access: access)
}

/// The same for a source that is open.
package func openArchive(
  _ source: any ObjectSource, access: ArchiveAccess = .none, ahead: ReadAhead = .nothing
) throws(ArchiveError) -> ArchiveReader {
  if source is DirectoryObjectSource {
    let hasSeal = try storing { () throws(StorageError) in
      try source.byteCount(of: ArchiveFiles.seal) != nil
    }
    guard hasSeal else { return try ArchiveReader(unsealed: source, access: access) }
  }
  return try ArchiveReader(source, access: access, ahead: ahead)
}
