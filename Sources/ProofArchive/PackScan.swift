internal import ChunkStorage
internal import Cryptography
internal import ProofPrimitives

/// Rebuilds the index of a pack from its frames alone (`spec/archive.md` §5.2), stopping at the first
/// that is not whole.
enum PackScan {
  /// - Complexity: reads and decodes the whole pack; one frame in memory at a time.
  static func rows(
    of number: UInt32, in source: any ObjectSource, archiveID: Digest
  ) throws(ArchiveError) -> [PackIndex.Row] {
    let name = ArchiveFiles.pack(number)
    guard let total = try storing({ () throws(StorageError) in try source.byteCount(of: name) }),
      total >= PackWriter.headerByteCount
    else { return [] }
    let header = try storing { () throws(StorageError) in
      try source.read(name, range: 0..<PackWriter.headerByteCount)
    }
    guard header == PackWriter.header(number) else {
      throw ArchiveError(.malformed, at: name, "the pack does not begin with its header")
    }
    var rows: [PackIndex.Row] = []
    var offset = PackWriter.headerByteCount
    while offset + ChunkFrame.headerByteCount < total {
      guard let (count, digest) = try frame(name, offset, total, source) else { break }
      rows.append(
        PackIndex.Row(
          storedID: PackWriter.storedID(of: digest, in: archiveID), offset: offset,
          byteCount: count))
      offset += count
    }
    return rows
  }

  /// The frame's length and its chunk's digest, or nil when it is torn. An I/O error is thrown: what
  /// cannot be read is not the same as what is not there.
  private static func frame(
    _ name: String, _ offset: Int, _ total: Int, _ source: any ObjectSource
  ) throws(ArchiveError) -> (Int, Digest)? {
    let place = "\(name), byte \(offset)"
    do throws(StorageError) {
      let header = try source.read(name, range: offset..<offset + ChunkFrame.headerByteCount)
      let count = try ChunkFrame.frameByteCount(header: header, at: place)
      guard offset + count <= total else { return nil }
      let bytes = try source.read(name, range: offset..<offset + count)
      let raw = try ChunkFrame.decode(bytes, rawLimit: ChunkFrame.rawByteLimit, at: place)
      return (count, SHA256.hash(raw))
    } catch {
      if [.damaged, .malformed].contains(error.code) { return nil }
      throw ArchiveError(error)
    }
  }
}
