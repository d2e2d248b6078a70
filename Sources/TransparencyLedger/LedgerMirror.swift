import ChunkStorage
package import MerkleTrees
import ProofPrimitives

/// A copy of a log in a folder that any web server can serve (`spec/ledger.md` §14).
///
/// Only entries and signed heads are taken from the log: the tiles are made again from the entries, so
/// that a tile of the copy is right whatever the log serves. `checkpoint` is replaced last; a mirror that
/// was killed goes on from the files that it finds, each of them checked again.
package final class LedgerMirror {
  /// What one round found.
  package struct Round: Sendable {
    package let from: TreeSize
    package let to: TreeHead
    /// Of bundles that were fetched; those that lay there already do not count.
    package let fetchedByteCount: Int
    package let repairedBundles: [String]
    package let end: LogEnd?
  }

  package let directory: String
  package let verifierKey: NoteVerifierKey
  private let policy: LedgerPolicy?
  private let files: DurableFiles
  private let memory: HeadMemory
  private let lock: HeldLock
  /// For tests: called before each file that is written, with its name.
  var failpoint: (String) throws(LedgerError) -> Void = { _ throws(LedgerError) in }

  /// Opens the folder, or makes it. Beside it `<folder>.mirror` keeps the lock and what was remembered.
  package init(
    directory: String, verifierKey: NoteVerifierKey, policy: LedgerPolicy?
  ) throws(LedgerError) {
    var name = Substring(directory)
    while name.count > 1, name.hasSuffix("/") { name = name.dropLast() }
    let own = DurableFiles(root: LocalLedger.privateDirectory(of: directory))
    guard try own.read("log.pem", limit: 65_536) == nil else {
      throw LedgerError(
        .alreadyExists, "this folder is a log's own", remedy: "mirror into another folder",
        path: directory)
    }
    self.directory = directory
    self.verifierKey = verifierKey
    self.policy = policy
    files = DurableFiles(root: directory)
    let beside = DurableFiles(root: "\(name).mirror")
    try beside.makeRoot(mode: 0o700)
    do throws(LedgerError) {
      lock = try beside.lock("lock")
    } catch {
      guard error.code == .inUse else { throw error }
      throw LedgerError(
        .inUse, "another mirror writes to this folder", remedy: "stop one of the two",
        path: directory)
    }
    memory = HeadMemory(directory: beside.place("heads"))
    try files.makeRoot(mode: 0o755)
    let vkey = Array("\(verifierKey)\n".utf8)
    if let present = try files.read(LedgerPath.verifierKey, limit: 4096), present != vkey {
      throw LedgerError(
        .badKey, "this folder holds a mirror of another log", remedy: "mirror into another folder",
        path: directory)
    }
    try files.createOnce(LedgerPath.verifierKey, vkey)
  }

  /// The head of the copy; nil before the first round.
  package func head() throws(LedgerError) -> SignedTreeHead? {
    guard let bytes = try files.read(LedgerPath.treeHead, limit: SignedNote.byteLimit) else {
      return nil
    }
    return try SignedTreeHead(parsing: bytes, by: verifierKey)
  }

  /// Brings the copy up to the log's head of now.
  ///
  /// - Throws: `.rolledBack`, `.forked` with evidence at the error's path; `.grewAfterEnd`. The copy stays
  ///   as it was.
  package func update(from source: any LedgerSource) throws(LedgerError) -> Round {
    let view = try LedgerView(source: source, verifierKey: verifierKey, policy: policy)
    let old = try head()
    // Both are asked, and the copy first: the memory may have been lost, and must not learn the wrong head.
    if let old { try memory.compare(old, with: view) }
    try memory.check(view)
    var copy = try begun(old, view)
    try publish(&copy, view)
    let prover = BundleProver(view)
    var bundle = copy.edge.frontier.size.value >> 8
    while bundle << 8 < view.head.size.value {
      try add(bundle, prover, &copy, view)
      bundle += 1
    }
    guard copy.edge.frontier.root == view.head.root else {
      throw LedgerView.damagedTiles("the copy")
    }
    for tile in copy.edge.partialTiles { try write(tile.coordinate.path, tile.bytes) }
    // The log's own word, like its key; whoever pins it compares.
    if let key = try source.read(path: LedgerPath.indexKey, limit: 4096) {
      try write(LedgerPath.indexKey, key)
    }
    let note = view.signedHead.note.encoded
    if try files.read(LedgerPath.treeHead, limit: SignedNote.byteLimit) != note {
      try failpoint(LedgerPath.treeHead)
      try files.replace(LedgerPath.treeHead, with: note)
    }
    return Round(
      from: old?.head.size ?? .zero, to: view.head, fetchedByteCount: copy.fetched,
      repairedBundles: copy.repaired,
      end: try local(view.signedHead).end())
  }

  /// What lies there, as far as it can be gone on from.
  private func begun(
    _ old: SignedTreeHead?, _ view: LedgerView
  ) throws(LedgerError) -> Copy {
    var edge = TileEdge()
    if let old {
      do throws(LedgerError) {
        edge = try TileEdge(reading: local(old))
        if view.head.size > old.head.size, let end = try local(old).end() {
          throw LedgerView.grewAfterEnd(end, view.head)
        }
      } catch {
        // Damage here is mended: from the first entry on.
        guard [.missing, .damagedTile, .damagedBundle, .badBundle].contains(error.code) else {
          throw error
        }
        edge = TileEdge()
      }
    }
    let (lines, isServed) = try lines(of: view)
    return Copy(
      edge: edge, end: view.head.size, waiting: lines[...],
      historyEnd: try historyEnd(isServed ? lines : nil))
  }

  private func local(_ head: SignedTreeHead) -> LedgerView {
    LedgerView(
      source: DirectoryLedgerSource(directory: directory), verifierKey: verifierKey,
      signedHead: head)
  }

  /// A round in the middle of its work.
  private struct Copy {
    var edge: TileEdge
    let end: TreeSize
    /// Published heads that the copy does not cover yet.
    var waiting: ArraySlice<PublishedHead>
    /// The size of the last line of `history`; nil while there is none.
    var historyEnd: TreeSize?
    var fetched = 0
    var repaired: [String] = []

    /// Whether a file of this tile is of no use once the full one is there.
    func isSuperseded(_ tile: TileCoordinate) -> Bool {
      !tile.isFull
        && TileCoordinate(level: tile.level, index: tile.index, in: end)?.isFull ?? false
    }
  }

  /// Takes one bundle: from the folder where it lies there whole and right, else from the log.
  private func add(
    _ bundle: UInt64, _ prover: BundleProver, _ copy: inout Copy, _ view: LedgerView
  ) throws(LedgerError) {
    guard let tile = TileCoordinate(level: 0, index: bundle, in: view.head.size) else { return }
    let present = try files.read(tile.bundlePath, limit: EntryBundle.byteLimit) != nil
    var entries: [LocatedEntry] = []
    var isFetched = false
    if present {
      do throws(LedgerError) {
        entries = try prover.entries(bundle, from: DirectoryLedgerSource(directory: directory))
      } catch {
        guard [.badBundle, .damagedBundle].contains(error.code) else { throw error }
      }
    }
    if entries.isEmpty {
      entries = try prover.entries(bundle)
      isFetched = true
    }
    let bytes = EntryBundle.encode(entries.map(\.bytes))
    if isFetched {
      copy.fetched += bytes.count
      if present {
        // The log's signed tree says what belongs there.
        try files.replace(tile.bundlePath, with: bytes)
        copy.repaired.append(tile.bundlePath)
      } else {
        try write(tile.bundlePath, bytes)
      }
    }
    let voice = LogVoice(verifierKey)
    for (position, entry) in entries.enumerated()
    where copy.edge.frontier.size.value == entry.index.value {
      if entry.index.value + 1 < view.head.size.value,
        let end = voice.end(entry.bytes, at: entry.index)
      {
        throw LedgerView.grewAfterEnd(end, view.head)
      }
      for filled in copy.edge.append(entry.leafHash) {
        try write(filled.coordinate.path, filled.bytes)
      }
      guard let line = copy.waiting.first, line.size == copy.edge.frontier.size else { continue }
      // What this published head needs and no full file has.
      let partial = Array(entries[...position].map(\.bytes))
      if let own = TileCoordinate(level: 0, index: bundle, width: partial.count), !own.isFull,
        !copy.isSuperseded(own)
      {
        try write(own.bundlePath, EntryBundle.encode(partial))
      }
      for tile in copy.edge.partialTiles where !copy.isSuperseded(tile.coordinate) {
        try write(tile.coordinate.path, tile.bytes)
      }
      try publish(&copy, view)
    }
  }

  /// Adds the lines of the size that the copy has reached.
  private func publish(_ copy: inout Copy, _ view: LedgerView) throws(LedgerError) {
    while let line = copy.waiting.first, line.size <= copy.edge.frontier.size {
      copy.waiting.removeFirst()
      guard line.size == copy.edge.frontier.size else { continue }
      let signed = try view.signed(line)
      guard line.root == copy.edge.frontier.root else {
        throw try memory.keep(
          .forked, "the log signed, for \(line.size) entries, a root that is not its tree's",
          signed, view)
      }
      guard copy.historyEnd.map({ line.size > $0 }) ?? true else { continue }
      try failpoint(LedgerPath.history)
      try files.append(LedgerPath.history, line.line)
      copy.historyEnd = line.size
    }
  }

  /// The log's lines up to its head, and the head's own where the log has not written it yet.
  private func lines(
    of view: LedgerView
  ) throws(LedgerError) -> (lines: [PublishedHead], isServed: Bool) {
    var lines: [PublishedHead] = []
    var isServed = true
    do throws(LedgerError) {
      lines = try view.history()
    } catch {
      // Logs of others have no such file.
      guard error.code == .missing else { throw error }
      isServed = false
    }
    if lines.last.map({ $0.size < view.head.size }) ?? true {
      lines.append(try PublishedHead(view.signedHead, by: verifierKey))
    }
    return (lines, isServed)
  }

  /// The size of the last line that was written; a torn one is cut off.
  ///
  /// - Throws: `.historyChanged` when the log no longer has a line that the copy has.
  private func historyEnd(_ lines: [PublishedHead]?) throws(LedgerError) -> TreeSize? {
    let bytes = try files.read(LedgerPath.history, limit: LedgerPath.historyByteLimit) ?? []
    let whole = bytes.lastIndex(of: 10).map { $0 + 1 } ?? 0
    if whole < bytes.count { try files.truncate(LedgerPath.history, to: whole) }
    let own = try PublishedHead.parse(Array(bytes[..<whole]), key: verifierKey)
    if let lines, let newest = lines.last?.size {
      let theirs = Dictionary(lines.map { ($0.size, $0) }) { first, _ in first }
      for line in own where line.size <= newest {
        guard theirs[line.size] == line else { throw LedgerMirror.historyChanged(line.size) }
      }
    }
    return own.last?.size
  }

  static func historyChanged(_ size: TreeSize) -> LedgerError {
    LedgerError(
      .historyChanged, "the log has changed or dropped its line for \(size) entries",
      remedy: "keep the line that was mirrored: it is signed; ask the log's owner",
      path: LedgerPath.history)
  }

  private func write(_ path: String, _ bytes: [UInt8]) throws(LedgerError) {
    guard let present = try files.read(path, limit: EntryBundle.byteLimit) else {
      try failpoint(path)
      return try files.createOnce(path, bytes)
    }
    guard present != bytes else { return }
    // Made from proved entries: what lay there was damaged.
    try failpoint(path)
    try files.replace(path, with: bytes)
  }
}
