internal import ChunkStorage
internal import ProofPrimitives
internal import Synchronization

/// A far archive in front of the folder that is being filled with parts of it (`spec/store.md` §5.1).
///
/// What the folder has is read there. The rest is fetched and written there at once, and held as soon as
/// `keep` says that everything read so far was found right. So whoever reads through this decides what is
/// fetched, and holds no more than it would anyway.
final class SegmentSource: ObjectSource {
  private let pull: ArchivePull
  private let partial: PartialArchive
  private let progress: TransferProgress
  private let rows: [String: ObjectTable.Row]
  private let state = Mutex(State())
  /// Ranges this close are fetched as one; of what lies between, 64 KiB and a fiftieth of what is wanted.
  private static let gapLimit = 16_384
  private static let spareByteCount = 65_536
  private static let spareDivisor = 50

  private struct State {
    /// Whole files, their digests compared.
    var whole: Set<String> = []
    /// Since the last `keep`: written, and read.
    var fresh: [String: RangeSet<Int>] = [:]
    var used: [String: RangeSet<Int>] = [:]
  }

  init(_ pull: ArchivePull, _ partial: PartialArchive, _ progress: TransferProgress) {
    self.pull = pull
    self.partial = partial
    self.progress = progress
    rows = Dictionary(pull.listing.table.rows.map { ($0.name, $0) }) { first, _ in first }
  }

  var location: String { pull.source.location }
  var joinsRanges: Bool { false }
  var transfer: TransferCount { pull.source.transfer }

  /// All that was read so far is right: it is held.
  func keep() throws(ArchiveError) {
    let fresh = state.withLock { state in
      defer {
        state.fresh = [:]
        state.used = [:]
      }
      return state.fresh
    }
    try partial.hold(fresh)
  }

  /// Something read since the last `keep` is wrong: none of it is held any more.
  ///
  /// - Returns: False when all of it was fetched just now, so that the source is to blame.
  func forget() -> Bool {
    let (fresh, used) = state.withLock { state in
      defer {
        state.fresh = [:]
        state.used = [:]
      }
      return (state.fresh, state.used)
    }
    let old = used.filter { !$0.value.subtracting(fresh[$0.key] ?? RangeSet()).isEmpty }
    partial.forget(used)
    return !old.isEmpty
  }

  func byteCount(of name: String) throws(StorageError) -> Int? {
    switch name {
    case ArchiveFiles.seal: pull.listing.sealBytes.count
    case ArchiveFiles.objects: pull.listing.tableBytes.count
    default: rows[name]?.byteCount
    }
  }

  func read(_ name: String, range: Range<Int>) throws(StorageError) -> [UInt8] {
    try readTogether([ObjectRequest(name, .range(range))])[0] ?? []
  }

  func readWhole(_ name: String, limit: Int) throws(StorageError) -> [UInt8]? {
    try readTogether([ObjectRequest(name, .whole(limit: limit))])[0]
  }

  func readTogether(_ requests: [ObjectRequest]) throws(StorageError) -> [[UInt8]?] {
    var wholes: [ObjectTable.Row] = []
    var wanted: [String: RangeSet<Int>] = [:]
    for request in requests {
      let row = rows[request.name]
      switch request.part {
      case .whole(let limit):
        // One that is too long is refused below, and not fetched.
        if let row, row.byteCount <= limit { wholes.append(row) }
      case .range(let range):
        guard let row, range.lowerBound >= 0, range.upperBound <= row.byteCount else {
          throw StorageError(
            .missing, at: printable("\(location)/\(request.name)", limit: 1000),
            "bytes \(range.lowerBound)..<\(range.upperBound) are asked for and there are "
              + "\(row?.byteCount ?? 0)", remedy: "fetch the archive from elsewhere")
        }
        if try !isWhole(row) {
          wanted[row.name, default: RangeSet()].insert(contentsOf: range)
        }
      }
    }
    try fetchWhole(wholes)
    try fetch(wanted)
    var answers: [[UInt8]?] = []
    for request in requests { answers.append(try answer(request)) }
    return answers
  }

  private func answer(_ request: ObjectRequest) throws(StorageError) -> [UInt8]? {
    switch request.part {
    case .whole(let limit):
      switch request.name {
      case ArchiveFiles.seal: return pull.listing.sealBytes
      case ArchiveFiles.objects: return pull.listing.tableBytes
      default:
        guard let row = rows[request.name] else { return nil }
        guard row.byteCount <= limit else {
          throw StorageError(
            .limit, at: printable("\(location)/\(row.name)", limit: 1000),
            "the object has \(row.byteCount) bytes and at most \(limit) are accepted here",
            remedy: "do not use this archive")
        }
        return try pull.local.readWhole(row.name, limit: limit)
      }
    case .range(let range):
      if state.withLock({ $0.whole.contains(request.name) }) {
        return try pull.local.read(request.name, range: range)
      }
      return try partial.readPart(request.name, range)
    }
  }

  /// Whether the file stands in the folder; its digest is compared once.
  private func isWhole(_ row: ObjectTable.Row) throws(StorageError) -> Bool {
    if state.withLock({ $0.whole.contains(row.name) }) { return true }
    guard try unwrapping({ () throws(ArchiveError) in try pull.isThere(row) }) else { return false }
    state.withLock { _ = $0.whole.insert(row.name) }
    return true
  }

  /// Whole files, four at a time: each is in the folder afterwards, and has its digest.
  func fetchWhole(_ rows: [ObjectTable.Row]) throws(StorageError) {
    try ConcurrentWork.run(rows.count, width: ArchiveTransfer.width) {
      number, hasFailed throws(StorageError) in
      let row = rows[number]
      guard try !self.isWhole(row) else { return }
      self.progress.expect(row.byteCount)
      try self.unwrapping { () throws(ArchiveError) in
        try self.pull.fetch(row, self.progress) { hasFailed() || self.pull.isStopped }
      }
      self.progress.addCopiedFile()
      self.state.withLock { _ = $0.whole.insert(row.name) }
    }
  }

  /// Ranges that are not in the folder, as few requests as §2.1 has.
  private func fetch(_ wanted: [String: RangeSet<Int>]) throws(StorageError) {
    guard !pull.isStopped else { throw pull.stopped(ArchiveFiles.records) }
    var items: [(object: UInt32, range: Range<Int>)] = []
    let names = wanted.keys.sorted()
    for (number, name) in names.enumerated() {
      let ranges = wanted[name] ?? RangeSet()
      let fresh = state.withLock { state in
        state.used[name, default: RangeSet()].formUnion(ranges)
        return state.fresh[name] ?? RangeSet()
      }
      for range in ranges.subtracting(fresh).subtracting(partial.held(name)).ranges {
        for start in stride(from: range.lowerBound, to: range.upperBound, by: pieceByteCount) {
          items.append(
            (UInt32(number), start..<min(range.upperBound, start + pieceByteCount)))
        }
      }
    }
    let runs = RangeRuns.join(
      items, gap: SegmentSource.gapLimit, longest: pieceByteCount,
      spare: SegmentSource.spareByteCount
        + items.reduce(0) { $0 + $1.range.count } / SegmentSource.spareDivisor)
    let answers = try pull.source.readTogether(
      runs.map { run in
        let bounds =
          items[run.lowerBound].range.lowerBound..<items[run.upperBound - 1].range.upperBound
        return ObjectRequest(names[Int(items[run.lowerBound].object)], .range(bounds))
      })
    for (run, answer) in zip(runs, answers) {
      let (name, bytes) = (names[Int(items[run.lowerBound].object)], answer ?? [])
      progress.addCopied(bytes.count)
      let base = items[run.lowerBound].range.lowerBound
      // What stands between was not asked for by anybody who would check it.
      let pieces = items[run].map {
        (
          offset: $0.range.lowerBound,
          bytes: bytes[$0.range.lowerBound - base..<$0.range.upperBound - base]
        )
      }
      try unwrapping { () throws(ArchiveError) in try partial.write(pieces, of: name) }
      state.withLock { state in
        for item in items[run] {
          state.fresh[name, default: RangeSet()].insert(contentsOf: item.range)
        }
      }
    }
  }

  /// The errors of a source are `StorageError`.
  private func unwrapping<Value>(
    _ body: () throws(ArchiveError) -> Value
  ) throws(StorageError) -> Value {
    do throws(ArchiveError) {
      return try body()
    } catch {
      throw StorageError(error.code, at: error.place, error.message, remedy: error.remedy)
    }
  }
}
