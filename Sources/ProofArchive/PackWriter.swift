internal import ChunkStorage
internal import Cryptography
package import ProofPrimitives

/// Appends chunk frames to the packs of an unsealed archive. Its owner holds the archive's lock.
package final class PackWriter {
  private static let magic = Array("polpack1".utf8)
  /// A pack is closed at the first frame that reaches this.
  package static let targetByteCount = 64 << 20
  /// Or this: small frames are no reason for a large index.
  static let targetFrameCount = 1 << 16

  private let folder: String
  /// Of an encrypted archive, whose stored ids stand in the index alone.
  private let isEncrypted: Bool
  private let fault: AppendFile.Fault?
  private var number: UInt32
  private var file: AppendFile
  private var frames: [(storedID: Digest, byteCount: Int)]
  private var byteCount: Int
  /// Up to where the disk was asked to write the open pack.
  private var writingByteCount: Int
  /// The disk writes while more is made, so that closing a pack has little to wait for.
  private static let writingStep = 2 << 20
  /// What stands in the open pack, where nothing may stand twice.
  private var openIDs: Set<Digest>
  /// Places that are remembered, in each of two generations.
  private let knownLimit: Int
  /// Of an encrypted archive, by id; bounded like `KnownChunks`.
  private var places: [Digest: Envelope.Place] = [:]
  private var olderPlaces: [Digest: Envelope.Place] = [:]

  package static func header(_ number: UInt32) -> [UInt8] {
    var writer = ByteWriter()
    writer.raw(magic)
    writer.u32(number)
    writer.u32(0)
    return writer.bytes
  }

  /// What names a chunk in this archive to those who keep it (`spec/archive.md` §5).
  package static func storedID(of digest: Digest, in archiveID: Digest) -> Digest {
    SHA256.hash(.storedID, archiveID.bytes, digest.bytes)
  }

  /// The id of a frame that no record names, which nobody asks for: unlike all others.
  static func unnamedID(pack: UInt32, frame: Int, in archiveID: Digest) -> Digest {
    var writer = ByteWriter()
    writer.u32(pack)
    writer.u32(UInt32(frame))
    return SHA256.hash(.storedID, archiveID.bytes, writer.bytes)
  }

  /// Goes on in pack `number`, whose whole frames are `frames`.
  init(
    folder: String, number: UInt32, suite: UInt16,
    frames: [(storedID: Digest, byteCount: Int)], fault: AppendFile.Fault? = nil,
    knownLimit: Int = KnownChunks.standardLimit
  ) throws(StorageError) {
    self.folder = folder
    isEncrypted = suite == 1
    self.number = number
    self.frames = frames
    self.fault = fault
    self.knownLimit = max(1, knownLimit)
    openIDs = Set(frames.map(\.storedID))
    file = try PackWriter.open(folder, number, fault)
    byteCount = try file.byteCount
    writingByteCount = byteCount
    for (position, frame) in frames.enumerated() {
      remember(frame.storedID, Envelope.Place(pack: number, frame: UInt32(position)))
    }
  }

  private func remember(_ id: Digest, _ place: Envelope.Place) {
    guard isEncrypted else { return }
    if places.count >= knownLimit {
      olderPlaces = places
      places = [:]
    }
    places[id] = place
  }

  private static func open(
    _ folder: String, _ number: UInt32, _ fault: AppendFile.Fault?
  ) throws(StorageError) -> AppendFile {
    let file = try AppendFile("\(folder)/\(ArchiveFiles.pack(number))", fault: fault)
    if try file.byteCount == 0 { try file.append(header(number)) }
    return file
  }

  /// Whether the open pack's end is not known any more.
  var isBroken: Bool { file.isBroken }

  /// A frame, and what names it.
  typealias Frame = (bytes: UnsafeRawBufferPointer, storedID: Digest)

  /// Appends frames and says where they stand. When it fails, those that stand in the open pack are whole.
  func append(_ new: [Frame]) throws(StorageError) -> [Envelope.Place] {
    var batch = Batch()
    var places: [Envelope.Place] = []
    for frame in new { places.append(try place(frame, &batch)) }
    try write(&batch)
    return places
  }

  /// The same for one frame in an array.
  func append(_ frame: [UInt8], storedID: Digest) throws(StorageError) -> Envelope.Place {
    // A typed throw does not pass through `withUnsafeBytes`.
    let result = frame.withUnsafeBytes { bytes in
      Result { () throws(StorageError) in
        var batch = Batch()
        let place = try place((bytes, storedID), &batch)
        try write(&batch)
        return place
      }
    }
    return try result.get()
  }

  /// An encrypted frame is named by what it holds. Two chunks that differ from their parents by the same
  /// have one frame, which may stand already and is then taken, if it is not forgotten. What stands in the
  /// open pack and comes again nonetheless begins the next one: an id stands once in a pack.
  private func place(
    _ frame: Frame, _ batch: inout Batch
  ) throws(StorageError) -> Envelope.Place {
    let id = frame.storedID
    if isEncrypted, let known = batch.places[id] { return known }
    if isEncrypted, let known = places[id] ?? olderPlaces[id] {
      remember(id, known)
      return known
    }
    if byteCount + batch.byteCount >= PackWriter.targetByteCount
      || frames.count + batch.frames.count >= PackWriter.targetFrameCount
      || openIDs.contains(id) || batch.places[id] != nil
    {
      try write(&batch)
      try beginNext()
    }
    let place = Envelope.Place(pack: number, frame: UInt32(frames.count + batch.frames.count))
    batch.frames.append(frame)
    batch.byteCount += frame.bytes.count
    batch.places[id] = place
    return place
  }

  /// Frames that go to the open pack in one call.
  private struct Batch {
    var frames: [Frame] = []
    var byteCount = 0
    var places: [Digest: Envelope.Place] = [:]
  }

  private func write(_ batch: inout Batch) throws(StorageError) {
    guard !batch.frames.isEmpty else { return }
    try file.append(buffers: batch.frames.map(\.bytes))
    byteCount += batch.byteCount
    if byteCount - writingByteCount >= PackWriter.writingStep {
      file.beginWriting(from: writingByteCount)
      writingByteCount = byteCount
    }
    frames += batch.frames.map { ($0.storedID, $0.bytes.count) }
    // Only what stands is remembered.
    for (id, place) in batch.places {
      openIDs.insert(id)
      remember(id, place)
    }
    batch = Batch()
  }

  /// Closes the open pack and goes on in a new one.
  private func beginNext() throws(StorageError) {
    try close()
    let next = try PackWriter.open(folder, number + 1, fault)
    if isEncrypted {
      // Before the first frame: a pack with frames and without an index has lost it.
      try next.sync()
      try DurableFile.write(
        PackIndex(packNumber: number + 1, frames: []).encoded,
        to: "\(folder)/\(ArchiveFiles.packIndex(number + 1))")
    }
    number += 1
    frames = []
    openIDs = []
    file = next
    byteCount = try file.byteCount
    writingByteCount = byteCount
  }

  /// Under encryption the index is written too: without it nothing in the pack could be opened after
  /// a crash.
  func sync() throws(StorageError) {
    if isEncrypted { try close() } else { try file.sync() }
  }

  /// Syncs the pack, then writes its index: an index never names what is not on disk.
  func close() throws(StorageError) {
    try file.sync()
    try DurableFile.write(
      index.encoded, to: "\(folder)/\(ArchiveFiles.packIndex(number))")
  }

  /// The frames of the open pack, for reading back what was just written.
  var index: PackIndex { PackIndex(packNumber: number, frames: frames) }
}
