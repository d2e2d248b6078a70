package import ChunkStorage
internal import ProofPrimitives
internal import Synchronization

/// A folder that holds some segments of a sealed archive, and nothing of the rest (`spec/store.md` §5.1).
///
/// Read like any other source, by nobody believed: the bytes are checked as a server's are. What is not
/// here is `.notHeld`, never zeros.
package final class PartialArchive: ObjectSource {
  package static let fileName = "partial"

  private let folder: DirectoryObjectSource
  private let rows: [String: ObjectTable.Row]
  private let state: Mutex<State>
  /// One list is written at a time, so that a later one is never replaced by an earlier one.
  private let saving = Mutex(())
  /// What a kill may lose.
  private static let unsavedLimit = 16 << 20
  /// Files that are open until the next `save`.
  private static let openLimit = 64

  private struct State {
    var manifest: PartialManifest
    /// As it stands on the disk.
    var saved: PartialManifest
    /// Written since the last `save`.
    var open: [String: SparseFile] = [:]
    var unsavedByteCount = 0
  }

  private init(
    _ folder: DirectoryObjectSource, _ manifest: PartialManifest, _ table: ObjectTable
  ) {
    self.folder = folder
    rows = Dictionary(table.rows.map { ($0.name, $0) }) { first, _ in first }
    state = Mutex(State(manifest: manifest, saved: manifest))
  }

  /// Nil where the folder is no such one: it has no list, or a seal, and then is a whole archive.
  convenience init?(_ folder: DirectoryObjectSource) throws(ArchiveError) {
    guard let bytes = try PartialArchive.list(in: folder) else { return nil }
    let isWhole = try storing { () throws(StorageError) in
      try folder.byteCount(of: ArchiveFiles.seal) != nil
    }
    guard !isWhole else { return nil }
    let manifest = try PartialArchive.parse(bytes, in: folder)
    let place = "\(folder.location)/\(PartialArchive.fileName)"
    let seal = try parsing(place) { () throws(ParsingError) in
      try Seal.checkSignature(manifest.seal)
      return try Seal(parsing: manifest.seal)
    }
    self.init(folder, manifest, try ObjectTable.load(folder, seal).table)
  }

  /// The folder to fill with parts of this archive. The list is written by the first `save`.
  ///
  /// - Throws: `.present` when it holds parts of another one.
  convenience init(filling folder: DirectoryObjectSource, _ listing: SealedListing)
    throws(ArchiveError)
  {
    var manifest = PartialManifest(seal: listing.sealBytes)
    if let bytes = try PartialArchive.list(in: folder) {
      manifest = try PartialArchive.parse(bytes, in: folder)
      guard manifest.seal == listing.sealBytes else {
        throw ArchivePull.another(PartialArchive.fileName, in: folder)
      }
    }
    self.init(folder, manifest, listing.table)
  }

  static func isListed(in folder: DirectoryObjectSource) throws(ArchiveError) -> Bool {
    try storing { () throws(StorageError) in try folder.byteCount(of: fileName) != nil }
  }

  private static func list(in folder: DirectoryObjectSource) throws(ArchiveError) -> [UInt8]? {
    try storing { () throws(StorageError) in
      try folder.readWhole(fileName, limit: PartialManifest.byteLimit)
    }
  }

  private static func parse(
    _ bytes: [UInt8], in folder: DirectoryObjectSource
  ) throws(ArchiveError) -> PartialManifest {
    let place = printable("\(folder.location)/\(fileName)", limit: 1000)
    do throws(ArchiveError) {
      return try parsing(place) { () throws(ParsingError) in try PartialManifest(parsing: bytes) }
    } catch {
      throw ArchiveError(
        error.code, at: error.place, error.message,
        remedy: "remove this file and pull again: whole files are kept, the rest is fetched anew")
    }
  }

  /// Those of which all is said to be here.
  package var segments: RangeSet<Int> { state.withLock { $0.manifest.segments } }

  /// Whether these bytes of a file are here.
  func holds(_ name: String, _ range: Range<Int>) throws(ArchiveError) -> Bool {
    try storing { () throws(StorageError) in try isWhole(name) }
      || held(name).holds(range)
  }

  /// The ranges of a file that is not whole.
  func held(_ name: String) -> RangeSet<Int> {
    state.withLock { $0.manifest.ranges[name] ?? RangeSet() }
  }

  func isWhole(_ name: String) throws(StorageError) -> Bool {
    try folder.byteCount(of: name) != nil
  }

  /// Bytes of the archive that are here.
  package func heldByteCount() throws(ArchiveError) -> Int {
    var sum = Seal.byteCount
    try storing { () throws(StorageError) in
      sum += try folder.byteCount(of: ArchiveFiles.objects) ?? 0
      for name in rows.keys { sum += try folder.byteCount(of: name) ?? held(name).count }
    }
    return sum
  }

  /// What fetches more.
  func remedy(_ segments: RangeSet<Int>? = nil) -> String {
    let path = printable(location, limit: 1000)
    return segments.map {
      "`pol pull SOURCE \(path) --segments \($0.list)` fetches "
        + ($0.count == 1 ? "it" : "them")
    }
      ?? "`pol pull SOURCE \(path) --segments LIST` fetches segments, with --held-out also the "
      + "held-out points, and `pol pull SOURCE \(path)` all"
  }

  /// Of these segments, those that are not here, with the sentence that says so; nil when all are.
  package func lacking(_ wanted: some Sequence<Int>) -> ArchiveError? {
    let here = segments
    let lacking = RangeSet(numbers: wanted).subtracting(here)
    guard !lacking.isEmpty else { return nil }
    return ArchiveError(
      .notHeld, at: location,
      "\(PartialArchive.phrase(lacking)) \(lacking.count == 1 ? "is" : "are") not in this folder, "
        + "which holds \(PartialArchive.phrase(here)) of the archive",
      remedy: remedy(lacking))
  }

  /// For what takes a whole archive.
  var refusal: ArchiveError {
    ArchiveError(
      .notHeld, at: location,
      "this folder holds only \(PartialArchive.phrase(segments)) of the archive",
      remedy: "`pol pull SOURCE \(printable(location, limit: 1000))` fetches the rest")
  }

  private static func phrase(_ segments: RangeSet<Int>) -> String {
    segments.isEmpty
      ? "no segment" : "segment\(segments.count == 1 ? "" : "s") \(printable(segments.list))"
  }

  private func notHeld(_ name: String, _ range: Range<Int>? = nil) -> StorageError {
    let what = range.map { "bytes \($0.lowerBound) to \($0.upperBound - 1) are" } ?? "it is"
    return StorageError(
      .notHeld, at: printable("\(location)/\(name)", limit: 1000),
      "\(what) not in this folder, which holds \(PartialArchive.phrase(segments)) of the archive",
      remedy: remedy())
  }
}

// MARK: - Reading

extension PartialArchive {
  package var location: String { folder.location }
  package var isNear: Bool { true }
  package var joinsRanges: Bool { false }
  package var transfer: TransferCount { folder.transfer }

  package func byteCount(of name: String) throws(StorageError) -> Int? {
    switch name {
    case ArchiveFiles.seal: Seal.byteCount
    case ArchiveFiles.objects: try folder.byteCount(of: name)
    default:
      if let row = rows[name] { try folder.byteCount(of: name) ?? row.byteCount } else { nil }
    }
  }

  package func read(_ name: String, range: Range<Int>) throws(StorageError) -> [UInt8] {
    if try isWhole(name) { return try folder.read(name, range: range) }
    guard held(name).holds(range) else { throw notHeld(name, range) }
    return try readPart(name, range)
  }

  package func readWhole(_ name: String, limit: Int) throws(StorageError) -> [UInt8]? {
    if name == ArchiveFiles.seal { return state.withLock { $0.manifest.seal } }
    if let bytes = try folder.readWhole(name, limit: limit) { return bytes }
    guard rows[name] == nil else { throw notHeld(name) }
    return nil
  }

  /// Bytes of `NAME.part`, held or just written.
  func readPart(_ name: String, _ range: Range<Int>) throws(StorageError) -> [UInt8] {
    try folder.read(name + PartialFile.suffix, range: range)
  }
}

// MARK: - Filling: by one process, which has the folder's lock

extension PartialArchive {
  /// Puts bytes at their places. They are not held before `hold`.
  func write(
    _ pieces: [(offset: Int, bytes: ArraySlice<UInt8>)], of name: String
  ) throws(ArchiveError) {
    let known = state.withLock { $0.open[name] }
    let file = try storing { () throws(StorageError) in
      let file = if let known { known } else { try SparseFile(name, in: folder) }
      for piece in pieces { try file.write(Array(piece.bytes), at: piece.offset) }
      return file
    }
    // After the writes: a `save` that came between has not synced them.
    let isCrowded = state.withLock { state in
      state.open[name] = file
      return state.open.count >= PartialArchive.openLimit
    }
    if isCrowded { try save() }
  }

  /// Lists ranges that were written.
  func hold(_ fresh: [String: RangeSet<Int>]) throws(ArchiveError) {
    let isDue = state.withLock { state in
      for (name, ranges) in fresh where !ranges.isEmpty {
        state.manifest.ranges[name, default: RangeSet()].formUnion(ranges)
        state.unsavedByteCount += ranges.count
      }
      return state.unsavedByteCount >= PartialArchive.unsavedLimit
    }
    if isDue { try save() }
  }

  /// Lists a segment whose every byte is held.
  func hold(segment: Int) {
    state.withLock { $0.manifest.segments.insert(contentsOf: segment..<segment + 1) }
  }

  /// Strikes off ranges that are not what they should be.
  func forget(_ ranges: [String: RangeSet<Int>]) {
    state.withLock { state in
      for (name, ranges) in ranges {
        state.manifest.ranges[name]?.subtract(ranges)
        if state.manifest.ranges[name]?.isEmpty == true { state.manifest.ranges[name] = nil }
      }
    }
  }

  /// A file that is whole and has its digest gets its name.
  func publish(_ row: ObjectTable.Row) throws(ArchiveError) {
    try storing { () throws(StorageError) in
      try SparseFile(row.name, in: folder).publish(byteCount: row.byteCount)
    }
    state.withLock { state in
      state.open[row.name] = nil
      state.manifest.ranges[row.name] = nil
    }
  }

  /// Writes the list. First every file that it names is synced, and only then does the new list stand
  /// there: what a power cut can take is never listed.
  func save() throws(ArchiveError) {
    try saving.withLock { _ throws(ArchiveError) in
      // What is listed by now was written before by now.
      let (manifest, open) = state.withLock { state in
        defer {
          state.open = [:]
          state.unsavedByteCount = 0
        }
        return (state.manifest, state.open)
      }
      let bytes = manifest.encoded
      guard bytes.count <= PartialManifest.byteLimit else {
        throw ArchiveError(
          .limit, at: "\(location)/\(PartialArchive.fileName)", "the list is above 64 MiB",
          remedy: "fetch the whole archive: `pol pull SOURCE \(printable(location, limit: 1000))`")
      }
      do throws(StorageError) {
        for file in open.values { try file.sync() }
        try RootedFiles(location).replace(PartialArchive.fileName, with: bytes)
      } catch {
        // What was written and could not be synced may be gone, whatever a second try says.
        state.withLock { $0.manifest = $0.saved }
        throw ArchiveError(error)
      }
      state.withLock { $0.saved = manifest }
    }
  }

  /// Takes the list away: all files have their names.
  func remove() throws(ArchiveError) {
    try storing { () throws(StorageError) in
      try DurableFile.remove("\(location)/\(PartialArchive.fileName)")
    }
  }
}
