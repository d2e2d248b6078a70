internal import ChunkStorage
internal import MerkleTrees
internal import ProofPrimitives

/// Tables that follow from other files: a lost index is no lost archive.
extension ArchiveRepair {
  /// Computes a file from what was made of the others; true when it has its digest.
  func computed(_ row: ObjectTable.Row) throws(ArchiveError) -> Bool {
    // Under encryption these would need the key, and are rarely all that is lost. What they gave without
    // it, the digest would refuse.
    guard seal.suite == 0, let bytes = try? bytes(row.name) else { return false }
    return try write(row, bytes)
  }

  private func bytes(_ name: String) throws(ArchiveError) -> [UInt8]? {
    if name == ArchiveFiles.recordIndex {
      return RecordIndex(rows: try RecordScan(made).rows).encoded
    }
    if name == ArchiveFiles.norms { return NormsTable(rows: try RecordScan(made).norms).encoded }
    if name.hasSuffix(".index"), let number = UInt32(name.dropFirst(6).prefix(8)) {
      var scan = try RecordScan(made)
      return try scan.cutToStoredChunks().index(number)?.encoded
    }
    guard
      let level = (0..<ArchiveFiles.treeLevelCount).first(where: {
        ArchiveFiles.tree(level: $0) == name
      })
    else { return nil }
    return try level == 0 ? leaves() : nodes(level)
  }

  private func leaves() throws(ArchiveError) -> [UInt8]? {
    let table = try ArchiveReader.whole(
      ArchiveFiles.offsets, in: made, limit: ArchiveRepair.offsetsLimit)
    var reader = ByteReader(table)
    var leaves: [UInt8] = []
    var start: Int?
    while let value = try? reader.u64("offset") {
      let end = Int(clamping: value)
      if let start {
        // The limit bounds what is held in memory of a large file; beyond the file the read refuses.
        guard start < end, end - start <= SaltedPoint.byteLimit else { return nil }
        let bytes = try made.bytes(of: ArchiveFiles.points, start..<end)
        guard let signature = SaltedPoint.signature(ofEncoded: bytes[...]) else { return nil }
        leaves += MerkleTree.leafHash(of: signature.bytes).bytes
      }
      start = end
    }
    return leaves
  }

  private func nodes(_ level: Int) throws(ArchiveError) -> [UInt8]? {
    let below = try ArchiveReader.whole(
      ArchiveFiles.tree(level: level - 1), in: made, limit: Digest.byteCount << 32)
    let width = TileCoordinate.fullWidth * Digest.byteCount
    var nodes: [UInt8] = []
    for start in stride(from: 0, through: below.count - width, by: width) {
      let part = stride(from: start, to: start + width, by: Digest.byteCount).compactMap {
        Digest(below[$0..<$0 + Digest.byteCount])
      }
      nodes += MerkleTree.root(ofLeafHashes: part).bytes
    }
    return nodes
  }
}
