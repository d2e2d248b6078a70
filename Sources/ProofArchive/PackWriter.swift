internal import ChunkStorage
internal import Cryptography
internal import ProofPrimitives

/// Appends chunk frames to the packs of an unsealed archive. Its owner holds the archive's lock.
///
/// Equal chunks are stored once as long as their earlier copy is among those remembered: the open
/// pack's, and the most recent 2^16 others. Memory stays bounded whatever the archive's size.
final class PackWriter {
  static let headerByteCount = 16
  private static let magic = Array("polpack1".utf8)
  /// Closed at the first frame that reaches this.
  static let targetByteCount = 64 << 20
  private static let rememberedLimit = 1 << 16

  private let folder: String
  private let archiveID: Digest
  private var number: UInt32
  private var file: AppendFile
  private var rows: [PackIndex.Row]
  /// Stored id → pack number.
  private var known: [Digest: UInt32] = [:]

  static func header(_ number: UInt32) -> [UInt8] {
    var writer = ByteWriter()
    writer.raw(magic)
    writer.u32(number)
    writer.u32(0)
    return writer.bytes
  }

  static func storedID(of digest: Digest, in archiveID: Digest) -> Digest {
    SHA256.hash(.storedID, archiveID.bytes, digest.bytes)
  }

  /// Goes on in pack `number`, whose whole frames are `rows`.
  init(
    folder: String, archiveID: Digest, number: UInt32, rows: [PackIndex.Row]
  ) throws(StorageError) {
    self.folder = folder
    self.archiveID = archiveID
    self.number = number
    self.rows = rows
    file = try PackWriter.open(folder, number)
    remember()
  }

  private static func open(_ folder: String, _ number: UInt32) throws(StorageError) -> AppendFile {
    let file = try AppendFile("\(folder)/\(ArchiveFiles.pack(number))")
    if try file.byteCount == 0 { try file.append(header(number)) }
    return file
  }

  private func remember() {
    if known.count > PackWriter.rememberedLimit { known = [:] }
    for row in rows { known[row.storedID] = number }
  }

  /// Stores a chunk unless it is stored already.
  func store(_ raw: [UInt8], digest: Digest) throws(StorageError) -> Envelope.Row {
    let storedID = PackWriter.storedID(of: digest, in: archiveID)
    if let pack = known[storedID] { return Envelope.Row(storedID: storedID, packNumber: pack) }
    let frame = raw.withUnsafeBytes { ChunkFrame.encode($0) }
    let offset = try file.append(frame)
    rows.append(PackIndex.Row(storedID: storedID, offset: offset, byteCount: frame.count))
    known[storedID] = number
    let row = Envelope.Row(storedID: storedID, packNumber: number)
    if offset + frame.count >= PackWriter.targetByteCount {
      try close()
      number += 1
      rows = []
      file = try PackWriter.open(folder, number)
      if known.count > PackWriter.rememberedLimit { known = [:] }
    }
    return row
  }

  /// Remembers where chunks of earlier packs are, after reopening.
  func remember(_ row: Envelope.Row) { known[row.storedID] = row.packNumber }

  func sync() throws(StorageError) { try file.sync() }

  /// Syncs the pack, then writes its index: an index never names what is not on disk.
  func close() throws(StorageError) {
    try file.sync()
    let index = PackIndex(packNumber: number, packByteCount: try file.byteCount, rows: rows)
    try DurableFile.write(index.encoded, to: "\(folder)/\(ArchiveFiles.packIndex(number))")
  }
}
