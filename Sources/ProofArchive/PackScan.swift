internal import ChunkStorage
internal import ProofPrimitives

/// Walks the frames of a pack by their own headers and checksums (`spec/archive.md` §5.1).
enum PackScan {
  /// Lengths of the whole frames from the start of the pack, up to the first that is torn.
  ///
  /// - Complexity: reads the whole pack; one frame in memory at a time.
  static func wholeFrames(
    of number: UInt32, in source: any ObjectSource, _ header: RecordsHeader
  ) throws(ArchiveError) -> [Int] {
    let name = ArchiveFiles.pack(number)
    guard let total = try storing({ () throws(StorageError) in try source.byteCount(of: name) }),
      total >= PackIndex.packHeaderByteCount
    else { return [] }
    // A power cut can leave a length whose bytes were never written: they read as zeros.
    let start = try source.bytes(of: name, 0..<PackIndex.packHeaderByteCount)
    if start.allSatisfy({ $0 == 0 }) { return [] }
    try checkHeader(number, source)
    var reader = ForwardReader(name, byteCount: total, in: source)
    var frames: [Int] = []
    var offset = PackIndex.packHeaderByteCount
    while offset < total, frames.count < PackIndex.frameLimit {
      do throws(ArchiveError) {
        frames.append(
          try frame(offset, &reader, header, rawLimit: ChunkFrame.rawByteLimit))
      } catch {
        // An I/O error is thrown: what cannot be read is not the same as what is not there.
        if [.damaged, .malformed, .limit].contains(error.code) { break }
        throw error
      }
      offset += frames[frames.count - 1]
    }
    return frames
  }

  /// 1,024 places that look like the head of a frame, each of which may cost a chunk to read.
  private static let tryLimit = 1024

  /// Whether a whole frame stands anywhere after `offset`, where none is.
  ///
  /// - Complexity: reads the rest of the pack.
  static func holdsFrame(
    _ number: UInt32, after offset: Int, in source: any ObjectSource, _ header: RecordsHeader
  ) throws(ArchiveError) -> Bool {
    let name = ArchiveFiles.pack(number)
    let total =
      try storing { () throws(StorageError) in try source.byteCount(of: name) } ?? 0
    var tries = 0
    return try ByteSearch.any(
      Array("PC".utf8), in: name, offset + 1..<max(offset + 1, total), source
    ) {
      place throws(ArchiveError) in
      guard tries < tryLimit, total - place >= ChunkFrame.headerByteCount else { return false }
      let head = try source.bytes(of: name, place..<place + ChunkFrame.headerByteCount)
      guard
        let count = try? ChunkFrame.frameByteCount(
          header: head, rawLimit: ChunkFrame.rawByteLimit, tagByteCount: header.tagByteCount, at: ""
        ),
        count <= total - place
      else { return false }
      tries += 1
      let bytes = try source.bytes(of: name, place..<place + count)
      return
        (try? ChunkFrame.parse(
          bytes[...], rawLimit: ChunkFrame.rawByteLimit, tagByteCount: header.tagByteCount, at: ""))
        != nil
    }
  }

  /// 1,024 damaged frames tell enough of a pack.
  private static let damageLimit = 1024

  /// Lengths of the frames of a pack of `total` bytes that must be whole to its end, and what is wrong
  /// with each that is not; after such a one the index says where the next frame begins.
  static func allFrames(
    of number: UInt32, byteCount total: Int, in source: any ObjectSource, _ header: RecordsHeader,
    rawLimit: Int, index: PackIndex
  ) throws(ArchiveError) -> (frames: [Int], damage: [ArchiveError]) {
    var reader = ForwardReader(ArchiveFiles.pack(number), byteCount: total, in: source)
    var frames: [Int] = []
    var damage: [ArchiveError] = []
    var offset = PackIndex.packHeaderByteCount
    while offset < total {
      do throws(ArchiveError) {
        let count = try frame(offset, &reader, header, rawLimit: rawLimit)
        frames.append(count)
        offset += count
      } catch {
        guard [.damaged, .malformed, .limit].contains(error.code) else { throw error }
        damage.append(error)
        let next = index.firstRow(after: offset)
        guard let next, damage.count < damageLimit else { break }
        offset = next.offset
      }
    }
    return (frames, damage)
  }

  /// Compares the first 16 bytes, which must be there.
  static func checkHeader(_ number: UInt32, _ source: any ObjectSource) throws(ArchiveError) {
    let name = ArchiveFiles.pack(number)
    guard
      try source.bytes(of: name, 0..<PackIndex.packHeaderByteCount) == PackWriter.header(number)
    else {
      throw ArchiveError(.malformed, at: name, "the pack does not begin with its header")
    }
  }

  /// Length of the frame at `offset`, whose checksum is right.
  private static func frame(
    _ offset: Int, _ reader: inout ForwardReader, _ records: RecordsHeader, rawLimit: Int
  ) throws(ArchiveError) -> Int {
    let place = "\(reader.name), byte \(offset)"
    let total = reader.byteCount
    guard total - offset >= ChunkFrame.headerByteCount else {
      throw ArchiveError(.damaged, at: place, "a frame is cut in its header")
    }
    let header = try reader.bytes(offset..<offset + ChunkFrame.headerByteCount)
    let count = try storing { () throws(StorageError) in
      try ChunkFrame.frameByteCount(
        header: header, rawLimit: rawLimit, tagByteCount: records.tagByteCount, at: place)
    }
    guard count <= total - offset else {
      throw ArchiveError(.damaged, at: place, "a frame is cut")
    }
    let bytes = try reader.bytes(offset..<offset + count)
    _ = try storing { () throws(StorageError) in
      try ChunkFrame.parse(
        bytes[...], rawLimit: rawLimit, tagByteCount: records.tagByteCount, at: place)
    }
    return count
  }
}
