import Glibc
import MerkleTrees

/// What a ledger in a folder takes up, and what the times of its files say.
package struct LedgerDisk: Sendable {
  package private(set) var fileCount = 0
  package private(set) var bundleByteCount = 0
  package private(set) var tileByteCount = 0
  /// Files beside the tiles: heads, history, key.
  package private(set) var otherByteCount = 0
  /// Files of the private folder, by name; none for a mirror.
  package private(set) var privateByteCounts: [(name: String, byteCount: Int)] = []
  /// Seconds since 1970; nil where the file is not there. The disk's word, which nobody signs.
  package private(set) var createdAt: Int64?
  package private(set) var headAt: Int64?
  /// Full bundles that were written since a day before the head, and the time over which.
  package private(set) var lastDayBundleCount = 0

  package init(directory: String) throws(LedgerError) {
    var bundleTimes: [Int64] = []
    try FolderWalk.walk(directory) { name, found throws(LedgerError) in
      guard case .file(let byteCount, let time) = found else { return .keep }
      fileCount += 1
      if name == LedgerPath.verifierKey { createdAt = time }
      if name == LedgerPath.treeHead { headAt = time }
      if let path = TilePath(name) {
        if path.isBundle {
          bundleByteCount += byteCount
          if path.tile.isFull { bundleTimes.append(time) }
        } else {
          tileByteCount += byteCount
        }
      } else {
        otherByteCount += byteCount
      }
      return .keep
    }
    if let headAt { lastDayBundleCount = bundleTimes.count { $0 > headAt - 86_400 } }
    try FolderWalk.walk(LocalLedger.privateDirectory(of: directory)) {
      name, found throws(LedgerError) in
      if case .file(let byteCount, _) = found { privateByteCounts.append((name, byteCount)) }
      return .keep
    }
  }
}
