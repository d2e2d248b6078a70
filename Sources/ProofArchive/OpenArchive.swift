package import ChunkStorage
internal import ProofPrimitives

/// Where an archive's files are read from: a folder, also one of some segments, or a server.
package func openArchiveSource(
  _ location: String, s3 settings: S3Settings? = nil, notice: @escaping SourceNotice = { _ in }
) throws(ArchiveError) -> any ObjectSource {
  let source = try storing { () throws(StorageError) in
    try openObjectSource(location, s3: settings, notice: notice)
  }
  guard let folder = source as? DirectoryObjectSource, let partial = try PartialArchive(folder)
  else { return source }
  return partial
}

/// The archive that a user's word stands for. A folder may be unfinished; a server's archive has to be
/// sealed, because reading one that is not means reading all of it.
package func openArchive(
  _ location: String, access: ArchiveAccess = .none
) throws(ArchiveError) -> ArchiveReader {
  try openArchive(try openArchiveSource(location), access: access)
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
