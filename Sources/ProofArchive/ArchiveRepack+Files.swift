internal import ChunkStorage
internal import Cryptography
internal import ProofPrimitives

/// What stands beside records and packs.
extension ArchiveRepack {
  /// 1 MiB of a file at a time.
  private static let pieceByteCount = 1 << 20

  func copyFiles() throws(ArchiveError) {
    try write(reader.settings, .settings, to: ArchiveFiles.settings)
    try write(reader.policy, .policy, to: ArchiveFiles.policy)
    if let claims = try reader.claims() {
      try write(claims.encoded, .claims, to: ArchiveFiles.claims)
    }
    try copyDataset()
    // Its lines are in clear.
    if header.suite == 0 { try copyJournal() }
  }

  private func write(_ bytes: [UInt8], _ kind: ObjectKind, to name: String) throws(ArchiveError) {
    try storing { () throws(StorageError) in
      try DurableFile.write(sealer?.file(bytes, kind) ?? bytes, to: "\(path)/\(name)")
    }
  }

  private func copyDataset() throws(ArchiveError) {
    let folder = try storing { () throws(StorageError) in try DatasetFolderWriter(path) }
    try DatasetWalk(source: reader.source, opening: reader.opening, keys: reader.keys).run {
      points throws(ArchiveError) in
      let run = points.map { point in
        let stored =
          sealer.map {
            EncryptedPoint(sealing: Array(point.plain), with: $0.key, by: $0.cipher).encoded
          } ?? Array(point.plain)
        return (stored: stored, leaf: point.leaf)
      }
      try storing { () throws(StorageError) in try folder.append(run) }
    }
    try storing { () throws(StorageError) in try folder.finish() }
  }

  private func copyJournal() throws(ArchiveError) {
    let name = ArchiveFiles.journal
    let byteCount = try storing { () throws(StorageError) in
      try reader.source.byteCount(of: name)
    }
    let sealed = reader.seal == nil ? nil : try reader.objectTable().rows.first { $0.name == name }
    // A journal that was not sealed is not the archive's.
    guard let byteCount, reader.seal == nil || sealed != nil else {
      guard sealed == nil else {
        throw ArchiveError(
          .missing, at: "\(reader.source.location)/\(name)", "the file is not there")
      }
      return
    }
    let file = try storing { () throws(StorageError) in
      try DurableFileWriter("\(path)/\(name)", replaces: false)
    }
    let hasher = SHA256()
    var offset = 0
    while offset < byteCount {
      let end = min(byteCount, offset + ArchiveRepack.pieceByteCount)
      let bytes = try reader.source.bytes(of: name, offset..<end)
      hasher.update(bytes)
      try storing { () throws(StorageError) in try file.append(bytes) }
      offset = end
    }
    if let sealed, hasher.finish() != sealed.digest {
      throw ArchiveError(
        .damaged, at: "\(reader.source.location)/\(name)",
        "its bytes changed since it was sealed")
    }
    try storing { () throws(StorageError) in try file.finish() }
  }
}

// MARK: - Reading back

extension ArchiveRepack {
  /// Reads the new archive from its files: every record, every chunk, settings, policy and all data points.
  ///
  /// A chunk that the record before stores in the same frames is not read again.
  /// - Returns: The model digest of the last checkpoint.
  func readBack(_ progress: (Double) -> Void) throws(ArchiveError) -> Digest {
    let access: ArchiveAccess = contentKey.map { .epochKey($0.epochKey) } ?? .none
    let copy = try ArchiveReader(unsealed: newSource(), access: access)
    guard copy.index.rows.map(\.hash) == reader.index.rows.map(\.hash), copy.tornTail == nil else {
      throw ArchiveError(
        .damaged, at: "\(path)/\(ArchiveFiles.records)", "read back, the records are others",
        remedy: "check the disk, then delete the folder and repack again")
    }
    try DatasetWalk(source: copy.source, opening: copy.opening, keys: copy.keys).run {
      _ throws(ArchiveError) in
    }
    var before: [Digest: StoredChunk] = [:]
    for number in 1..<copy.index.rows.count {
      try copy.prefetch(number...number)
      let record = try copy.checkpoint(number)
      let envelope = try copy.envelope(number)
      var here: [Digest: StoredChunk] = [:]
      var wanted: [Int] = []
      for (chunk, digest) in record.chunks.enumerated() where here[digest] == nil {
        let row = envelope.rows[here.count]
        let stored = StoredChunk(row.frame, ancestors: envelope.chain(of: row).reversed())
        here[digest] = stored
        if before[digest] != stored { wanted.append(chunk) }
      }
      try copy.loader.forEach(
        wanted, of: record, envelope: envelope, .streaming
      ) { _, _ throws(ArchiveError) in }
      before = here
      progress(Double(number) / Double(copy.index.rows.count))
    }
    let last = copy.index.rows.count - 1
    return try copy.loader.modelDigest(
      of: copy.checkpoint(last), envelope: copy.envelope(last))
  }
}
