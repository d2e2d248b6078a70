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
    /// Where what is not whole begins, in a pack without an index.
    var tornOffset: Int?
    /// Why there are no more, where no crash explains it: a record that names another has lost it.
    var damage: ArchiveError?
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
      let bytes = try storing { () throws(StorageError) in
        try source.readWhole(ArchiveFiles.packIndex(number), limit: PackIndex.byteLimit)
      }
      let index = bytes.flatMap { try? PackIndex(parsing: $0) }
        .flatMap { $0.packNumber == number ? $0 : nil }
      packs[number] =
        header.suite == 1
        ? encrypted(number, index, hasIndex: bytes != nil, byteCount: total)
        : try clear(number, index, byteCount: total)
      lastNumber = number
      number += 1
    }
    // A pack was durable, and its index, before the next one was begun.
    for number in packs.keys where number < lastNumber && packs[number]?.damage == nil {
      packs[number]?.damage = KeptPacks.damage(
        ArchiveFiles.pack(number), "frames that records name are not whole in this pack")
    }
  }

  /// The ids of an encrypted archive stand in indexes alone. One is written before a pack's first frame, and
  /// again at every sync, by rename: no crash leaves a pack with frames whose index is cut or not there.
  /// What an index does not name came after the last sync.
  private func encrypted(
    _ number: UInt32, _ index: PackIndex?, hasIndex: Bool, byteCount total: Int
  ) -> Pack {
    guard let index else {
      var pack = Pack(frameCount: 0, openFrames: [])
      if hasIndex || total > PackIndex.packHeaderByteCount {
        pack.damage = KeptPacks.damage(
          ArchiveFiles.packIndex(number),
          "it is \(hasIndex ? "damaged" : "not there"), and without it nothing in the pack can be "
            + "opened")
      }
      return pack
    }
    var pack = Pack(frameCount: index.rows.prefix { $0.range.upperBound <= total }.count)
    if pack.frameCount < index.rows.count {
      pack.damage = KeptPacks.damage(
        ArchiveFiles.pack(number), "it has \(total) bytes, its index says \(index.packByteCount)")
    }
    return pack
  }

  /// An index that does not fit is rebuilt like a missing one: pack and records are the truth.
  private func clear(
    _ number: UInt32, _ index: PackIndex?, byteCount total: Int
  ) throws(ArchiveError) -> Pack {
    if let index, index.packByteCount == total { return Pack(frameCount: index.rows.count) }
    let frames = try PackScan.wholeFrames(of: number, in: source, header)
    var pack = Pack(frameCount: frames.count, openFrames: frames)
    let end = PackIndex.packHeaderByteCount + frames.reduce(0, +)
    pack.tornOffset = end < total ? end : nil
    // What a crash tears is the end of the pack.
    if let index, index.packByteCount > total {
      pack.damage = KeptPacks.damage(
        ArchiveFiles.pack(number), "it has \(total) bytes, its index says \(index.packByteCount)")
    } else if end < total, try PackScan.holdsFrame(number, after: end, in: source, header) {
      pack.damage = KeptPacks.damage(
        "\(ArchiveFiles.pack(number)), byte \(end)",
        "the frame here is not whole, and others stand after it")
    }
    return pack
  }

  /// Acknowledged checkpoints would be lost if training went on here.
  static func damage(_ place: String, _ message: String) -> ArchiveError {
    ArchiveError(
      .damaged, at: place, "\(message): this is no end that a crash tore",
      remedy: "nothing was cut; `pol repair` makes a new archive of what is whole, with --from of "
        + "another copy or with --salvage of this one alone")
  }

  /// Whether every frame that the envelope names is whole; they are then kept.
  ///
  /// - Throws: When one is not that was durable before a crash could come.
  mutating func keep(_ envelope: Envelope, chunks: [Digest]) throws(ArchiveError) -> Bool {
    let rows = envelope.rows + envelope.ancestors
    for row in rows {
      guard let pack = packs[row.place.pack] else {
        let name = ArchiveFiles.packIndex(row.place.pack)
        let hasIndex = try storing { () throws(StorageError) in
          try source.byteCount(of: name) != nil
        }
        // A pack is made before its index.
        if hasIndex {
          throw KeptPacks.damage(ArchiveFiles.pack(row.place.pack), "the pack is not there")
        }
        return false
      }
      guard Int(row.place.frame) < pack.frameCount else {
        if let damage = pack.damage { throw damage }
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
  var openPacks: [UInt32: OpenPack] {
    packs.reduce(into: [:]) { open, item in
      guard let frames = item.value.openFrames else { return }
      open[item.key] = OpenPack(
        index: PackIndex(packNumber: item.key, frames: frames.map { (Digest.zero, $0) }),
        tornOffset: item.value.tornOffset)
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
