package import ChunkStorage
internal import Cryptography
internal import ProofPrimitives

/// Fetches a sealed archive into a folder (`spec/store.md` §5).
///
/// Every file is compared with the sealed table before it gets its name, and `seal` comes last. A file
/// that was cut off goes on behind what is there, which is hashed again. At most four pieces of 4 MiB are
/// held at a time.
package struct ArchivePull: Sendable {
  let source: any ObjectSource
  let local: DirectoryObjectSource
  let listing: SealedListing
  private let supervision: ArchiveTransfer.Supervision

  /// Makes the folder.
  ///
  /// - Throws: `.present` when another archive, or a part of one, stands in the folder; `.damaged` when
  ///   the source gives other bytes than were sealed.
  package static func pull(
    _ source: any ObjectSource, to path: String,
    _ supervision: ArchiveTransfer.Supervision = ArchiveTransfer.Supervision()
  ) throws(ArchiveError) -> ArchiveTransfer {
    // First the seal: a source that has none makes no folder.
    let listing = try SealedListing(source)
    let total = try listing.byteCount()
    let (pull, store, lock) = try open(source, listing, path, supervision)
    defer { withExtendedLifetime(lock) {} }
    let partial =
      try PartialArchive.isListed(in: pull.local)
      ? try PartialArchive(filling: pull.local, listing) : nil
    var report = ArchiveTransfer(seal: listing.seal)
    report.fileCount = listing.fileCount
    report.byteCount = total
    let progress = TransferProgress(total: total, supervision)
    do throws(ArchiveError) {
      try pull.files(partial, progress)
    } catch {
      // What was fetched is listed; the first error is the one to tell.
      try? partial?.save()
      throw error
    }
    // From here on the folder is a pull that only lacks its tables.
    try partial?.remove()
    try pull.put(ArchiveFiles.objects, listing.tableBytes, store, progress)
    try pull.put(ArchiveFiles.seal, listing.sealBytes, store, progress)
    (report.copiedFileCount, report.copiedByteCount) = progress.copied
    return report
  }

  /// Makes and locks the folder. What another archive left there is found before anything is fetched.
  static func open(
    _ source: any ObjectSource, _ listing: SealedListing, _ path: String,
    _ supervision: ArchiveTransfer.Supervision
  ) throws(ArchiveError) -> (ArchivePull, DirectoryObjectStore, DirectoryLock) {
    let (store, lock, local) = try storing { () throws(StorageError) in
      (try DirectoryObjectStore(path), try DirectoryLock(path), try DirectoryObjectSource(path))
    }
    let pull = ArchivePull(
      source: source, local: local, listing: listing, supervision: supervision)
    try pull.refuseAnother(ArchiveFiles.seal, listing.sealBytes)
    try pull.refuseAnother(ArchiveFiles.objects, listing.tableBytes)
    try pull.removeLeftovers(path)
    return (pull, store, lock)
  }

  /// Removes what a killed pull left and this one would not go on with: temporary files, and the second
  /// name of a file that already has its own. The folder would never be the archive and nothing else.
  private func removeLeftovers(_ path: String) throws(ArchiveError) {
    try DirectoryListing.removeTemporaryFiles(path)
    try storing { () throws(StorageError) in
      var names = [PartialArchive.fileName + RootedFiles.temporarySuffix]
      for row in listing.rows where try local.byteCount(of: row.name) != nil {
        names.append(row.name + PartialFile.suffix)
      }
      for name in names where try local.byteCount(of: name) != nil {
        try DurableFile.remove("\(path)/\(name)")
      }
    }
  }

  var isStopped: Bool { supervision.isStopped() }

  private func files(
    _ partial: PartialArchive?, _ progress: TransferProgress
  ) throws(ArchiveError) {
    let rows = listing.rows
    try ConcurrentWork.run(rows.count, width: try width(rows)) {
      number, hasFailed throws(ArchiveError) in
      let row = rows[number]
      if try isThere(row) {
        progress.add(row.byteCount, isCopied: false)
      } else {
        let isStopped = { hasFailed() || self.isStopped }
        if let partial {
          try complete(row, partial, progress, isStopped)
        } else {
          try fetch(row, progress, isStopped)
        }
        progress.addCopiedFile()
      }
    }
  }

  /// Of a server that ignores ranges one file after another is fetched: a piece of one costs all of it,
  /// and the source keeps what came last.
  private func width(_ rows: [ObjectTable.Row]) throws(ArchiveError) -> Int {
    guard !source.isNear, rows.contains(where: { $0.byteCount > pieceByteCount }),
      let smallest = rows.last(where: { $0.byteCount > 1 })
    else { return ArchiveTransfer.width }
    _ = try storing { () throws(StorageError) in
      try source.read(smallest.name, range: 0..<1)
    }
    return source.ignoresRanges ? 1 : ArchiveTransfer.width
  }

  private func refuseAnother(_ name: String, _ bytes: [UInt8]) throws(ArchiveError) {
    let found = try storing { () throws(StorageError) in
      try local.readWhole(name, limit: ObjectTable.byteLimit)
    }
    guard let found, found != bytes else { return }
    throw ArchivePull.another(name, in: local)
  }

  static func another(_ name: String, in folder: DirectoryObjectSource) -> ArchiveError {
    ArchiveError(
      .present, at: "\(printable(folder.location, limit: 1000))/\(name)",
      "another archive, or a part of one, stands here; nothing is replaced",
      remedy: "choose another folder, or remove what is there yourself")
  }

  /// Whether a file stands in the folder, with its digest.
  func isThere(_ row: ObjectTable.Row) throws(ArchiveError) -> Bool {
    let isSame = try storing { () throws(StorageError) -> Bool? in
      guard let file = try local.outgoing(row.name) else { return nil }
      guard file.byteCount == row.byteCount else { return false }
      return try file.digest() == row.digest
    }
    guard isSame != false else { throw ArchivePull.another(row.name, in: local) }
    return isSame != nil
  }

  /// Fetches a whole file.
  func fetch(
    _ row: ObjectTable.Row, _ progress: TransferProgress, _ isStopped: () -> Bool
  ) throws(ArchiveError) {
    try storing { () throws(StorageError) in
      let part = try PartialFile(row.name, in: local, limit: row.byteCount)
      let resumed = part.byteCount
      progress.add(resumed, isCopied: false)
      try fetch(row, into: part, progress, isStopped)
      if try part.finish(row.digest) { return }
      // What an earlier run left may be what is wrong, so the server has one more chance.
      if resumed > 0 {
        progress.add(-row.byteCount, isCopied: false)
        try fetch(row, into: part, progress, isStopped)
        if try part.finish(row.digest) { return }
      }
      part.remove()
      throw wrong(row)
    }
  }

  /// Makes a file whole of which the folder has ranges, from its start to its end.
  private func complete(
    _ row: ObjectTable.Row, _ partial: PartialArchive, _ progress: TransferProgress,
    _ isStopped: () -> Bool
  ) throws(ArchiveError) {
    let isResumed = !partial.held(row.name).isEmpty
    if try fill(row, partial, progress, isStopped) == row.digest {
      return try partial.publish(row)
    }
    partial.forget([row.name: RangeSet(0..<row.byteCount)])
    // What an earlier run left may be what is wrong, so the server has one more chance.
    if isResumed {
      progress.add(-row.byteCount, isCopied: false)
      if try fill(row, partial, progress, isStopped) == row.digest {
        return try partial.publish(row)
      }
      partial.forget([row.name: RangeSet(0..<row.byteCount)])
    }
    throw ArchiveError(wrong(row))
  }

  /// Fetches the ranges that are not there; gives the digest of the whole.
  private func fill(
    _ row: ObjectTable.Row, _ partial: PartialArchive, _ progress: TransferProgress,
    _ isStopped: () -> Bool
  ) throws(ArchiveError) -> Digest {
    let hasher = SHA256()
    for start in stride(from: 0, to: row.byteCount, by: pieceByteCount) {
      guard !isStopped() else { throw ArchiveError(stopped(row.name)) }
      let piece = start..<min(row.byteCount, start + pieceByteCount)
      let lacking = RangeSet(piece).subtracting(partial.held(row.name))
      for range in lacking.ranges {
        let bytes = try storing { () throws(StorageError) in
          try source.read(row.name, range: range)
        }
        try partial.write([(range.lowerBound, bytes[...])], of: row.name)
        progress.add(bytes.count, isCopied: true)
      }
      progress.add(piece.count - lacking.count, isCopied: false)
      let bytes = try storing { () throws(StorageError) in
        try partial.readPart(row.name, piece)
      }
      hasher.update(bytes)
      try partial.hold([row.name: lacking])
    }
    return hasher.finish()
  }

  private func wrong(_ row: ObjectTable.Row) -> StorageError {
    StorageError(
      .damaged, at: place(row.name),
      "the \(row.byteCount) bytes that it gave are not those that were sealed",
      remedy: "fetch the archive from elsewhere, or tell whoever runs this server")
  }

  /// What a pull says that was told to stop.
  func stopped(_ name: String) -> StorageError {
    StorageError(
      .io, at: place(name), "stopped before it was fetched",
      remedy: "run the same command again: it goes on where it stopped")
  }

  private func fetch(
    _ row: ObjectTable.Row, into part: PartialFile, _ progress: TransferProgress,
    _ isStopped: () -> Bool
  ) throws(StorageError) {
    while part.byteCount < row.byteCount {
      guard !isStopped() else { throw stopped(row.name) }
      let end = min(row.byteCount, part.byteCount + pieceByteCount)
      let bytes = try source.read(row.name, range: part.byteCount..<end)
      try part.append(bytes)
      progress.add(bytes.count, isCopied: true)
    }
  }

  /// Puts one of the two files that no row names.
  func put(
    _ name: String, _ bytes: [UInt8], _ store: DirectoryObjectStore, _ progress: TransferProgress
  ) throws(ArchiveError) {
    let object = OutgoingObject(name, .bytes(bytes), digest: SHA256.hash(bytes))
    let outcome = try storing { () throws(StorageError) in
      try store.put(object, progress: { _ in }, isStopped: { false })
    }
    progress.add(bytes.count, isCopied: outcome == .stored)
    if outcome == .stored { progress.addCopiedFile() }
  }

  private func place(_ name: String) -> String {
    "\(printable(source.location, limit: 1000))/\(name)"
  }
}
