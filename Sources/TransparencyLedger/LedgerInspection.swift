import Glibc
import MerkleTrees
import ProofPrimitives

/// One thing that is not as it should be in a ledger's folders.
package struct LedgerFinding: Hashable, Sendable {
  package enum Severity: String, Sendable {
    /// What was signed can no longer be shown, or somebody else could sign.
    case damage
    /// What can be made again, or is only in the way.
    case note
  }

  package let severity: Severity
  package let code: String
  package let path: String
  package let message: String
  package let remedy: String
}

/// Checks a ledger's folders against each other, file by file, and goes on after what it finds
/// (`spec/ledger.md` §16).
///
/// Opening the log finishes what a crash left, as every command does; nothing else is changed unless it
/// is asked for.
package struct LedgerInspection {
  /// More of one kind say nothing new.
  static let findingLimit = 50

  package let directory: String
  package private(set) var findings: [LedgerFinding] = []
  /// Entries, tiles and older partial files that were compared.
  package private(set) var entryCount: UInt64 = 0
  package private(set) var tileCount = 0
  package private(set) var partialCount = 0
  package private(set) var prunedCount = 0
  package private(set) var prunedByteCount = 0
  package private(set) var isMirror = false
  private var counts: [String: Int] = [:]
  private let files: DurableFiles

  package init(directory: String) {
    self.directory = directory
    files = DurableFiles(root: directory)
  }

  package var isWhole: Bool { findings.allSatisfy { $0.severity == .note } }

  /// Goes through everything.
  ///
  /// - Parameters:
  ///   - rebuildsIndex: Makes the index again from the bundles, once these are right.
  ///   - prunes: Deletes partial files whose full one is there and right. Only where nothing is damaged.
  /// - Throws: `.inUse` and what keeps it from looking at all.
  package mutating func run(rebuildsIndex: Bool, prunes: Bool) throws(LedgerError) {
    let secretsRoot = LocalLedger.privateDirectory(of: directory)
    isMirror = access(secretsRoot, F_OK) != 0
    var ledger: LocalLedger?
    var view: LedgerView?
    if !isMirror {
      checkModes(secretsRoot)
      do throws(LedgerError) {
        let opened = try LocalLedger.open(at: directory)
        ledger = opened
        view = try opened.signedView()
      } catch {
        guard error.code != .inUse else { throw error }
        add(error, .damage)
      }
    }
    if view == nil {
      let source = DirectoryLedgerSource(directory: directory)
      do throws(LedgerError) {
        view = try LedgerView(source: source, verifierKey: try source.statedVerifierKey())
      } catch {
        add(error, .damage)
      }
    }
    guard let view else { return }
    attempt { _ throws(LedgerError) in try view.auditStatedKey() }
    try checkEntries(view, ledger, rebuildsIndex: rebuildsIndex)
    attempt { inspection throws(LedgerError) in try inspection.checkHistory(view) }
    try checkFiles(view, prunes: prunes && isWhole)
    if prunes, !isWhole {
      add(
        .note, "notPruned", directory, "nothing was deleted, because something is damaged",
        "restore what is damaged, then prune")
    }
  }

  private mutating func add(
    _ severity: LedgerFinding.Severity, _ code: String, _ path: String, _ message: String,
    _ remedy: String
  ) {
    counts[code, default: 0] += 1
    guard counts[code, default: 0] <= LedgerInspection.findingLimit else { return }
    findings.append(
      LedgerFinding(
        severity: severity, code: code, path: path, message: message, remedy: remedy))
  }

  private mutating func add(_ error: LedgerError, _ severity: LedgerFinding.Severity) {
    add(severity, error.code.name, error.path ?? directory, error.message, error.remedy)
  }

  private mutating func attempt(
    _ work: (inout LedgerInspection) throws(LedgerError) -> Void
  ) {
    do throws(LedgerError) { try work(&self) } catch { add(error, .damage) }
  }

  /// Only its owner may read the key.
  private mutating func checkModes(_ root: String) {
    for (path, allowed) in [(root, mode_t(0o700)), ("\(root)/log.pem", mode_t(0o600))] {
      var status = stat()
      guard stat(path, &status) == 0 else { continue }
      let mode = status.st_mode & 0o777
      guard mode & ~allowed != 0 else { continue }
      add(
        .damage, "openToOthers", path, "its mode is \(String(mode, radix: 8))",
        "chmod \(String(allowed, radix: 8)); whoever read the key can sign for this log")
    }
  }

  /// Bundles and tiles against the head, and the index against the bundles.
  private mutating func checkEntries(
    _ view: LedgerView, _ ledger: LocalLedger?, rebuildsIndex: Bool
  ) throws(LedgerError) {
    let prover = BundleProver(view)
    let voice = LogVoice(view.verifierKey)
    var edge: TileEdge? = TileEdge()
    var differs = 0
    var areBundlesRight = true
    for bundle in 0..<(view.head.size.value + 255) >> 8 {
      var leafHashes: [Digest] = []
      do throws(LedgerError) {
        for entry in try prover.entries(bundle) {
          leafHashes.append(entry.leafHash)
          entryCount += 1
          if let ledger, try !ledger.claims.agrees(with: entry) { differs += 1 }
          if let end = voice.end(entry.bytes, at: entry.index),
            end.index.value + 1 < view.head.size.value
          {
            add(LedgerView.grewAfterEnd(end, view.head), .damage)
          }
        }
      } catch {
        add(error, .damage)
        areBundlesRight = false
        // The tile may still say what belongs there.
        leafHashes = (try? provedTile(bundle, view)) ?? []
      }
      if leafHashes.isEmpty { edge = nil }
      for leafHash in leafHashes {
        for tile in edge?.append(leafHash) ?? [] { try compare(tile) }
      }
    }
    for tile in edge?.partialTiles ?? [] { try compare(tile) }
    guard let ledger else { return }
    if rebuildsIndex {
      guard areBundlesRight else {
        add(
          .note, "notRebuilt", directory,
          "the index was not made again, because bundles are damaged",
          "restore the bundles first")
        return
      }
      try ledger.rebuildIndex()
    } else if differs > 0 {
      add(
        .note, "indexDisagrees", "\(LocalLedger.privateDirectory(of: directory))/claims.sqlite",
        "\(differs) entries are not in it as the bundles have them",
        "make it again with `pol ledger fsck --rebuild-index`")
    }
  }

  private func provedTile(_ index: UInt64, _ view: LedgerView) throws(LedgerError) -> [Digest] {
    let nodes = view.nodes()
    guard let tile = TileCoordinate(level: 0, index: index, in: view.head.size) else { return [] }
    _ = try view.inclusionProof(
      index: LeafIndex(index << 8), size: view.head.size, root: view.head.root, nodes)
    var hashes: [Digest] = []
    for position in 0..<UInt64(tile.width) {
      hashes.append(try nodes.node(at: NodePosition(level: 0, index: index << 8 + position)))
    }
    return hashes
  }

  private mutating func compare(_ tile: TileEdge.Tile) throws(LedgerError) {
    tileCount += 1
    let path = tile.coordinate.path
    let stored: [UInt8]?
    do throws(LedgerError) {
      stored = try files.read(path, limit: 1 << 16)
    } catch {
      add(error, .damage)
      return
    }
    guard stored != tile.bytes else { return }
    add(
      .damage, stored == nil ? "missing" : "damagedTile", path,
      stored == nil ? "the tile is not there" : "the tile is not that of the entries",
      "restore it from a copy, or make it again with `pol ledger mirror` from this log's server")
  }

  private mutating func checkHistory(_ view: LedgerView) throws(LedgerError) {
    let nodes = view.nodes()
    for line in try view.history() {
      do throws(LedgerError) {
        _ = try view.check(line, nodes)
      } catch {
        add(error, .damage)
      }
    }
  }

  /// Every file in the public folder: what it is, and partial ones against their full one.
  private mutating func checkFiles(_ view: LedgerView, prunes: Bool) throws(LedgerError) {
    let isSafe = prunes
    let own = Set([
      LedgerPath.treeHead, LedgerPath.history, LedgerPath.verifierKey, LedgerPath.indexKey,
    ])
    try FolderWalk.walk(directory) { name, found throws(LedgerError) in
      guard case .file(let byteCount, _) = found else {
        add(
          .damage, "notRegularFile", name, "it is no regular file, and is not served",
          "remove it, after finding out who put it there")
        return .keep
      }
      if own.contains(name) || name == TimePath.index || TimePath(path: name) != nil {
        return .keep
      }
      if name.hasSuffix(".tmp") {
        add(.note, "leftover", name, "a file that a crash left half-written", "remove it")
        return .keep
      }
      guard let path = TilePath(name) else {
        add(.note, "unknownFile", name, "nothing of a ledger has this name", "remove it")
        return .keep
      }
      guard !path.tile.isFull else {
        if path.full(in: view.head.size) == nil {
          add(.note, "beyondHead", name, "no signed head covers it", "leave it: the log writes it")
        }
        return .keep
      }
      return try checkPartial(path, name, byteCount, view, prunes: isSafe)
    }
  }

  private mutating func checkPartial(
    _ path: TilePath, _ name: String, _ byteCount: Int, _ view: LedgerView, prunes: Bool
  ) throws(LedgerError) -> FolderWalk.Action {
    guard let now = path.full(in: view.head.size), now.width >= path.tile.width else {
      add(.note, "beyondHead", name, "no signed head covers it", "leave it: the log writes it")
      return .keep
    }
    guard now != path.tile else { return .keep }
    let later = path.isBundle ? now.bundlePath : now.path
    // What is damaged itself cannot speak against another.
    guard !findings.contains(where: { $0.path.hasSuffix(later) }) else { return .keep }
    partialCount += 1
    let limit = EntryBundle.byteLimit
    do throws(LedgerError) {
      let bytes = try files.read(name, limit: limit) ?? []
      let whole = try files.read(later, limit: limit) ?? []
      // A bundle's beginning is a bundle of its first entries, and a tile's of its first hashes.
      let isRight =
        path.isBundle
        ? whole.starts(with: bytes)
          && (try? EntryBundle.decode(bytes, count: path.tile.width, path: name)) != nil
        : whole.starts(with: bytes) && bytes.count == path.tile.width * Digest.byteCount
      guard isRight else {
        add(
          .damage, path.isBundle ? "damagedBundle" : "damagedTile", name,
          "an older file is not the beginning of the one that followed",
          "delete it where the full one is there; else restore it")
        return .keep
      }
    } catch {
      add(error, .damage)
      return .keep
    }
    guard prunes, now.isFull else { return .keep }
    prunedCount += 1
    prunedByteCount += byteCount
    return .remove
  }
}

/// A tile's or a bundle's file name, in the one spelling that it has.
struct TilePath {
  let tile: TileCoordinate
  let isBundle: Bool

  init?(_ name: String) {
    var parts = name.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard parts.count >= 3, parts[0] == "tile" else { return nil }
    isBundle = parts[1] == "entries"
    guard let level = isBundle ? 0 : Int(parts[1]) else { return nil }
    var width = TileCoordinate.fullWidth
    if parts[parts.count - 2].hasSuffix(".p") {
      guard let partial = Int(parts.removeLast()), partial < width else { return nil }
      width = partial
      parts[parts.count - 1].removeLast(2)
    }
    var index: UInt64 = 0
    for part in parts.dropFirst(2) {
      guard let group = UInt64(part.drop { $0 == "x" }), group < 1000, index < 1 << 52 else {
        return nil
      }
      index = index * 1000 + group
    }
    guard let tile = TileCoordinate(level: level, index: index, width: width),
      (isBundle ? tile.bundlePath : tile.path) == name
    else { return nil }
    self.tile = tile
  }

  /// What a tree of `size` has at this place.
  func full(in size: TreeSize) -> TileCoordinate? {
    TileCoordinate(level: tile.level, index: tile.index, in: size)
  }
}
