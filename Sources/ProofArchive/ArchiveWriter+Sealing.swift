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
    try ArchiveSealing.check(key, opening, at: path)
    guard let last else {
      throw ArchiveError(
        .malformed, at: path, "there is no checkpoint to seal", remedy: "train first")
    }
    try sync()
    let files = try opened()
    let model = try loader().modelDigest(of: last.record, envelope: last.envelope)
    try storing { () throws(StorageError) in
      try files.packs.close()
      if let claims {
        let bytes = claims.encoded
        try DurableFile.write(
          sealer?.file(bytes, .claims) ?? bytes, to: "\(path)/\(ArchiveFiles.claims)")
      }
    }
    return try ArchiveSealing(
      path: path, opening: opening, rows: rows, norms: norms, modelDigest: model, sealer: sealer
    ).write(with: key)
  }
}

/// The last things that are written, when all packs are closed and every other file is durable.
struct ArchiveSealing {
  let path: String
  let opening: OpeningRecord
  /// Of all records, at least two.
  let rows: [RecordIndex.Row]
  let norms: [NormsTable.Row]
  let modelDigest: Digest
  /// Nil for an archive that is not encrypted.
  let sealer: ArchiveSealer?

  static func check(
    _ key: SigningKey, _ opening: OpeningRecord, at path: String
  ) throws(ArchiveError) {
    guard key.verifyingKey == opening.proverKey else {
      throw ArchiveError(
        .malformed, at: path, "the key is not the one that record 0 names",
        remedy: "seal with the key the run was prepared with")
    }
  }

  /// Tables, each durable; object table; the seal last, by rename.
  func write(with key: SigningKey) throws(ArchiveError) -> Seal {
    let normsTable = NormsTable(rows: norms).encoded
    try storing { () throws(StorageError) in
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
        recordCount: rows.count, stepCount: rows.last?.step ?? 0, modelDigest: modelDigest,
        objectRoot: objects.root, objectCount: objects.rows.count,
        normsDigest: NormsTable.digest(normsTable), finalRecord: rows.last?.hash ?? .zero,
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
