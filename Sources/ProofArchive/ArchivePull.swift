package import ChunkStorage
internal import Cryptography
internal import ProofPrimitives

/// Fetches a sealed archive into a folder (`spec/store.md` §5).
///
/// Every file is compared with the sealed table before it gets its name, and `seal` comes last. A file
/// that was cut off goes on behind what is there, which is hashed again. At most four pieces of 4 MiB are
/// held at a time.
package struct ArchivePull: Sendable {
  private let source: any ObjectSource
  private let local: DirectoryObjectSource
  private let listing: SealedListing
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
    let (store, lock) = try storing { () throws(StorageError) in
      (try DirectoryObjectStore(path), try DirectoryLock(path))
    }
    defer { withExtendedLifetime(lock) {} }
    let local = try storing { () throws(StorageError) in try DirectoryObjectSource(path) }
    let pull = ArchivePull(
      source: source, local: local, listing: listing, supervision: supervision)
    var report = ArchiveTransfer(seal: listing.seal)
    report.fileCount = listing.fileCount
    report.byteCount = total
    let progress = TransferProgress(total: total, supervision)
    try pull.files(progress)
    try pull.tables(store, progress)
    (report.copiedFileCount, report.copiedByteCount) = progress.copied
    return report
  }

  private func files(_ progress: TransferProgress) throws(ArchiveError) {
    // What another archive left here is found before anything is fetched.
    try refuseAnother(ArchiveFiles.seal, listing.sealBytes)
    try refuseAnother(ArchiveFiles.objects, listing.tableBytes)
    let rows = listing.rows
    try ConcurrentWork.run(rows.count, width: ArchiveTransfer.width) {
      number, hasFailed throws(ArchiveError) in
      let row = rows[number]
      if try isThere(row) {
        progress.add(row.byteCount, isCopied: false)
      } else {
        try fetch(row, progress) { hasFailed() || supervision.isStopped() }
        progress.addCopiedFile()
      }
    }
  }

  private func refuseAnother(_ name: String, _ bytes: [UInt8]) throws(ArchiveError) {
    let found = try storing { () throws(StorageError) in
      try local.readWhole(name, limit: ObjectTable.byteLimit)
    }
    guard let found, found != bytes else { return }
    throw another(name)
  }

  private func another(_ name: String) -> ArchiveError {
    ArchiveError(
      .present, at: "\(printable(local.location, limit: 1000))/\(name)",
      "another archive, or a part of one, stands here; nothing is replaced",
      remedy: "choose another folder, or remove what is there yourself")
  }

  private func isThere(_ row: ObjectTable.Row) throws(ArchiveError) -> Bool {
    let isSame = try storing { () throws(StorageError) -> Bool? in
      guard let file = try local.outgoing(row.name) else { return nil }
      guard file.byteCount == row.byteCount else { return false }
      return try file.digest() == row.digest
    }
    guard isSame != false else { throw another(row.name) }
    return isSame != nil
  }

  private func fetch(
    _ row: ObjectTable.Row, _ progress: TransferProgress, isStopped: () -> Bool
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
      throw StorageError(
        .damaged, at: place(row.name),
        "the \(row.byteCount) bytes that it gave are not those that were sealed",
        remedy: "fetch the archive from elsewhere, or tell whoever runs this server")
    }
  }

  private func fetch(
    _ row: ObjectTable.Row, into part: PartialFile, _ progress: TransferProgress,
    _ isStopped: () -> Bool
  ) throws(StorageError) {
    while part.byteCount < row.byteCount {
      guard !isStopped() else {
        throw StorageError(
          .io, at: place(row.name), "stopped before it was fetched",
          remedy: "run the same command again: it goes on where it stopped")
      }
      let end = min(row.byteCount, part.byteCount + pieceByteCount)
      let bytes = try source.read(row.name, range: part.byteCount..<end)
      try part.append(bytes)
      progress.add(bytes.count, isCopied: true)
    }
  }

  private func tables(
    _ store: DirectoryObjectStore, _ progress: TransferProgress
  ) throws(ArchiveError) {
    for (name, bytes) in [
      (ArchiveFiles.objects, listing.tableBytes), (ArchiveFiles.seal, listing.sealBytes),
    ] {
      let object = OutgoingObject(name, .bytes(bytes), digest: SHA256.hash(bytes))
      let outcome = try storing { () throws(StorageError) in
        try store.put(object, progress: { _ in }, isStopped: { false })
      }
      progress.add(bytes.count, isCopied: outcome == .stored)
      if outcome == .stored { progress.addCopiedFile() }
    }
  }

  private func place(_ name: String) -> String {
    "\(printable(source.location, limit: 1000))/\(name)"
  }
}
