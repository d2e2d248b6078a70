internal import ChunkStorage
internal import ProofPrimitives

/// The packs of an archive that is being reopened, and how much of each its records still name.
struct KeptPacks {
  private struct Pack {
    var rows: [Digest: PackIndex.Row]
    var isClosed: Bool
    /// End of the last frame that a kept record names.
    var end = PackWriter.headerByteCount
  }

  private var packs: [UInt32: Pack] = [:]

  init(_ source: any ObjectSource, archiveID: Digest) throws(ArchiveError) {
    var number: UInt32 = 0
    while try storing({ () throws(StorageError) in
      try source.byteCount(of: ArchiveFiles.pack(number)) != nil
    }) {
      let index = try storing { () throws(StorageError) in
        try source.readWhole(ArchiveFiles.packIndex(number), limit: PackIndex.byteLimit)
      }
      // An index that does not parse is rebuilt like a missing one: the pack is the truth.
      if let index, let parsed = try? PackIndex(parsing: index) {
        packs[number] = Pack(rows: KeptPacks.byID(parsed.rows), isClosed: true)
      } else {
        let rows = try PackScan.rows(of: number, in: source, archiveID: archiveID)
        packs[number] = Pack(rows: KeptPacks.byID(rows), isClosed: false)
      }
      number += 1
    }
  }

  private static func byID(_ rows: [PackIndex.Row]) -> [Digest: PackIndex.Row] {
    Dictionary(rows.map { ($0.storedID, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// Whether every chunk of the record is whole; its frames are then kept.
  mutating func keep(_ envelope: Envelope) -> Bool {
    for row in envelope.rows where packs[row.packNumber]?.rows[row.storedID] == nil { return false }
    for row in envelope.rows {
      if let frame = packs[row.packNumber]?.rows[row.storedID] {
        let end = max(packs[row.packNumber]?.end ?? 0, frame.offset + frame.byteCount)
        packs[row.packNumber]?.end = end
      }
    }
    return true
  }

  /// Every whole frame, named by a record or not.
  var allIndexes: [UInt32: PackIndex] {
    packs.reduce(into: [:]) { indexes, pack in
      let rows = Array(pack.value.rows.values)
      indexes[pack.key] = PackIndex(
        packNumber: pack.key,
        packByteCount: rows.reduce(PackWriter.headerByteCount) {
          max($0, $1.offset + $1.byteCount)
        },
        rows: rows)
    }
  }

  var indexes: [UInt32: PackIndex] {
    packs.reduce(into: [:]) { indexes, pack in
      indexes[pack.key] = PackIndex(
        packNumber: pack.key, packByteCount: pack.value.end,
        rows: pack.value.rows.values.filter { $0.offset + $0.byteCount <= pack.value.end })
    }
  }

  /// Cuts every pack after its last kept frame and gives the writer that goes on in the last one.
  ///
  /// A pack that loses frames loses its index first, so that no index ever names a frame that is gone.
  func writer(path: String, archiveID: Digest) throws(StorageError) -> PackWriter {
    let last = packs.keys.max() ?? 0
    for (number, pack) in packs {
      let file = try AppendFile("\(path)/\(ArchiveFiles.pack(number))")
      guard try file.byteCount > pack.end else { continue }
      if pack.isClosed {
        try DurableFile.remove("\(path)/\(ArchiveFiles.packIndex(number))")
      }
      try file.truncate(to: pack.end)
      try file.sync()
      if number < last {
        let index = PackIndex(
          packNumber: number, packByteCount: pack.end, rows: indexes[number]?.rows ?? [])
        try DurableFile.write(index.encoded, to: "\(path)/\(ArchiveFiles.packIndex(number))")
      }
    }
    // A pack before the last one whose index was never written gets it now.
    for (number, pack) in packs where number < last && !pack.isClosed {
      let index = PackIndex(
        packNumber: number, packByteCount: pack.end, rows: indexes[number]?.rows ?? [])
      try DurableFile.write(index.encoded, to: "\(path)/\(ArchiveFiles.packIndex(number))")
    }
    let isLastFull =
      packs[last].map { $0.isClosed && $0.end >= PackWriter.targetByteCount } ?? false
    return try PackWriter(
      folder: path, archiveID: archiveID, number: isLastFull ? last + 1 : last,
      rows: isLastFull ? [] : (indexes[last]?.rows ?? []).sorted { $0.offset < $1.offset })
  }
}
