internal import ChunkStorage
package import Cryptography
package import ProofPrimitives

extension ArchiveWriter {
  /// Seals the archive: after this no byte of it changes.
  ///
  /// Order: close the last pack; tables, each durable; object table; the seal last, by rename. A crash
  /// before the rename leaves an unsealed archive that can be sealed again.
  /// - Parameters:
  ///   - key: The private half of record 0's prover key.
  ///   - claims: What the prover says of the result; nil for nothing.
  /// - Complexity: one pass over all stored bytes.
  package func seal(
    with key: SigningKey, claims: JSONValue? = nil
  ) throws(ArchiveError) -> Seal {
    guard key.verifyingKey == opening.proverKey else {
      throw ArchiveError(
        .malformed, at: path, "the key is not the one that record 0 names",
        remedy: "seal with the key the run was prepared with")
    }
    guard let last, let finalRow = rows.last else {
      throw ArchiveError(
        .malformed, at: path, "there is no checkpoint to seal", remedy: "train first")
    }
    try sync()
    let files = try opened()
    let model = try loader().modelDigest(of: last.record, envelope: last.envelope)
    let normsTable = NormsTable(rows: norms).encoded
    try storing { () throws(StorageError) in
      try files.packs.close()
      if let claims {
        let bytes = claims.encoded
        try DurableFile.write(
          sealer?.file(bytes, .claims) ?? bytes, to: "\(path)/\(ArchiveFiles.claims)")
      }
      let index = RecordIndex(rows: rows).encoded
      try DurableFile.write(
        sealer?.file(index, .recordIndex) ?? index, to: "\(path)/\(ArchiveFiles.recordIndex)")
      try DurableFile.write(
        sealer?.file(normsTable, .norms) ?? normsTable, to: "\(path)/\(ArchiveFiles.norms)")
    }
    let objects = try ObjectTable.ofFiles(in: DirectoryListing.names(path), at: path)
    try storing { () throws(StorageError) in
      try DurableFile.write(objects.encoded, to: "\(path)/\(ArchiveFiles.objects)")
    }
    let seal: Seal
    do throws(CryptographyError) {
      seal = try Seal(
        archiveID: opening.archiveID, archiveRoot: RecordIndex.root(ofHashes: rows.map(\.hash)),
        recordCount: rows.count, stepCount: lastStep, modelDigest: model,
        objectRoot: objects.root, objectCount: objects.rows.count,
        normsDigest: NormsTable.digest(normsTable), finalRecord: finalRow.hash,
        encryptedWith: sealer?.key, signedBy: key)
    } catch {
      throw ArchiveError(.io, at: path, error.message, remedy: error.remedy)
    }
    try storing { () throws(StorageError) in
      try DurableFile.write(seal.encoded, to: "\(path)/\(ArchiveFiles.seal)")
    }
    return seal
  }
}

extension ObjectTable {
  /// Length and digest of the named files, read in pieces.
  static func ofFiles(
    in names: [String], at path: String
  ) throws(ArchiveError) -> ObjectTable {
    let source = try storing { () throws(StorageError) in try DirectoryObjectSource(path) }
    var rows: [Row] = []
    for name in names where name != ArchiveFiles.seal && name != ArchiveFiles.objects {
      guard ArchiveFiles.isKnown(name) else { continue }
      rows.append(try row(name, in: source))
    }
    return ObjectTable(rows: rows)
  }

  /// Hashes one file, 1 MiB at a time.
  static func row(_ name: String, in source: any ObjectSource) throws(ArchiveError) -> Row {
    let byteCount = try storing { () throws(StorageError) in try source.byteCount(of: name) }
    guard let byteCount else {
      throw ArchiveError(.missing, at: "\(source.location)/\(name)", "the file is not there")
    }
    let hasher = SHA256()
    var offset = 0
    while offset < byteCount {
      let end = min(byteCount, offset + 1 << 20)
      hasher.update(
        try storing { () throws(StorageError) in try source.read(name, range: offset..<end) })
      offset = end
    }
    return Row(name: name, byteCount: byteCount, digest: hasher.finish())
  }
}
