internal import ChunkStorage
internal import Cryptography
internal import ProofPrimitives

extension ArchiveReader {
  /// Makes a grant for this archive: all of it, or some segments (`spec/encryption.md` §6).
  ///
  /// - Parameters:
  ///   - segments: Numbers from 0, ascending; none for the structure alone, nil for the whole archive.
  ///   - points: Data points that open too, such as those that a claimed accuracy is counted on.
  /// - Throws: `.outsideGrant` unless the archive was opened with its epoch key.
  package func grant(
    segments: [Int]?, points more: Range<Int>? = nil
  ) throws(ArchiveError) -> Grant {
    guard let seal, let keys, case .all(let content) = keys.source else {
      throw ArchiveError(
        .outsideGrant, at: source.location,
        "only a sealed and encrypted archive that was opened with its content key can be granted",
        remedy: "give --content-key; an archive without encryption needs no grant")
    }
    guard let segments else { return Grant(content, sealDigest: seal.digest) }
    if let last = segments.last, last >= segmentCount {
      throw ArchiveError(
        .malformed, at: source.location,
        "segment \(last) is asked for and there are \(segmentCount)",
        remedy: "name segments from 0 to \(segmentCount - 1)")
    }
    var rows: [ObjectKeyTable.Row] = []
    func add(_ kind: ObjectKind, _ number: UInt64, _ id: Digest) {
      rows.append(
        ObjectKeyTable.Row(kind: kind, number: number, key: content.objectKey(of: id, kind)))
    }
    var records = Set([0])
    for segment in segments { records.formUnion([segment + 1, segment + 2]) }
    for number in records.sorted() {
      let header = try frameHeader(index.rows[number])
      add(.record, UInt64(number), header.objectID)
    }
    for (name, kind) in [
      (ArchiveFiles.settings, ObjectKind.settings), (ArchiveFiles.policy, .policy),
      (ArchiveFiles.recordIndex, .recordIndex), (ArchiveFiles.norms, .norms),
    ] {
      add(kind, 0, try fileID(name, kind))
    }
    if try claims() != nil { add(.claims, 0, try fileID(ArchiveFiles.claims, .claims)) }
    var points = Set<UInt32>()
    for segment in segments {
      for step in try checkpoint(segment + 2).steps { points.formUnion(step.batch) }
    }
    if let more {
      guard 0 <= more.lowerBound, more.upperBound <= opening.datasetCount else {
        throw ArchiveError(
          .malformed, at: ArchiveFiles.settings, "the held-out points are beyond the dataset",
          remedy: "grant without --held-out", isSigned: true)
      }
      points.formUnion(more.lazy.map { UInt32($0) })
    }
    for (point, id) in try dataset.objectIDs(of: points.sorted()) {
      add(.dataPoint, UInt64(point), id)
    }
    rows.sort { ($0.kind.rawValue, $0.number) < ($1.kind.rawValue, $1.number) }
    return try parsing("grant") { () throws(ParsingError) in
      try Grant(
        archiveID: seal.archiveID, epoch: seal.keyEpoch, sealDigest: seal.digest,
        segments: segments.map { UInt32($0) }, rows: rows)
    }
  }

  private func frameHeader(_ row: RecordIndex.Row) throws(ArchiveError) -> RecordFrame.Header {
    let bytes = try source.bytes(
      of: ArchiveFiles.records, row.offset..<row.offset + RecordFrame.headerByteCount)
    return try parsing(ArchiveFiles.records) { () throws(ParsingError) in
      try RecordFrame.Header(bytes)
    }
  }

  private func fileID(_ name: String, _ kind: ObjectKind) throws(ArchiveError) -> Digest {
    let bytes = try ArchiveReader.whole(
      name, in: source, limit: RecordIndex.byteLimit + EncryptedFile.headerByteCount)
    return try parsing(name) { () throws(ParsingError) in
      try EncryptedFile(parsing: bytes, kind)
    }.objectID
  }
}
