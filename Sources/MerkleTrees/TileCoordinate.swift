/// One tile of a tiled log (C2SP tlog-tiles, "Merkle Tree"): up to 256 neighbouring hashes of one
/// tile level. Level l holds the roots of complete subtrees of 256^l leaves.
package struct TileCoordinate: Hashable, Sendable {
  package static let fullWidth = 256
  /// Each tile level is this many tree levels high.
  package static let height = 8
  /// 256^8 leaves pass `TreeSize.limit`, so no tile stands above level 7.
  package static let levelLimit = 8
  /// Above every index of a tree within the limit.
  package static let indexLimit: UInt64 = TreeSize.limit >> 8 + 1

  package let level: Int
  package let index: UInt64
  /// 1...256; below 256 the tile is partial.
  package let width: Int

  /// Nil for a level, an index or a width that no tree within the limit has.
  package init?(level: Int, index: UInt64, width: Int) {
    guard (0..<TileCoordinate.levelLimit).contains(level),
      index <= TreeSize.limit >> UInt64(TileCoordinate.height * (level + 1)),
      (1...TileCoordinate.fullWidth).contains(width)
    else { return nil }
    self.level = level
    self.index = index
    self.width = width
  }

  /// The tile `index` of `level` in a tree of `size` leaves; nil when the tree has none there.
  package init?(level: Int, index: UInt64, in size: TreeSize) {
    guard (0..<TileCoordinate.levelLimit).contains(level), size.isWithinLimit else { return nil }
    let hashCount = size.value >> UInt64(TileCoordinate.height * level)
    let tileCount = (hashCount + 255) >> 8
    guard index < tileCount else { return nil }
    self.init(
      level: level, index: index,
      width: Int(min(UInt64(TileCoordinate.fullWidth), hashCount - index << 8)))
  }

  package var isFull: Bool { width == TileCoordinate.fullWidth }
  package var full: TileCoordinate {
    TileCoordinate(level: level, index: index, width: TileCoordinate.fullWidth) ?? self
  }

  /// `tile/<L>/<N>[.p/<W>]`.
  package var path: String { "tile/\(level)/\(suffix)" }
  /// `tile/entries/<N>[.p/<W>]`: entry bundles have the widths of level-0 tiles.
  package var bundlePath: String { "tile/entries/\(suffix)" }

  private var suffix: String {
    TileCoordinate.indexPath(index) + (isFull ? "" : ".p/\(width)")
  }

  /// Groups of three digits, all but the last with an `x`: 1234067 is `x001/x234/067`.
  package static func indexPath(_ index: UInt64) -> String {
    var rest = index
    var path = group(rest % 1000)
    rest /= 1000
    while rest > 0 {
      path = "x\(group(rest % 1000))/\(path)"
      rest /= 1000
    }
    return path
  }

  private static func group(_ value: UInt64) -> String {
    let digits = String(value)
    return String(repeating: "0", count: 3 - digits.utf8.count) + digits
  }

  /// Every tile of a tree of `size` leaves, level by level.
  package static func all(in size: TreeSize) -> [TileCoordinate] {
    (0..<levelLimit).flatMap { level in
      let hashCount = size.isWithinLimit ? size.value >> UInt64(height * level) : 0
      return (0..<(hashCount + 255) >> 8).compactMap {
        TileCoordinate(level: level, index: $0, in: size)
      }
    }
  }
}
