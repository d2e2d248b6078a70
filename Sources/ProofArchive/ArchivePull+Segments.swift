package import ChunkStorage
internal import ProofPrimitives

/// Fetching some segments alone (`spec/store.md` §5.1).
extension ArchivePull {
  /// What is fetched of an archive.
  package struct Selection {
    let segments: [Int]
    let points: ([UInt8]) throws(ArchiveError) -> Range<Int>?

    /// - Parameters:
    ///   - segments: Numbers from 0.
    ///   - points: Of the archive's settings, further data points that are wanted; nil for none.
    package init(
      segments: [Int],
      points: @escaping ([UInt8]) throws(ArchiveError) -> Range<Int>? = { _ in nil }
    ) {
      self.segments = segments
      self.points = points
    }
  }

  /// What segments take beside their records, chunks and points.
  private static let wholeNames: Set<String> = [
    ArchiveFiles.settings, ArchiveFiles.policy, ArchiveFiles.claims, ArchiveFiles.recordIndex,
    ArchiveFiles.norms,
  ]

  /// Makes the folder, or goes on in it. Every byte is checked before it is held, also those that an
  /// earlier run left there.
  ///
  /// - Throws: As `pull(_:to:_:)`; `.missing` for a segment that there is not; for an encrypted archive
  ///   as `ArchiveAccess` and `Grant` say.
  package static func pull(
    _ source: any ObjectSource, _ selection: Selection, access: ArchiveAccess = .none,
    to path: String,
    _ supervision: ArchiveTransfer.Supervision = ArchiveTransfer.Supervision()
  ) throws(ArchiveError) -> ArchiveTransfer {
    let listing = try SealedListing(source)
    _ = try access.keys(for: listing.seal)
    let count = listing.seal.segmentCount
    if let last = selection.segments.last, last >= count {
      throw ArchiveError(
        .missing, at: source.location, "there is no segment \(last); there are \(count)",
        remedy: "name segments from 0 to \(count - 1)")
    }
    var report = ArchiveTransfer(seal: listing.seal)
    report.fileCount = listing.fileCount
    report.byteCount = try listing.byteCount()
    let (pull, store, lock) = try open(source, listing, path, supervision)
    defer { withExtendedLifetime(lock) {} }
    // A whole archive has all segments.
    let isWhole = try storing { () throws(StorageError) in
      try pull.local.byteCount(of: ArchiveFiles.seal) != nil
    }
    guard !isWhole else { return report }
    // Counts the states: what they take where they are stored is known only when they are here.
    let progress = TransferProgress(total: listing.tableBytes.count, supervision)
    let partial = try PartialArchive(filling: pull.local, listing)
    try pull.put(ArchiveFiles.objects, listing.tableBytes, store, progress)
    try partial.save()
    do throws(ArchiveError) {
      try pull.fetch(selection, access, partial, progress)
    } catch {
      // What was checked is kept; the first error is the one to tell.
      try? partial.save()
      throw error
    }
    try partial.save()
    (report.copiedFileCount, report.copiedByteCount) = progress.copied
    report.partial = ArchiveTransfer.Partial(
      segments: partial.segments, heldByteCount: try partial.heldByteCount())
    return report
  }

  private func fetch(
    _ selection: Selection, _ access: ArchiveAccess, _ partial: PartialArchive,
    _ progress: TransferProgress
  ) throws(ArchiveError) {
    let far = SegmentSource(self, partial, progress)
    try storing { () throws(StorageError) in
      try far.fetchWhole(listing.rows.filter { ArchivePull.wholeNames.contains($0.name) })
    }
    var opened: ArchiveReader?
    /// Reads until all is right; what the folder had and is not is fetched once more.
    func reading(_ body: (ArchiveReader) throws(ArchiveError) -> Void) throws(ArchiveError) {
      while true {
        do throws(ArchiveError) {
          let reader =
            if let opened { opened } else { try ArchiveReader(far, access: access) }
          opened = reader
          try body(reader)
          return try far.keep()
        } catch {
          // The reader may remember what was wrong.
          opened = nil
          let isAboutBytes = [.damaged, .malformed, .missing, .limit].contains(error.code)
          guard far.forget(), isAboutBytes else { throw error }
        }
      }
    }
    // A verifier looks at the first state's record whatever it draws, where it can open it.
    try reading { reader throws(ArchiveError) in
      let isOpen = reader.keys?.source.covers(segment: 0) ?? true
      if isOpen, reader.index.rows.count > 1 { _ = try reader.checkpoint(1) }
    }
    for segment in selection.segments {
      try reading { reader throws(ArchiveError) in
        progress.expect(try reader.segment(segment).before.stateByteCount)
      }
    }
    for segment in selection.segments {
      try reading { reader throws(ArchiveError) in
        try reader.segment(segment).check { byteCount throws(ArchiveError) in
          try far.keep()
          progress.add(byteCount, isCopied: false)
        }
      }
      partial.hold(segment: segment)
    }
    try reading { reader throws(ArchiveError) in
      guard let points = try selection.points(reader.settings) else { return }
      guard points.upperBound <= reader.opening.datasetCount else {
        throw ArchiveError(
          .malformed, at: ArchiveFiles.settings, "the held-out points are beyond the dataset",
          remedy: "the prover signed this: ask for a corrected archive", isSigned: true)
      }
      try reader.checkPoints(points.map { UInt32($0) }) { () throws(ArchiveError) in
        try far.keep()
      }
    }
  }
}
