import MerkleTrees
import ProofPrimitives
import TransparencyLedger

/// What a request's path names (`spec/ledger-service.md` §3). Compared as bytes: nothing is decoded,
/// so there is no second spelling and no way out of the folder.
enum ServicePath: Equatable {
  case treeHead, history, verifierKey, indexKey
  case tile(TileCoordinate)
  case bundle(TileCoordinate)
  case lookup(Claim, from: UInt64)
  case timeIndex
  case timeFile(TimePath)
  case add, health, metrics, openAPI

  /// Nil for whatever is not served.
  init?(target: String) {
    guard target.utf8.count <= ServiceLimits.pathByteCount, target.utf8.first == UInt8(ascii: "/")
    else { return nil }
    let path = target.utf8.dropFirst().prefix { $0 != UInt8(ascii: "?") }
    switch String(Substring(path)) {
    case "checkpoint": self = .treeHead
    case "history": self = .history
    case "vkey": self = .verifierKey
    case "index-key": self = .indexKey
    case TimePath.index: self = .timeIndex
    case "add": self = .add
    case "healthz": self = .health
    case "metrics": self = .metrics
    case "openapi.yaml": self = .openAPI
    case let text:
      let file = TimePath(path: text).map { ServicePath.timeFile($0) }
      guard let path = file ?? ServicePath.tile(text) ?? ServicePath.lookup(text) else {
        return nil
      }
      self = path
    }
  }

  /// Reads a tile's path leniently, then asks whether it is the one spelling of what was read.
  private static func tile(_ path: String) -> ServicePath? {
    let parts = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    guard parts.count >= 3, String(Substring(parts[0])) == "tile" else { return nil }
    let kind = String(Substring(parts[1]))
    let level = kind == "entries" ? 0 : Int(kind)
    guard let level, level < TileCoordinate.levelLimit else { return nil }
    var groups = parts.dropFirst(2).map { String(Substring($0)) }
    var width = TileCoordinate.fullWidth
    if groups.count >= 2, groups[groups.count - 2].hasSuffix(".p") {
      guard let partial = Int(groups.removeLast()), partial < width else { return nil }
      width = partial
      groups[groups.count - 1].removeLast(2)
    }
    var index: UInt64 = 0
    for group in groups {
      guard let value = UInt64(group.hasPrefix("x") ? String(group.dropFirst()) : group),
        value < 1000, index < TileCoordinate.indexLimit
      else { return nil }
      index = index * 1000 + value
    }
    guard let tile = TileCoordinate(level: level, index: index, width: width) else { return nil }
    if kind == "entries" { return tile.bundlePath == path ? .bundle(tile) : nil }
    return tile.path == path ? .tile(tile) : nil
  }

  /// `lookup/<place>/<digest>`, and `/<index>` without leading zeros where it is not the first page.
  private static func lookup(_ path: String) -> ServicePath? {
    let parts = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
      .map { String(Substring($0)) }
    guard (3...4).contains(parts.count), parts[0] == "lookup",
      let kind = ClaimKind(rawValue: parts[1]), let digest = Digest(hex: parts[2])
    else { return nil }
    var start: UInt64 = 0
    if parts.count == 4 {
      guard let index = UInt64(parts[3]), String(index) == parts[3], index < TreeSize.limit else {
        return nil
      }
      start = index
    }
    return .lookup(Claim(kind, digest), from: start)
  }

  /// Where it lies in the public folder; nil for what is no file.
  var fileName: String? {
    switch self {
    case .treeHead: "checkpoint"
    case .history: "history"
    case .verifierKey: "vkey"
    case .indexKey: "index-key"
    case .tile(let tile): tile.path
    case .bundle(let tile): tile.bundlePath
    case .timeIndex: TimePath.index
    case .timeFile(let file): file.path
    case .lookup, .add, .health, .metrics, .openAPI: nil
    }
  }

  var isImmutable: Bool {
    switch self {
    case .tile, .bundle, .timeFile: true
    default: false
    }
  }
}
