package import ChunkStorage
package import ProofPrimitives

extension ArchiveWriter {
  /// Deltas of a recording go against key frames only.
  private static let starDepth = 1

  /// Makes an archive that holds record 0 and nothing trained yet: a prepared folder.
  ///
  /// `records` is written last, whole: a folder without it was never prepared.
  package static func create(
    at path: String, opening: OpeningRecord, settings: [UInt8], policy: [UInt8],
    dataset: DatasetManifest, options: Options = Options()
  ) throws(ArchiveError) -> ArchiveWriter {
    try checkVacant(path)
    let contentKey = options.epochKey.map { ContentKey($0, epoch: 1, archiveID: opening.archiveID) }
    let sealer = contentKey.map { ArchiveSealer($0) }
    try storing { () throws(StorageError) in
      try DurableFile.createDirectory(path)
      try DurableFile.createDirectory("\(path)/\(ArchiveFiles.packFolder)")
      try DurableFile.createDirectory("\(path)/\(ArchiveFiles.datasetFolder)")
      try DurableFile.write(
        sealer?.file(settings, .settings) ?? settings, to: "\(path)/\(ArchiveFiles.settings)")
      try DurableFile.write(
        sealer?.file(policy, .policy) ?? policy, to: "\(path)/\(ArchiveFiles.policy)")
      let files = dataset.files(sealer)
      // A preparation of a larger dataset that did not end may have left more levels.
      for level in 0..<ArchiveFiles.treeLevelCount {
        let name = ArchiveFiles.tree(level: level)
        if !files.contains(where: { $0.name == name }) {
          try DurableFile.remove("\(path)/\(name)")
        }
      }
      for file in files { try DurableFile.write(file.bytes, to: "\(path)/\(file.name)") }
      let header = RecordsHeader(
        suite: contentKey == nil ? 0 : 1, depth: options.usesDeltas ? starDepth : 0,
        keyEpoch: contentKey?.epoch ?? 0,
        archiveID: opening.archiveID)
      let frame = RecordFrame.encode(
        record: opening.encoded, envelope: Envelope(rows: [], suite: header.suite).encoded,
        sealer: sealer)
      try DurableFile.write(header.encoded + frame, to: "\(path)/\(ArchiveFiles.records)")
    }
    return try open(at: path, options: options)
  }

  /// Refuses a folder that holds anything but what a preparation that did not end leaves behind.
  package static func checkVacant(_ path: String) throws(ArchiveError) {
    guard try DirectoryListing.exists(path) else { return }
    let names = try DirectoryListing.names(path)
    guard !names.contains(ArchiveFiles.records) else {
      throw ArchiveError(
        .io, at: path, "an archive stands here already",
        remedy: "choose another folder, or go on with the training it holds")
    }
    let leftovers = [ArchiveFiles.settings, ArchiveFiles.policy]
    for name in names {
      let file = name.split(separator: "/").last ?? ""
      guard
        leftovers.contains(name) || name.hasPrefix("\(ArchiveFiles.datasetFolder)/")
          || file.hasPrefix(DurableFile.temporaryPrefix)
      else {
        throw ArchiveError(
          .io, at: path, "the folder is not empty: it holds \(printable(name))",
          remedy: "choose a folder that does not exist yet")
      }
    }
  }

  /// Settings and policy as they stand, each checked against record 0.
  package func texts() throws(ArchiveError) -> (settings: [UInt8], policy: [UInt8]) {
    let source = try storing { () throws(StorageError) in try DirectoryObjectSource(path) }
    let keys = sealer.map { sealer in
      ArchiveKeys(.all(sealer.key), archiveID: header.archiveID, epoch: header.keyEpoch)
    }
    return try ArchiveReader.texts(source, opening, keys)
  }

  /// Opens an unsealed archive at its last whole record; what was torn by a crash is cut off.
  ///
  /// - Throws: `.damaged`, and nothing is cut, where a whole record would be lost to what no crash explains.
  /// - Complexity: reads every record, the dataset, and the packs that have no index yet.
  package static func open(
    at path: String, options: Options = Options()
  ) throws(ArchiveError) -> ArchiveWriter {
    let parts = try parts(at: path, options)
    let scan = parts.scan
    let source = try storing { () throws(StorageError) in try DirectoryObjectSource(path) }
    let dataset = try DatasetManifest(
      loading: source, root: scan.opening.datasetRoot, count: scan.opening.datasetCount,
      keys: scan.keys)
    return ArchiveWriter(path: path, parts, dataset, options)
  }

  /// Locks the folder, cuts records and packs, and syncs both: what is found is on disk when this
  /// returns, also when the process that wrote it died before it had synced.
  ///
  /// - Parameters:
  ///   - count: Records to keep at most, with record 0.
  ///   - first: Hash of the record 0 that has to stand there; another archive is not touched.
  static func parts(
    at path: String, _ options: Options, keeping count: Int = .max, of first: Digest? = nil
  ) throws(ArchiveError) -> Parts {
    let lock = try storing { () throws(StorageError) in try DirectoryLock(path) }
    let source = try storing { () throws(StorageError) in try DirectoryObjectSource(path) }
    let isSealed = try storing { () throws(StorageError) in
      try source.byteCount(of: ArchiveFiles.seal) != nil
    }
    guard !isSealed else {
      throw ArchiveError(
        .io, at: path, "the archive is sealed: nothing can be added",
        remedy: "start another archive, or run `pol verify` on this one")
    }
    guard try !PartialArchive.isListed(in: source) else {
      throw ArchiveError(
        .io, at: path,
        "the folder holds segments of a sealed archive, which cannot be gone on with",
        remedy: "`pol verify` and `pol check` read it; start a run in another folder")
    }
    let access: ArchiveAccess = options.epochKey.map { .epochKey($0) } ?? .none
    try DirectoryListing.removeTemporaryFiles(path)
    var scan = try RecordScan(source, access: access)
    guard first == nil || scan.rows.first?.hash == first else {
      throw ArchiveError(
        .io, at: path, "another archive stands here now",
        remedy: "put the archive that is being written back in its place")
    }
    if count == .max { try scan.checkTail() }
    let packs = try scan.cutToStoredChunks(keeping: count, refusesDamage: true)
    guard count == .max || scan.rows.count == count else {
      throw KeptPacks.damage(
        "\(ArchiveFiles.records), record \(scan.rows.count)",
        "\(count) records were durable and \(scan.rows.count) are whole")
    }
    let records = try storing { () throws(StorageError) in
      let file = try AppendFile("\(path)/\(ArchiveFiles.records)", fault: options.fault)
      try file.truncate(to: scan.endOffset)
      // Before the packs are cut: records that come back would name frames that are gone.
      try file.sync()
      return file
    }
    let writer = try packs.writer(path: path, options)
    try storing { () throws(StorageError) in try writer.sync() }
    return Parts(
      scan: scan, files: Files(lock: lock, records: records, packs: writer),
      openChunks: packs.openChunks)
  }
}

extension DatasetManifest {
  /// Reads the whole dataset back and compares its root.
  package init(
    loading source: any ObjectSource, root: Digest, count: Int, keys: ArchiveKeys?
  ) throws(ArchiveError) {
    let reader = DatasetReader(source: source, root: root, count: count, keys: keys)
    let points = try reader.points(at: (0..<UInt32(count)))
    self.init(salted: (0..<UInt32(count)).compactMap { points[$0] })
    guard self.root == root else {
      throw ArchiveError(
        .damaged, at: ArchiveFiles.points, "the dataset is not the one that record 0 names")
    }
  }
}
