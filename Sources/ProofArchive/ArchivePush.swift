package import ChunkStorage
internal import Cryptography
internal import ProofPrimitives

/// Publishes a sealed archive in a store (`spec/store.md` §4).
///
/// The files go first, four at a time, then `objects`, and `seal` last: a reader who finds a seal finds
/// all that it names. Each file is compared with the sealed table before a byte of it is sent. What is
/// there already is left, so that a push that was cut off goes on where it stopped.
package struct ArchivePush: Sendable {
  private let local: DirectoryObjectSource
  private let listing: SealedListing
  private let supervision: ArchiveTransfer.Supervision

  /// Reads the seal and the table of the archive in a folder.
  ///
  /// - Throws: `.missing` when it is not sealed.
  package init(
    _ path: String, _ supervision: ArchiveTransfer.Supervision = ArchiveTransfer.Supervision()
  ) throws(ArchiveError) {
    local = try storing { () throws(StorageError) in try DirectoryObjectSource(path) }
    if let partial = try PartialArchive(local) { throw partial.refusal }
    listing = try SealedListing(local)
    self.supervision = supervision
  }

  /// - Throws: `.present` when another archive, or a part of one, stands at the target; `.damaged`
  ///   when a file is not the one that was sealed.
  package func run(to store: any ObjectStore) throws(ArchiveError) -> ArchiveTransfer {
    let total = try listing.byteCount()
    var report = ArchiveTransfer(seal: listing.seal)
    report.fileCount = listing.fileCount
    report.byteCount = total
    let progress = TransferProgress(total: total, supervision)

    try refuseAnother(ArchiveFiles.seal, listing.sealBytes, in: store)
    try refuseAnother(ArchiveFiles.objects, listing.tableBytes, in: store)
    let there = try names(in: store)
    var rows = listing.rows
    // The smallest file is the cheapest question.
    if let probe = rows.last {
      let object = try outgoing(probe)
      let found = try storing { () throws(StorageError) in try store.prepare(object) }
      report.warnings = found.warnings
      if found.isProbeStored {
        progress.add(object.byteCount, isCopied: true)
        progress.addCopiedFile()
        rows.removeLast()
      }
    }
    let rest = rows
    try ConcurrentWork.run(rest.count, width: ArchiveTransfer.width) {
      number, hasFailed throws(ArchiveError) in
      let row = rest[number]
      try send(
        try outgoing(row), to: store, mayBeThere: there?.contains(row.name) ?? true, progress,
        hasFailed)
    }
    for (name, bytes) in [
      (ArchiveFiles.objects, listing.tableBytes), (ArchiveFiles.seal, listing.sealBytes),
    ] {
      let object = OutgoingObject(name, .bytes(bytes), digest: SHA256.hash(bytes))
      try send(object, to: store, mayBeThere: there?.contains(name) ?? true, progress) { false }
    }
    (report.copiedFileCount, report.copiedByteCount) = progress.copied
    return report
  }

  /// The table or seal of another archive says that this place is taken.
  private func refuseAnother(
    _ name: String, _ bytes: [UInt8], in store: any ObjectStore
  ) throws(ArchiveError) {
    let found: [UInt8]?
    do throws(StorageError) {
      found = try store.source.readWhole(name, limit: bytes.count)
    } catch {
      guard error.code == .limit else { throw ArchiveError(error) }
      throw another(name, in: store)
    }
    guard let found, found != bytes else { return }
    throw another(name, in: store)
  }

  /// Nil when the store cannot tell.
  private func names(in store: any ObjectStore) throws(ArchiveError) -> Set<String>? {
    let names = try storing { () throws(StorageError) in try store.names() }
    let own = Set(listing.table.rows.map(\.name) + [ArchiveFiles.objects, ArchiveFiles.seal])
    if let other = names?.filter({ ArchiveFiles.isKnown($0) && !own.contains($0) }).min() {
      throw another(other, in: store)
    }
    return names
  }

  private func another(_ name: String, in store: any ObjectStore) -> ArchiveError {
    ArchiveError(
      .present, at: "\(printable(store.location, limit: 1000))/\(name)",
      "another archive, or a part of one, stands here; nothing is replaced",
      remedy: "choose another target, or remove what is there yourself")
  }

  /// The local file, whose length is the sealed one; its digest is compared when it is sent.
  private func outgoing(_ row: ObjectTable.Row) throws(ArchiveError) -> OutgoingObject {
    let place = "\(printable(local.location, limit: 1000))/\(row.name)"
    let file = try storing { () throws(StorageError) in try local.outgoing(row.name) }
    guard let file else { throw ArchiveError(.missing, at: place, "the file is not there") }
    guard file.byteCount == row.byteCount else {
      throw ArchiveError(
        .damaged, at: place,
        "it has \(file.byteCount) bytes, \(row.byteCount) were sealed",
        remedy: "run `pol check` on the archive")
    }
    return OutgoingObject(row.name, .file(file), digest: row.digest)
  }

  private func send(
    _ object: OutgoingObject, to store: any ObjectStore, mayBeThere: Bool,
    _ progress: TransferProgress,
    _ hasFailed: @Sendable () -> Bool
  ) throws(ArchiveError) {
    func isStopped() -> Bool { hasFailed() || supervision.isStopped() }
    try storing { () throws(StorageError) in
      if case .file(let file) = object.content, try file.digest() != object.digest {
        throw StorageError(
          .damaged, at: file.place, "its bytes changed since it was sealed",
          remedy: "run `pol check` on the archive")
      }
      if mayBeThere, let isSame = try store.holds(object) {
        return try settle(object, isSame, in: store, progress)
      }
      var sent = 0
      let outcome = try store.put(
        object,
        progress: {
          sent += $0
          progress.add($0, isCopied: true)
        }, isStopped: isStopped)
      switch outcome {
      case .stored: progress.addCopiedFile()
      case .present:
        // Put meanwhile by somebody else, or by a request of ours whose answer was lost.
        let isSame = try store.holds(object) ?? false
        try settle(object, isSame, in: store, progress, alreadyCounted: sent)
      }
    }
  }

  private func settle(
    _ object: OutgoingObject, _ isSame: Bool, in store: any ObjectStore,
    _ progress: TransferProgress,
    alreadyCounted: Int = 0
  ) throws(StorageError) {
    guard isSame else {
      throw StorageError(
        .present, at: "\(store.location)/\(object.name)",
        "another file stands here; nothing is replaced",
        remedy: "choose another target, or remove what is there yourself")
    }
    progress.add(object.byteCount - alreadyCounted, isCopied: false)
  }
}
