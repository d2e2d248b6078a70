internal import ChunkStorage
internal import ProofPrimitives

/// The packs of an archive that is being reopened, and how much of each its records still name.
///
/// Memory: a few words a pack, and the frames of packs that have no index, of which there is one.
struct KeptPacks {
  private struct Pack {
    /// Frames that are whole.
    var frameCount: Int
    /// Their lengths, for a pack without an index.
    var openFrames: [Int]?
    /// What its frames hold as the records give it, for a pack without an index.
    var chunks: [UInt32: (digest: Digest, stored: StoredChunk)] = [:]
    /// Frames up to the last that a kept record names.
    var keptCount = 0
  }

  private let source: any ObjectSource
  private let header: RecordsHeader
  private var packs: [UInt32: Pack] = [:]
  /// The pack that a writer goes on in.
  private var lastNumber: UInt32 = 0

  init(_ source: any ObjectSource, _ header: RecordsHeader) throws(ArchiveError) {
    self.source = source
    self.header = header
    var number: UInt32 = 0
    while let total = try storing({ () throws(StorageError) in
      try source.byteCount(of: ArchiveFiles.pack(number))
    }) {
      let index = try storing { () throws(StorageError) in
        try source.readWhole(ArchiveFiles.packIndex(number), limit: PackIndex.byteLimit)
      }
      // An index that does not parse is rebuilt like a missing one: pack and records are the truth. The
      // ids of an encrypted archive stand in indexes alone, which are therefore written at every sync,
      // and what came after the last sync is not kept.
      if let index, let parsed = try? PackIndex(parsing: index), parsed.packNumber == number,
        parsed.packByteCount == total || (header.suite == 1 && parsed.packByteCount < total)
      {
        packs[number] = Pack(frameCount: parsed.rows.count, openFrames: nil)
      } else if header.suite == 1 {
        packs[number] = Pack(frameCount: 0, openFrames: [])
      } else {
        let frames = try PackScan.wholeFrames(of: number, in: source, header)
        packs[number] = Pack(frameCount: frames.count, openFrames: frames)
      }
      lastNumber = number
      number += 1
    }
  }

  /// Whether every frame that the envelope names is whole; they are then kept.
  mutating func keep(_ envelope: Envelope, chunks: [Digest]) -> Bool {
    let rows = envelope.rows + envelope.ancestors
    for row in rows {
      guard let pack = packs[row.place.pack], Int(row.place.frame) < pack.frameCount else {
        return false
      }
    }
    for row in rows {
      let count = max(packs[row.place.pack]?.keptCount ?? 0, Int(row.place.frame) + 1)
      packs[row.place.pack]?.keptCount = count
    }
    var seen = Set<Digest>()
    var next = 0
    for chunk in chunks where seen.insert(chunk).inserted {
      let row = envelope.rows[next]
      if packs[row.place.pack]?.openFrames != nil || row.place.pack == lastNumber {
        packs[row.place.pack]?.chunks[row.place.frame] = (
          chunk, StoredChunk(row.frame, ancestors: envelope.chain(of: row).reversed())
        )
      }
      next += 1
    }
    return true
  }

  /// What stands in packs without an index: a writer that goes on there must not store it again.
  var openChunks: [(digest: Digest, stored: StoredChunk)] {
    packs.values.flatMap { $0.chunks.values }
  }

  /// Places of the frames in packs without an index, for readers.
  var openIndexes: [UInt32: PackIndex] {
    packs.reduce(into: [:]) { indexes, item in
      guard let frames = item.value.openFrames else { return }
      indexes[item.key] = PackIndex(
        packNumber: item.key, frames: frames.map { (Digest.zero, $0) })
    }
  }

  /// What the index of a pack is, by the pack and the records; nil for a pack that is not there.
  func index(_ number: UInt32) throws(ArchiveError) -> PackIndex? {
    guard let pack = packs[number] else { return nil }
    return try keptIndex(number, pack)
  }

  /// The first `keptCount` frames of a pack. A frame that no record names, which an append that did
  /// not end left, gets an id of its own from its place.
  private func keptIndex(_ number: UInt32, _ pack: Pack) throws(ArchiveError) -> PackIndex {
    guard let frames = pack.openFrames else {
      let index = try PackCatalog.index(number, source)
      return PackIndex(
        packNumber: number,
        frames: index.rows.prefix(pack.keptCount).map { ($0.storedID, $0.byteCount) })
    }
    return PackIndex(
      packNumber: number,
      frames: frames.prefix(pack.keptCount).enumerated().map { position, count in
        (
          pack.chunks[UInt32(position)].map {
            PackWriter.storedID(of: $0.digest, in: header.archiveID)
          }
            ?? PackWriter.unnamedID(pack: number, frame: position, in: header.archiveID), count
        )
      })
  }

  /// Cuts every pack after its last kept frame and gives the writer that goes on in the last one.
  ///
  /// A pack that loses frames loses its index first, so that no index ever names a frame that is gone.
  func writer(
    path: String, _ options: ArchiveWriter.Options
  ) throws(ArchiveError) -> PackWriter {
    let last = packs.keys.max() ?? 0
    var lastIndex = PackIndex(packNumber: last, frames: [])
    for (number, pack) in packs {
      let isWhole = pack.openFrames == nil && pack.keptCount == pack.frameCount
      if isWhole, number != last { continue }
      let index = try keptIndex(number, pack)
      if number == last { lastIndex = index }
      try storing { () throws(StorageError) in
        let file = try AppendFile("\(path)/\(ArchiveFiles.pack(number))")
        if try file.byteCount > index.packByteCount {
          if header.suite == 1 {
            // Ids stand nowhere else, so that the index is never gone: first it says less.
            try DurableFile.write(
              index.encoded, to: "\(path)/\(ArchiveFiles.packIndex(number))")
          } else if pack.openFrames == nil {
            try DurableFile.remove("\(path)/\(ArchiveFiles.packIndex(number))")
          }
          try file.truncate(to: index.packByteCount)
          try file.sync()
        }
        // Nothing in it counts, its header perhaps torn: begun again.
        if number == last, index.rows.isEmpty { try file.truncate(to: 0) }
        // Frames that a process wrote and died before it synced them.
        if number < last, pack.openFrames != nil { try file.sync() }
        // A pack before the last one whose index was cut or never written gets it now.
        if number < last, !isWhole {
          try DurableFile.write(
            index.encoded, to: "\(path)/\(ArchiveFiles.packIndex(number))")
        }
      }
    }
    return try storing { () throws(StorageError) in
      // The pack grows again, so an index that it has would soon name too few frames.
      if header.suite == 0 {
        try DurableFile.remove("\(path)/\(ArchiveFiles.packIndex(last))")
      }
      return try PackWriter(
        folder: path, number: last, suite: header.suite,
        frames: lastIndex.rows.map { ($0.storedID, $0.byteCount) }, fault: options.fault,
        knownLimit: options.knownChunkLimit)
    }
  }
}
