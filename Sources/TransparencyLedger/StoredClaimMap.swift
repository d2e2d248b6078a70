package import MerkleTrees
package import ProofPrimitives
import Synchronization

/// The claim map of a log as its service keeps it: upper levels in memory, buckets in the tables of `ClaimStore`
/// (`spec/claim-map.md`).
///
/// It stands at the size of the newest index-root entry, and goes to the next when that one is published. What
/// the tables hold of later entries is left out by their index, so proofs of the old size stay right meanwhile.
///
/// One caller at a time builds, prepares and commits; any number ask.
package final class StoredClaimMap: Sendable {
  /// 2^20 buckets: 20 keys in each at 20 million.
  package static let depth = 20

  private struct State: Sendable {
    var tree: ClaimMapTree
    var size: UInt64
    /// The entry with this map's root; nil while there is none.
    var rootIndex: LeafIndex?
  }

  /// The next map, which is not yet the one that answers.
  package struct Update: Sendable {
    package let size: UInt64
    fileprivate let change: ClaimMapTree.Change
    fileprivate let buckets: Set<Int>

    package var root: Digest { change.root }
  }

  private let store: ClaimStore
  private let depth: Int
  private let state = Mutex<State?>(nil)

  package init(_ store: ClaimStore, depth: Int = StoredClaimMap.depth) {
    self.store = store
    self.depth = depth
  }

  /// Entries that the map is of; nil until it is built.
  package var size: UInt64? { state.withLock { $0?.size } }

  /// Entries below the newest root that answers; 0 while there is none. Nil until the map is built.
  package var rootedSize: UInt64? {
    state.withLock { state in state.map { $0.rootIndex == nil ? 0 : $0.size } }
  }

  /// Makes the map of the first `size` entries from the tables, reading all of them once: about two
  /// microseconds a claim.
  ///
  /// - Parameter root: Where an entry with this map's root stands, and what it says.
  /// - Throws: `.indexDisagrees` when the tables give another root.
  package func build(
    size: UInt64, root: (index: LeafIndex, hash: Digest)? = nil
  ) throws(LedgerError) {
    store.trackChanges(depth: depth)
    var tree = ClaimMapTree(depth: depth)
    let step = max(1, (1 << depth) >> 8)
    for first in stride(from: 0, to: 1 << depth, by: step) {
      let (entries, later) = try store.mapEntries(
        buckets: first..<first + step, depth: depth, below: size)
      store.noteChanges(later)
      let buckets = entries.keys.sorted()
      tree.apply(tree.change(buckets) { entries[$0] ?? [] })
    }
    if let root, tree.root != root.hash {
      throw LedgerError(
        .indexDisagrees, "the index gives another map than the one signed at entry \(root.index)",
        remedy: "make the index again from the bundles", path: store.path)
    }
    let built = State(tree: tree, size: size, rootIndex: root?.index)
    state.withLock { $0 = built }
  }

  /// The map of all entries that the tables now hold.
  package func prepare() throws(LedgerError) -> Update {
    // A reference, not a copy; it is gone again before the tree changes.
    guard let tree = state.withLock({ $0?.tree }) else {
      throw LedgerError(.missing, "the claim map is not built yet", remedy: "wait for it")
    }
    let (size, buckets) = store.takeChanges()
    do throws(LedgerError) {
      let change = try store.change(of: tree, in: buckets, below: size)
      return Update(size: size, change: change, buckets: buckets)
    } catch {
      store.noteChanges(buckets)
      throw error
    }
  }

  /// From now on answers are of the next map, whose root stands at `rootIndex`.
  package func commit(_ update: Update, rootIndex: LeafIndex) {
    state.withLock { state in
      state?.tree.apply(update.change)
      state?.size = update.size
      state?.rootIndex = rootIndex
    }
  }

  /// The root did not get into the log.
  package func abandon(_ update: Update) { store.noteChanges(update.buckets) }

  /// What the map says of a claim, and the entry with its root; nil while there is none.
  package func answer(
    for claim: Claim
  ) throws(LedgerError) -> (proof: ClaimMapProof, rootIndex: LeafIndex)? {
    let key = ClaimKey.of(claim)
    return try state.withLock {
      state throws(LedgerError) -> (proof: ClaimMapProof, rootIndex: LeafIndex)? in
      guard let state, let rootIndex = state.rootIndex else { return nil }
      let proof = try state.tree.proof(for: key) { key, depth throws(LedgerError) in
        try store.tables.read { reader in
          try ClaimStore.mapEntries(reader, under: key, depth: depth, below: state.size)
        }
      }
      return (proof, rootIndex)
    }
  }
}

/// The table of claims in the order of their keys.
extension ClaimStore {
  /// From now on `takeChanges` tells which buckets entries have come into.
  func trackChanges(depth: Int) {
    changes.withLock { changes in
      if changes?.depth != depth { changes = Changes(depth: depth) }
    }
  }

  func noteChanges(_ buckets: Set<Int>) {
    changes.withLock { $0?.buckets.formUnion(buckets) }
  }

  /// Buckets that changed since the last call, and the size up to which the tables then reached.
  func takeChanges() -> (size: UInt64, buckets: Set<Int>) {
    indexing.withLock { _ in
      let size = tableSize
      let buckets = changes.withLock { changes in
        let buckets = changes?.buckets ?? []
        changes?.buckets = []
        return buckets
      }
      return (size, buckets)
    }
  }

  /// What the tree becomes when these buckets hold their claims of entries below `size`.
  func change(
    of tree: ClaimMapTree, in buckets: Set<Int>, below size: UInt64
  ) throws(LedgerError) -> ClaimMapTree.Change {
    try tables.read { reader in
      try tree.change(buckets.sorted()) { bucket in
        let key = ClaimStore.first(of: bucket, depth: tree.depth)
        return try ClaimStore.mapEntries(reader, under: key, depth: tree.depth, below: size)
      }
    }
  }

  /// The map's entries whose keys begin with the first `depth` bits of `key`, of entries below `size`.
  static func mapEntries(
    _ reader: ClaimRunReader, under key: Digest, depth: Int, below size: UInt64
  ) throws -> [ClaimMap.Entry] {
    let (low, high) = bounds(key, depth)
    var entries: [ClaimMap.Entry] = []
    for row in try reader.rows(.claim, from: low, through: high) where row.index < size {
      add(row, to: &entries)
    }
    return entries
  }

  /// The map's entries of these buckets, and those of them that have claims of entries from `size` on.
  func mapEntries(
    buckets: Range<Int>, depth: Int, below size: UInt64
  ) throws(LedgerError) -> (entries: [Int: [ClaimMap.Entry]], later: Set<Int>) {
    let low = ClaimStore.first(of: buckets.lowerBound, depth: depth)
    let last = ClaimStore.first(of: buckets.upperBound - 1, depth: depth)
    let rows = try tables.read { reader in
      try reader.rows(.claim, from: low, through: ClaimStore.bounds(last, depth).high)
    }
    var entries: [Int: [ClaimMap.Entry]] = [:]
    var later = Set<Int>()
    for row in rows {
      let bucket = ClaimMapTree.bucket(of: row.key, depth: depth)
      if row.index < size {
        ClaimStore.add(row, to: &entries[bucket, default: []])
      } else {
        later.insert(bucket)
      }
    }
    return (entries, later)
  }

  /// Rows come by key, then by index: the first row of a key has its first index.
  private static func add(_ row: ClaimRow, to entries: inout [ClaimMap.Entry]) {
    guard let last = entries.last, last.key == row.key else {
      entries.append(
        .init(
          key: row.key,
          value: ClaimMapValue(openedIndex: row.index, committedIndex: row.committed)))
      return
    }
    guard let committed = row.committed, committed < last.value.committedIndex ?? .max else {
      return
    }
    entries[entries.count - 1] = .init(
      key: row.key,
      value: ClaimMapValue(openedIndex: last.value.openedIndex, committedIndex: committed))
  }

  /// The smallest key of a bucket.
  private static func first(of bucket: Int, depth: Int) -> Digest {
    // At depth 0 the shift is the width, which gives 0.
    Digest(words: (UInt64(bucket) << UInt64(64 - depth), 0, 0, 0))
  }

  /// The smallest and the largest key that begin with the first `depth` bits of `key`.
  private static func bounds(_ key: Digest, _ depth: Int) -> (low: Digest, high: Digest) {
    func mask(_ word: UInt64, _ place: Int) -> (UInt64, UInt64) {
      let rest = UInt64.max >> UInt64(min(64, max(0, depth - place * 64)))
      return (word & ~rest, word | rest)
    }
    let (w0, w1, w2, w3) = key.words
    let words = (mask(w0, 0), mask(w1, 1), mask(w2, 2), mask(w3, 3))
    return (
      Digest(words: (words.0.0, words.1.0, words.2.0, words.3.0)),
      Digest(words: (words.0.1, words.1.1, words.2.1, words.3.1))
    )
  }
}
