import Cryptography
import Glibc
import MerkleTrees
import ProofPrimitives

extension LedgerView {
  /// Makes the claim map again from the entries and compares it with every index root in the log
  /// (`spec/claim-map.md` §6).
  ///
  /// Goes through the log once, from root to root; what it needs of claims stands in a scratch file of about
  /// 60 bytes a claim, and in memory no more than a service does.
  ///
  /// - Returns: How many roots there are. A log that states no index key has none.
  /// - Throws: `.indexDisagrees` for a root that is not that of the entries, `.badKey` where the stated key is
  ///   not that of the newest root.
  func auditIndexRoots() throws(LedgerError) -> Int {
    guard try source.read(path: LedgerPath.indexKey, limit: 4096) != nil else { return 0 }
    let key = try source.statedIndexKey()
    let scratch = try ScratchDirectory()
    defer { scratch.remove() }
    let store = try ClaimStore(path: "\(scratch.path)/claims.sqlite")
    // A bucket for each entry, as far as memory allows.
    let depth = min(StoredClaimMap.depth, 64 - head.size.value.leadingZeroBitCount)
    var tree = ClaimMapTree(depth: depth)
    store.trackChanges(depth: tree.depth)
    var rootCount = 0
    var lastKey: VerifyingKey?
    var start: UInt64 = 0
    while start < head.size.value {
      let end = min(head.size.value, (start | 255) + 1 + 3 * 256)
      let entries = try entries(start..<end)
      for (entry, prepared) in zip(entries, try PreparedEntry.all(entries.map(\.bytes))) {
        if let signed = prepared.parsed.signed, case .indexRoot(let statement) = signed.statement {
          lastKey = signed.key
          if signed.key == key {
            try check(statement, at: entry.index, store, &tree)
            rootCount += 1
          }
        }
        store.add([ClaimStore.Item(prepared)])
      }
      start = end
    }
    // A log takes roots by its own index key alone; a key that it lost may stand before.
    guard lastKey.map({ $0 == key }) ?? true else {
      throw LedgerError(
        .badKey, "the newest index root is by another key than the one that the ledger states",
        remedy: "restore the file", path: LedgerPath.indexKey)
    }
    return rootCount
  }

  private func check(
    _ root: IndexRootStatement, at index: LeafIndex, _ store: ClaimStore,
    _ tree: inout ClaimMapTree
  ) throws(LedgerError) {
    func wrong(_ reason: String) -> LedgerError {
      LedgerError(
        .indexDisagrees, "the index root at entry \(index) \(reason)",
        remedy: "keep the entry: it proves that the log's map is not that of its entries")
    }
    guard root.logOrigin.utf8.elementsEqual(head.origin.utf8) else {
      throw wrong("is of another log")
    }
    guard root.treeSize <= index.value, root.treeSize >= store.tableSize else {
      throw wrong("is of \(root.treeSize) entries, which is not between the one before and itself")
    }
    while store.tableSize < root.treeSize {
      let limit = min(UInt64(ClaimStore.transactionLimit), root.treeSize - store.tableSize)
      try store.index(
        atMost: Int(limit), origin: head.origin,
        reading: { index throws(LedgerError) in try entry(index) })
    }
    let (size, buckets) = store.takeChanges()
    let change = try store.change(of: tree, in: buckets, below: size)
    guard change.root == root.mapRoot else {
      throw wrong("is not that of the first \(root.treeSize) entries")
    }
    tree.apply(change)
  }
}

/// A folder for one piece of work.
private struct ScratchDirectory {
  let path: String

  init() throws(LedgerError) {
    let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var template = Array("\(base)/pol-audit-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw LedgerError(
        .inputOutput, "no scratch folder could be made", remedy: "set TMPDIR to a folder with room",
        path: base)
    }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  func remove() {
    for suffix in ["", "-wal", "-shm"] { unlink("\(path)/claims.sqlite\(suffix)") }
    rmdir(path)
  }
}
