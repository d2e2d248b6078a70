package import ChunkStorage
package import ProofPrimitives

extension ArchiveWriter {
  /// Makes an archive that holds record 0 and nothing trained yet: a prepared folder.
  ///
  /// `records` is written last, whole: a folder without it was never prepared.
  package static func create(
    at path: String, opening: OpeningRecord, settings: [UInt8], policy: [UInt8],
    dataset: DatasetManifest
  ) throws(ArchiveError) -> ArchiveWriter {
    try checkVacant(path)
    try storing { () throws(StorageError) in
      try DurableFile.createDirectory(path)
      try DurableFile.createDirectory("\(path)/\(ArchiveFiles.packFolder)")
      try DurableFile.createDirectory("\(path)/\(ArchiveFiles.datasetFolder)")
      try DurableFile.write(settings, to: "\(path)/\(ArchiveFiles.settings)")
      try DurableFile.write(policy, to: "\(path)/\(ArchiveFiles.policy)")
      let files = dataset.files
      // A preparation of a larger dataset that did not end may have left more levels.
      for level in 0..<ArchiveFiles.treeLevelCount {
        let name = ArchiveFiles.tree(level: level)
        if !files.contains(where: { $0.name == name }) {
          try DurableFile.remove("\(path)/\(name)")
        }
      }
      for file in files { try DurableFile.write(file.bytes, to: "\(path)/\(file.name)") }
      let frame = RecordFrame(record: opening.encoded, envelope: Envelope(rows: []).encoded)
      try DurableFile.write(frame.encoded, to: "\(path)/\(ArchiveFiles.records)")
    }
    return try open(at: path)
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
    return try ArchiveReader.texts(source, opening)
  }

  /// Opens an unsealed archive at its last whole record; what was torn by a crash is cut off.
  ///
  /// - Complexity: reads every record, the dataset, and the packs that have no index yet.
  package static func open(at path: String) throws(ArchiveError) -> ArchiveWriter {
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
    var scan = try RecordScan(source)
    let dataset = try DatasetManifest(
      loading: source, root: scan.opening.datasetRoot, count: scan.opening.datasetCount)
    let packs = try scan.cutToStoredChunks()
    let records = try storing { () throws(StorageError) in
      let file = try AppendFile("\(path)/\(ArchiveFiles.records)")
      try file.truncate(to: scan.endOffset)
      return file
    }
    let writer = try storing { () throws(StorageError) in
      try packs.writer(path: path, archiveID: scan.opening.archiveID)
    }
    for row in scan.lastEnvelope?.rows ?? [] { writer.remember(row) }
    var state: TrainingState?
    if let last = scan.lastCheckpoint, let envelope = scan.lastEnvelope {
      state = try StateLoader(source: source, opening: scan.opening, indexes: packs.indexes)
        .state(of: last, envelope: envelope, roles: Set(TensorRole.allCases))
    }
    return ArchiveWriter(
      path: path, opening: scan.opening, dataset: dataset, lock: lock, records: records,
      packs: writer, rows: scan.rows, norms: scan.norms, lastState: state)
  }
}

extension DatasetManifest {
  /// Reads the whole dataset back and compares its root.
  package init(
    loading source: any ObjectSource, root: Digest, count: Int
  ) throws(ArchiveError) {
    let reader = DatasetReader(source: source, root: root, count: count)
    let points = try reader.points(at: (0..<UInt32(count)))
    self.init(salted: (0..<UInt32(count)).compactMap { points[$0] })
    guard self.root == root else {
      throw ArchiveError(
        .damaged, at: ArchiveFiles.points, "the dataset is not the one that record 0 names")
    }
  }
}
