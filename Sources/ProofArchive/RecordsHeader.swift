internal import ChunkStorage
package import ProofPrimitives

/// The first 48 bytes of `records` (`spec/archive.md` §5.4): how the records of this archive are
/// stored. Outside of every hash.
package struct RecordsHeader: Equatable, Sendable {
  package static let byteCount = 48
  private static let magic = Array("polrecs1".utf8)
  /// Eight: a chunk that needs more frames than this to be read costs more than it saves.
  package static let depthLimit = 8

  package let suite: UInt16
  /// No chain of delta ancestors in the archive is longer.
  package let depth: Int
  package let keyEpoch: UInt32
  package let archiveID: Digest

  package init(suite: UInt16, depth: Int, keyEpoch: UInt32, archiveID: Digest) {
    self.suite = suite
    self.depth = depth
    self.keyEpoch = keyEpoch
    self.archiveID = archiveID
  }

  /// What encryption adds to a stored payload.
  var tagByteCount: Int { suite == 1 ? ObjectCipher.tagByteCount : 0 }

  package var encoded: [UInt8] {
    var writer = ByteWriter()
    writer.raw(RecordsHeader.magic)
    writer.u16(suite)
    writer.u16(UInt16(depth))
    writer.u32(keyEpoch)
    writer.digest(archiveID)
    return writer.bytes
  }

  package init(parsing bytes: [UInt8]) throws(ParsingError) {
    var reader = ByteReader(bytes)
    try reader.expect(RecordsHeader.magic, "magic of the records file")
    suite = try reader.u16("cipher suite")
    guard suite <= 1 else {
      throw ParsingError("unsupported cipher suite", at: 8, kind: .unsupported)
    }
    depth = Int(try reader.u16("delta depth limit"))
    guard depth <= RecordsHeader.depthLimit else {
      throw ParsingError("the delta depth is over the limit", at: 10, kind: .limit)
    }
    keyEpoch = try reader.u32("key epoch")
    guard (keyEpoch == 0) == (suite == 0) else {
      throw ParsingError("the key epoch does not fit the cipher suite", at: 12)
    }
    archiveID = try reader.digest("archive id")
    try reader.finish("records header")
  }

  /// Reads the header of an archive's `records`.
  ///
  /// - Parameter seal: Says the same of suite and epoch, under the prover's signature.
  static func load(
    _ source: any ObjectSource, seal: Seal? = nil
  ) throws(ArchiveError) -> RecordsHeader {
    let bytes = try source.bytes(of: ArchiveFiles.records, 0..<byteCount)
    let place = "\(source.location)/\(ArchiveFiles.records)"
    let header = try parsing(place) { () throws(ParsingError) in
      try RecordsHeader(parsing: bytes)
    }
    if let seal {
      // The suite follows from the epoch, in both.
      guard header.keyEpoch == seal.keyEpoch else {
        throw ArchiveError(
          .malformed, at: place,
          "its header states another cipher suite or key epoch than the seal")
      }
    }
    return header
  }

  /// Compares the archive id with record 0's.
  func check(_ opening: OpeningRecord) throws(ArchiveError) {
    guard opening.archiveID == archiveID else {
      throw ArchiveError(
        .malformed, at: ArchiveFiles.records, "its header names another archive than record 0")
    }
  }
}
