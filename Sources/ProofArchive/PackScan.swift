internal import ChunkStorage
internal import Cryptography
internal import ProofPrimitives

/// Rebuilds the index of a pack from its frames alone (`spec/archive.md` §5.2).
enum PackScan {
  /// The whole frames from the start of the pack, up to the first that is torn.
  ///
  /// - Complexity: reads and decodes the whole pack; one frame in memory at a time.
  static func rows(
    of number: UInt32, in source: any ObjectSource, archiveID: Digest
  ) throws(ArchiveError) -> [PackIndex.Row] {
    let name = ArchiveFiles.pack(number)
    guard let total = try storing({ () throws(StorageError) in try source.byteCount(of: name) }),
      total >= PackWriter.headerByteCount
    else { return [] }
    try checkHeader(number, source)
    var rows: [PackIndex.Row] = []
    var offset = PackWriter.headerByteCount
    while offset < total {
      do throws(ArchiveError) {
        rows.append(
          try row(number, offset, total, source, archiveID, rawLimit: ChunkFrame.rawByteLimit))
      } catch {
        // An I/O error is thrown: what cannot be read is not the same as what is not there.
        if [.damaged, .malformed, .limit].contains(error.code) { break }
        throw error
      }
      offset += rows[rows.count - 1].byteCount
    }
    return rows
  }

  /// The rows of a pack of `total` bytes that must be whole to its end, in order of place.
  static func wholeRows(
    of number: UInt32, byteCount total: Int, in source: any ObjectSource, opening: OpeningRecord
  ) throws(ArchiveError) -> [PackIndex.Row] {
    var rows: [PackIndex.Row] = []
    var seen = Set<Digest>()
    var offset = PackWriter.headerByteCount
    while offset < total {
      let row = try row(
        number, offset, total, source, opening.archiveID, rawLimit: opening.sizes.chunk)
      guard seen.insert(row.storedID).inserted else {
        throw ArchiveError(
          .malformed, at: "\(ArchiveFiles.pack(number)), byte \(offset)", "a chunk is stored twice")
      }
      rows.append(row)
      offset += row.byteCount
    }
    return rows
  }

  /// Compares the first 16 bytes, which must be there.
  static func checkHeader(_ number: UInt32, _ source: any ObjectSource) throws(ArchiveError) {
    let name = ArchiveFiles.pack(number)
    guard
      try source.bytes(of: name, 0..<PackWriter.headerByteCount) == PackWriter.header(number)
    else {
      throw ArchiveError(.malformed, at: name, "the pack does not begin with its header")
    }
  }

  private static func row(
    _ number: UInt32, _ offset: Int, _ total: Int, _ source: any ObjectSource,
    _ archiveID: Digest, rawLimit: Int
  ) throws(ArchiveError) -> PackIndex.Row {
    let name = ArchiveFiles.pack(number)
    let place = "\(name), byte \(offset)"
    guard total - offset >= ChunkFrame.headerByteCount else {
      throw ArchiveError(.damaged, at: place, "a frame is cut in its header")
    }
    let header = try source.bytes(of: name, offset..<offset + ChunkFrame.headerByteCount)
    let count = try storing { () throws(StorageError) in
      try ChunkFrame.frameByteCount(header: header, rawLimit: rawLimit, at: place)
    }
    guard count <= total - offset else {
      throw ArchiveError(.damaged, at: place, "a frame is cut")
    }
    let bytes = try source.bytes(of: name, offset..<offset + count)
    let raw = try storing { () throws(StorageError) in
      try ChunkFrame.decode(bytes, rawLimit: rawLimit, at: place)
    }
    return PackIndex.Row(
      storedID: PackWriter.storedID(of: SHA256.hash(raw), in: archiveID), offset: offset,
      byteCount: count)
  }
}
