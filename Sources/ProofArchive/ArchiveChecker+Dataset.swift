internal import ChunkStorage
internal import MerkleTrees
internal import ProofPrimitives

/// The folder `dataset/` against record 0 (`spec/dataset.md` §4, §6).
extension ArchiveChecker {
  /// 4 MiB of points at a time.
  private static let runLimit = 4 << 20

  /// The leaf hashes, after every `tree.L` was compared with the dataset root.
  func datasetLeaves(_ opening: OpeningRecord) throws(ArchiveError) -> [Digest] {
    guard opening.datasetCount > 0 else { return [] }
    let leaves = try hashes(level: 0, count: opening.datasetCount)
    guard MerkleTree.root(ofLeafHashes: leaves) == opening.datasetRoot else {
      throw ArchiveError(
        .damaged, at: ArchiveFiles.tree(level: 0), "the leaves do not give the dataset root")
    }
    var below = leaves
    var level = 1
    while below.count >= TileCoordinate.fullWidth {
      let found = try hashes(level: level, count: below.count / TileCoordinate.fullWidth)
      for (position, hash) in found.enumerated() {
        let start = position * TileCoordinate.fullWidth
        let part = Array(below[start..<start + TileCoordinate.fullWidth])
        guard MerkleTree.root(ofLeafHashes: part) == hash else {
          throw ArchiveError(
            .damaged, at: ArchiveFiles.tree(level: level),
            "hash \(position) is not the root of the level below")
        }
      }
      below = found
      level += 1
    }
    return leaves
  }

  private func hashes(level: Int, count: Int) throws(ArchiveError) -> [Digest] {
    let name = ArchiveFiles.tree(level: level)
    let bytes = try exactly(name, byteCount: count * Digest.byteCount)
    return stride(from: 0, to: bytes.count, by: Digest.byteCount).compactMap {
      Digest(bytes[$0..<$0 + Digest.byteCount])
    }
  }

  /// A whole file that must have this length.
  private func exactly(_ name: String, byteCount: Int) throws(ArchiveError) -> [UInt8] {
    let found = try byteCountThatIs(name)
    guard found == byteCount else {
      throw ArchiveError(
        .damaged, at: name,
        "it has \(found) bytes; its count of hashes or points wants \(byteCount)")
    }
    return try source.bytes(of: name, 0..<byteCount)
  }

  private func byteCountThatIs(_ name: String) throws(ArchiveError) -> Int {
    guard let found = try storing({ () throws(StorageError) in try source.byteCount(of: name) })
    else { throw ArchiveError(.missing, at: "\(path)/\(name)", "the file is not there") }
    return found
  }

  /// Every point against its leaf; gives how many there are.
  func points(
    _ opening: OpeningRecord, leaves: [Digest], _ keys: ArchiveKeys?
  ) throws(ArchiveError) -> Int {
    let overhead = keys == nil ? 0 : EncryptedPoint.overheadByteCount
    let offsets = try self.offsets(count: leaves.count, overhead: overhead)
    var first = 0
    while first < leaves.count {
      var end = first + 1
      while end < leaves.count, offsets[end + 1] - offsets[first] <= ArchiveChecker.runLimit {
        end += 1
      }
      let base = offsets[first]
      let bytes = try source.bytes(of: ArchiveFiles.points, base..<offsets[end])
      for index in first..<end {
        let stored = bytes[offsets[index] - base..<offsets[index + 1] - base]
        let place = "\(ArchiveFiles.points), point \(index)"
        let slice = try keys?.openPoint(stored, index: UInt32(index), at: place)[...] ?? stored
        guard let signature = SaltedPoint.signature(ofEncoded: slice),
          MerkleTree.leafHash(of: signature.bytes) == leaves[index]
        else { throw ArchiveError(.damaged, at: place, "it is not the committed point") }
        _ = try parsing(place, isSigned: true) { () throws(ParsingError) in
          try SaltedPoint(parsing: slice)
        }
      }
      first = end
    }
    return leaves.count
  }

  private func offsets(count: Int, overhead: Int) throws(ArchiveError) -> [Int] {
    let bytes = try exactly(ArchiveFiles.offsets, byteCount: (count + 1) * 8)
    let total = try byteCountThatIs(ArchiveFiles.points)
    var reader = ByteReader(bytes)
    var offsets: [Int] = []
    offsets.reserveCapacity(count + 1)
    for index in 0...count {
      let value = try parsing(ArchiveFiles.offsets) { () throws(ParsingError) in
        try reader.u64("offset")
      }
      let isNext = offsets.last.map { value > UInt64($0) } ?? (value == 0)
      guard isNext, value <= UInt64(total), index < count || value == UInt64(total) else {
        throw ArchiveError(
          .malformed, at: "\(ArchiveFiles.offsets), point \(index)",
          "offsets do not increase from 0 to the length of the points")
      }
      if let last = offsets.last, Int(value) - last > SaltedPoint.byteLimit + overhead {
        throw ArchiveError(
          .limit, at: "\(ArchiveFiles.offsets), point \(index - 1)", "the point is over the limit")
      }
      offsets.append(Int(value))
    }
    return offsets
  }
}
