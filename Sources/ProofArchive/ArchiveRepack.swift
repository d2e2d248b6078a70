internal import ChunkStorage
package import Cryptography
internal import Glibc
package import ProofPrimitives

/// Writes the records of an archive into a new folder with other packs (`spec/archive.md` §7).
///
/// The records are the same, byte for byte, and so are the archive root and all digests; what changes is how
/// chunks are stored. Chunks that no record names are left behind. The old archive is only read. `records`
/// gets its name when all packs are durable, and the seal comes last, after everything was read back: what
/// a crash leaves is a folder without `records` or without a seal, to be deleted.
///
/// Memory: 20 MiB of chunks, below 1 KiB a chunk of the state, and the places of known chunks.
package struct ArchiveRepack {
  package struct Options: Sendable {
    package var pattern = DeltaPattern.tree
    /// Threads that compress.
    package var workers = 1
    /// Encrypts the new archive, in a key epoch of its own; nil keeps the old archive's key, if it has one.
    package var epochKey: EpochKey?

    package init() {}
  }

  package struct Report: Sendable {
    package internal(set) var records = 0
    /// Frames written, and how many of them are deltas.
    package internal(set) var frames = 0
    package internal(set) var deltas = 0
    /// Bytes of the chunks that were written, before compression.
    package internal(set) var rawByteCount = 0
    /// Bytes of all packs, before and after.
    package internal(set) var oldPackByteCount = 0
    package internal(set) var newPackByteCount = 0
    /// Nil when the old archive was not sealed.
    package internal(set) var seal: Seal?
    package internal(set) var root = Digest.zero
  }

  /// Raw bytes that are encoded at a time.
  private static let windowByteCount = 4 << 20

  let reader: ArchiveReader
  let path: String
  let header: RecordsHeader
  /// Nil when the new archive is not encrypted.
  let contentKey: ContentKey?
  let sealer: ArchiveSealer?
  private let options: Options
  private let packs: PackWriter
  private let records: DurableFileWriter
  private let memory: RepackMemory
  private let encoder: RepackEncoder
  var rows: [RecordIndex.Row] = []
  var norms: [NormsTable.Row] = []
  private var report = Report()

  /// - Parameters:
  ///   - path: A folder that is not there, or empty.
  ///   - key: The prover's key: needed when the old archive is sealed, and refused when it is not.
  ///   - progress: Called with 0 to 1.
  package static func run(
    _ reader: ArchiveReader, to path: String, options: Options, key: SigningKey?,
    progress: (Double) -> Void = { _ in }
  ) throws(ArchiveError) -> Report {
    let contentKey = try contentKey(reader, options)
    try check(reader, path, key)
    // A run that goes on meanwhile would be repacked up to somewhere.
    let oldLock = try storing { () throws(StorageError) in
      reader.seal == nil ? try DirectoryLock(reader.source.location) : nil
    }
    defer { withExtendedLifetime(oldLock) {} }
    let newLock = try storing { () throws(StorageError) in
      try DurableFile.createDirectory(path)
      return try DirectoryLock(path)
    }
    defer { withExtendedLifetime(newLock) {} }
    var repack = try ArchiveRepack(reader, path, options, contentKey)
    try repack.copyFiles()
    try repack.copyRecords { progress(0.7 * $0) }
    let model = try repack.readBack { progress(0.7 + 0.3 * $0) }
    if let key, let seal = reader.seal {
      guard model == seal.modelDigest else {
        throw ArchiveReader.falseSeal("the model digest is not that of the last checkpoint")
      }
      repack.report.seal = try ArchiveSealing(
        path: path, opening: reader.opening, rows: repack.rows, norms: repack.norms,
        modelDigest: model, sealer: repack.sealer
      ).write(with: key)
    }
    progress(1)
    return repack.report
  }

  private static func contentKey(
    _ reader: ArchiveReader, _ options: Options
  ) throws(ArchiveError) -> ContentKey? {
    var old: ContentKey?
    if let keys = reader.keys {
      guard case .all(let key) = keys.source else {
        throw ArchiveError(
          .outsideGrant, at: reader.source.location, "a grant does not open all of the archive",
          remedy: "give the archive's --content-key")
      }
      old = key
    }
    guard let new = options.epochKey else { return old }
    guard new != old?.epochKey else {
      throw ArchiveError(
        .malformed, at: "new content key", "it is the archive's own key",
        remedy: "name a file that does not exist, or leave the new key out to keep the old one")
    }
    let (epoch, overflow) = reader.header.keyEpoch.addingReportingOverflow(1)
    guard !overflow else {
      throw ArchiveError(
        .limit, at: reader.source.location, "there is no key epoch after \(UInt32.max)",
        remedy: "leave the new content key out")
    }
    return ContentKey(new, epoch: epoch, archiveID: reader.opening.archiveID)
  }

  private static func check(
    _ reader: ArchiveReader, _ path: String, _ key: SigningKey?
  ) throws(ArchiveError) {
    guard reader.index.rows.count > 1 else {
      throw ArchiveError(
        .malformed, at: reader.source.location, "there is no checkpoint to repack",
        remedy: "train first")
    }
    guard (key != nil) == (reader.seal != nil) else {
      throw ArchiveError(
        .io, at: reader.source.location,
        key == nil
          ? "the archive is sealed, and a repacked one needs a new seal"
          : "the archive is not sealed, and a repack does not seal what was not",
        remedy: key == nil
          ? "give the prover's key with --key" : "leave --key out, then `pol seal` the new archive")
    }
    if let key { try ArchiveSealing.check(key, reader.opening, at: reader.source.location) }
    if try DirectoryListing.exists(path) {
      guard try DirectoryListing.names(path).isEmpty else {
        throw ArchiveError(
          .present, at: path, "the folder is not empty",
          remedy: "choose one that does not exist, or delete what an earlier repack left here")
      }
    }
    guard !isInside(path, reader.source.location) else {
      throw ArchiveError(
        .io, at: path, "this is inside of the archive that is read", remedy: "choose another folder"
      )
    }
  }

  /// Whether a folder stands, or would stand, within another one.
  private static func isInside(_ path: String, _ other: String) -> Bool {
    func resolved(_ path: String) -> String? {
      guard let found = realpath(path, nil) else { return nil }
      defer { free(found) }
      return String(cString: found)
    }
    var parent = path[...]
    while parent.hasSuffix("/") { parent.removeLast() }
    let slash = parent.lastIndex(of: "/")
    let folder = slash.map { $0 == parent.startIndex ? "/" : String(parent[..<$0]) } ?? "."
    guard let outer = resolved(other), let inner = resolved(path) ?? resolved(folder) else {
      return false
    }
    return inner == outer || inner.hasPrefix(outer + "/")
  }

  private init(
    _ reader: ArchiveReader, _ path: String, _ options: Options, _ contentKey: ContentKey?
  ) throws(ArchiveError) {
    self.reader = reader
    self.path = path
    self.options = options
    self.contentKey = contentKey
    sealer = contentKey.map { ArchiveSealer($0) }
    let opening = reader.opening
    let header = RecordsHeader(
      suite: contentKey == nil ? 0 : 1, depth: options.pattern.depth,
      keyEpoch: contentKey?.epoch ?? 0, archiveID: opening.archiveID)
    self.header = header
    encoder = RepackEncoder(
      chunkByteCount: opening.sizes.chunk, workers: options.workers, archiveID: opening.archiveID,
      contentKey: contentKey)
    (packs, records, memory) = try storing { () throws(StorageError) in
      try DurableFile.createDirectory("\(path)/\(ArchiveFiles.packFolder)")
      return (
        try PackWriter(folder: path, number: 0, suite: header.suite, frames: []),
        try DurableFileWriter("\(path)/\(ArchiveFiles.records)", replaces: false),
        try RepackMemory(
          options.pattern, chunkByteCount: opening.sizes.chunk, folder: path)
      )
    }
  }
}

// MARK: - Records

extension ArchiveRepack {
  private mutating func copyRecords(_ progress: (Double) -> Void) throws(ArchiveError) {
    try storing { () throws(StorageError) in try records.append(header.encoded) }
    try append(
      reader.opening.encoded, Envelope(rows: [], suite: header.suite), number: 0, step: 0)
    let count = reader.index.rows.count
    for number in 1..<count {
      try reader.prefetch(number...number)
      let record = try reader.checkpoint(number)
      let envelope = try store(record, try reader.envelope(number))
      try append(record.encoded, envelope, number: number, step: record.step)
      if number > 1 { norms.append(NormsTable.Row(endStep: record.step, norms: record.norms)) }
      progress(Double(number) / Double(count))
    }
    try storing { () throws(StorageError) in
      try packs.close()
      try records.finish()
    }
    report.records = count
    report.root = RecordIndex.root(ofHashes: rows.map(\.hash))
    report.oldPackByteCount = try ArchiveRepack.packByteCount(reader.source)
    report.newPackByteCount = try ArchiveRepack.packByteCount(newSource())
  }

  /// Appends a record, which must be the one that the old archive has at this place.
  private mutating func append(
    _ record: [UInt8], _ envelope: Envelope, number: Int, step: Int
  ) throws(ArchiveError) {
    let hash = RecordHeader.hash(record[...])
    guard hash == reader.index.rows[number].hash else {
      throw ArchiveError(
        .malformed, at: ArchiveReader.recordPlace(number), "written again it is another record")
    }
    let rest = envelope.encoded
    guard rest.count <= Envelope.byteLimit else {
      throw ArchiveError(
        .limit, at: ArchiveReader.recordPlace(number),
        "the places of its chunks and their ancestors need more than 64 MiB",
        remedy: "repack with --star or --intra")
    }
    let frame = RecordFrame.encode(record: record, envelope: rest, sealer: sealer)
    let offset = records.byteCount
    try storing { () throws(StorageError) in try records.append(frame) }
    rows.append(
      RecordIndex.Row(hash: hash, offset: offset, frameByteCount: frame.count, step: step))
  }

  /// Stores what is new of a record's chunks. The loader compares each with its digest.
  private mutating func store(
    _ record: CheckpointRecord, _ old: Envelope
  ) throws(ArchiveError) -> Envelope {
    memory.begin(record)
    let wanted = memory.needs.indices.filter { memory.needs[$0].isNew || memory.needs[$0].isKept }
    var window: [RepackEncoder.Item] = []
    var byteCount = 0
    try reader.loader.forEach(
      wanted, of: record, envelope: old, .streaming
    ) { chunk, raw throws(ArchiveError) in
      window.append(RepackEncoder.Item(chunk: chunk, digest: record.chunks[chunk], raw: raw))
      byteCount += raw.count
      guard byteCount >= ArchiveRepack.windowByteCount else { return }
      try write(window)
      window = []
      byteCount = 0
    }
    try write(window)
    var builder = EnvelopeBuilder()
    var seen = Set<Digest>()
    for (chunk, digest) in record.chunks.enumerated() {
      if !memory.needs[chunk].isNew, !memory.needs[chunk].isKept {
        try memory.note(chunk, digest, raw: nil)
      }
      if seen.insert(digest).inserted, let stored = memory.stored[digest] { builder.add(stored) }
    }
    memory.finish()
    return builder.envelope(suite: header.suite)
  }

  private mutating func write(_ window: [RepackEncoder.Item]) throws(ArchiveError) {
    let new = window.filter { memory.needs[$0.chunk].isNew }
    var made = try encoder.encode(new, memory)[...]
    for item in window {
      if memory.needs[item.chunk].isNew, let next = made.popFirst() {
        let place = try storing { () throws(StorageError) in
          try packs.append(next.frame.bytes, storedID: next.frame.storedID)
        }
        let ancestors = next.parent.map { [$0.frame] + $0.ancestors } ?? []
        memory.remember(
          item.digest,
          StoredChunk(Envelope.Frame(place, key: next.frame.key), ancestors: ancestors),
          at: item.chunk, frameByteCount: next.frame.bytes.count)
        report.frames += 1
        report.deltas += next.frame.isDelta ? 1 : 0
        report.rawByteCount += item.raw.count
      }
      try memory.note(item.chunk, item.digest, raw: item.raw)
    }
  }

  private static func packByteCount(_ source: any ObjectSource) throws(ArchiveError) -> Int {
    var sum = 0
    var number: UInt32 = 0
    while let count = try storing({ () throws(StorageError) in
      try source.byteCount(of: ArchiveFiles.pack(number))
    }) {
      sum += count
      number += 1
    }
    return sum
  }

  func newSource() throws(ArchiveError) -> DirectoryObjectSource {
    try storing { () throws(StorageError) in try DirectoryObjectSource(path) }
  }
}
