import MerkleTrees
import NIOPosix
import ProofPrimitives
import Synchronization
import TransparencyLedger

/// Where pages find entries: the log's own index, or what was read of the entries so far.
///
/// It only names places. What is shown is read from the bundles and checked against the tree head; that
/// nothing is left out nobody checks here, and pages say so.
struct ExplorerIndex {
  private enum Source {
    case store(ClaimStore)
    case memory(ScannedClaims.Snapshot)
  }

  private let source: Source
  private let size: TreeSize

  init(_ store: ClaimStore, size: TreeSize) {
    source = .store(store)
    self.size = size
  }

  init(_ scanned: ScannedClaims.Snapshot, size: TreeSize) {
    source = .memory(scanned)
    self.size = size
  }

  /// How many entries answers cover.
  var covered: UInt64 {
    switch source {
    case .store(let store): min(size.value, store.size)
    case .memory(let claims): min(size.value, claims.covered)
    }
  }

  func indices(
    _ claims: Set<Claim>, from first: LeafIndex = LeafIndex(0), limit: Int
  ) throws(LedgerError) -> [LeafIndex] {
    switch source {
    case .store(let store):
      return try store.indices(claims, from: first, below: size, limit: limit)
    case .memory(let known):
      var found: Set<LeafIndex> = []
      for claim in claims {
        let places = (known.places[claim] ?? []).lazy.filter {
          $0 >= first && $0.value < size.value
        }
        found.formUnion(places.prefix(limit))
      }
      return Array(found.sorted().prefix(limit))
    }
  }
}

/// The claims of a log's first entries, read from the bundles: for a service without the private folder.
///
/// Read in steps beside the pages, up to a limit of memory; pages name the part that it covers.
final class ScannedClaims: Sendable {
  struct Snapshot: Sendable {
    var covered: UInt64 = 0
    /// Rising.
    var places: [Claim: [LeafIndex]] = [:]
    fileprivate var count = 0
    fileprivate var isReading = false
  }

  private let state = Mutex(Snapshot())
  private let limit: Int

  init(limit: Int = ExplorerLimits.scannedClaims) { self.limit = limit }

  var snapshot: Snapshot { state.withLock { $0 } }

  /// Reads on from where it stopped, by one step.
  ///
  /// - Returns: Whether there is more to read.
  func readOn(_ view: LedgerView) -> Bool {
    let start: UInt64? = state.withLock { state in
      guard !state.isReading, state.covered < view.head.size.value, state.count < limit else {
        return nil
      }
      state.isReading = true
      return state.covered
    }
    guard let start else { return false }
    let end = min(start + ExplorerLimits.scanStep, view.head.size.value)
    let entries = (try? view.entries(start..<end)) ?? []
    let claims = entries.map { entry in
      (entry.index, LedgerEntry.parse(entry.bytes).claims(leafHash: entry.leafHash))
    }
    return state.withLock { state in
      state.isReading = false
      // What could not be read is tried again with the next page.
      for (index, claims) in claims where index.value == state.covered {
        guard state.count + claims.count <= limit else {
          state.count = limit
          return false
        }
        for claim in claims { state.places[claim, default: []].append(index) }
        state.count += claims.count
        state.covered += 1
      }
      return !entries.isEmpty && state.covered < view.head.size.value
    }
  }
}
