import ChunkStorage
package import Cryptography
package import MerkleTrees
package import ProofPrimitives

/// What a monitor tells (`spec/ledger.md` §15).
package struct MonitorAlert: Hashable, Sendable {
  package enum Kind: String, CaseIterable, Sendable {
    // The log broke its word.
    case rolledBack, forked, historyChanged, grewAfterEnd
    // Somebody did what the watcher asked to be told of.
    case keyUsed, claimedByOther, keyWithdrawn, withdrawnKeyUsed
    // What there is to know.
    case ended, staleHead

    package var severity: Severity {
      switch self {
      case .rolledBack, .forked, .historyChanged, .grewAfterEnd: .broken
      case .keyUsed, .claimedByOther, .keyWithdrawn, .withdrawnKeyUsed: .watched
      case .ended, .staleHead: .notice
      }
    }
  }

  package enum Severity: Int, Comparable, Sendable {
    case notice, watched, broken

    package static func < (left: Severity, right: Severity) -> Bool {
      left.rawValue < right.rawValue
    }
  }

  package let kind: Kind
  /// One line for people.
  package let text: String
  /// What makes two alerts of a kind the same one.
  package let subject: String
  package var index: LeafIndex?
  package var key: VerifyingKey?
  package var claim: Claim?
  /// Where evidence was kept.
  package var path: String?
}

/// What a monitor is asked to look out for.
package struct MonitorWatch: Sendable {
  /// 32 raw Ed25519 bytes each, or the ID that envelopes name a key by.
  package var keys: Set<Digest> = []
  package var claims: Set<Claim> = []
  /// In whatever place.
  package var digests: Set<Digest> = []
  /// Leaf hashes of entries that the watcher made himself.
  package var known: Set<Digest> = []
  /// 0: never.
  package var staleAfterSeconds: UInt64 = 0

  package init() {}
}

/// Follows a log that somebody else serves: all heads that were ever seen go together, every entry is
/// read and proved, and what was asked for is told once.
///
/// Memory holds one bundle. What was done and what is to be told stand in `monitor.sqlite`, changed together,
/// so that a monitor that was killed neither forgets nor repeats an entry.
package final class LedgerMonitor {
  package struct Round: Sendable {
    package let head: TreeHead
    package let from: UInt64
    package let readCount: UInt64
    /// The worst of what holds now, told before or not; nil when all is well.
    package let worst: MonitorAlert.Severity?
    package let end: LeafIndex?
  }

  private let verifierKey: NoteVerifierKey
  private let policy: LedgerPolicy?
  private let watch: MonitorWatch
  private let database: MonitorDatabase
  private let memory: HeadMemory
  private let lock: HeldLock
  private var worst: MonitorAlert.Severity?

  package init(
    state directory: String, verifierKey: NoteVerifierKey, policy: LedgerPolicy?,
    watch: MonitorWatch
  ) throws(LedgerError) {
    let files = DurableFiles(root: directory)
    try files.makeRoot(mode: 0o700)
    do throws(LedgerError) {
      lock = try files.lock("lock")
    } catch {
      guard error.code == .inUse else { throw error }
      throw LedgerError(
        .inUse, "another monitor uses this state",
        remedy: "give each monitor a folder of its own", path: directory)
    }
    _ = try files.isRegularOrMissing("monitor.sqlite")
    database = try MonitorDatabase(
      path: files.place("monitor.sqlite"), verifierKey: verifierKey.description)
    memory = HeadMemory(directory: files.place("heads"))
    self.verifierKey = verifierKey
    self.policy = policy
    self.watch = watch
  }

  /// Reads what is new. Alerts go to the database; `waiting` has those that nobody was told of.
  ///
  /// - Parameter now: Seconds since 1970.
  /// - Throws: What could not be decided: nothing was served, or it was damaged.
  package func round(
    _ source: any LedgerSource, now: UInt64
  ) throws(LedgerError) -> Round {
    worst = nil
    var state = try database.state()
    let from = state.readCount
    do throws(LedgerError) {
      let view = try LedgerView(source: source, verifierKey: verifierKey, policy: policy)
      if try memory.lastHead(of: verifierKey)?.head != view.head { state.headSince = now }
      try memory.check(view)
      // The memory has the head from here on, whatever comes.
      try database.store(state, [])
      try checkStale(&state, view.head, now)
      try read(view, &state)
      try checkHistory(view, &state)
      try database.store(state, [])
      return Round(
        head: view.head, from: from, readCount: state.readCount - from, worst: worst,
        end: state.endIndex)
    } catch {
      let kind: MonitorAlert.Kind
      switch error.code {
      case .rolledBack: kind = .rolledBack
      case .forked: kind = .forked
      default: throw error
      }
      let last = try memory.lastHead(of: verifierKey)?.head
      try tell(
        MonitorAlert(
          kind: kind, text: error.message, subject: error.path ?? error.message, path: error.path),
        &state)
      return Round(
        head: last ?? TreeHead(origin: verifierKey.name, size: .zero, root: MerkleTree.emptyRoot),
        from: from, readCount: 0, worst: worst, end: state.endIndex)
    }
  }

  /// Notices that no head could be had for long, when a round failed.
  package func noteFailure(now: UInt64) throws(LedgerError) {
    guard let head = try memory.lastHead(of: verifierKey)?.head else { return }
    var state = try database.state()
    try checkStale(&state, head, now)
  }

  /// Alerts that were not yet delivered, oldest first, at most `limit`.
  package func waiting(limit: Int = 100) throws(LedgerError) -> [(id: Int64, alert: MonitorAlert)] {
    try database.waiting(limit: limit)
  }

  package func delivered(_ id: Int64) throws(LedgerError) { try database.delivered(id) }

  private func tell(
    _ alert: MonitorAlert, _ state: inout MonitorDatabase.State
  ) throws(LedgerError) {
    worst = max(worst ?? .notice, alert.kind.severity)
    try database.store(state, [alert])
  }

  private func checkStale(
    _ state: inout MonitorDatabase.State, _ head: TreeHead, _ now: UInt64
  ) throws(LedgerError) {
    guard watch.staleAfterSeconds > 0, state.endIndex == nil, now >= state.headSince,
      now - state.headSince > watch.staleAfterSeconds
    else { return }
    try tell(
      MonitorAlert(
        kind: .staleHead,
        text: "no new tree head for \(now - state.headSince) s; the last has \(head.size) entries",
        subject: "\(head.size)"), &state)
  }

  private func read(
    _ view: LedgerView, _ state: inout MonitorDatabase.State
  ) throws(LedgerError) {
    if let end = state.endIndex, view.head.size.value > end.value + 1 {
      try tell(grewAfterEnd(end, view.head), &state)
    }
    let prover = BundleProver(view)
    let voice = LogVoice(verifierKey)
    while state.readCount < view.head.size.value {
      var alerts: [MonitorAlert] = []
      var withdrawn: [(Digest, LeafIndex)] = []
      for entry in try prover.entries(state.readCount >> 8)
      where entry.index.value >= state.readCount {
        if let end = voice.end(entry.bytes, at: entry.index), state.endIndex == nil {
          state.endIndex = end.index
          if end.index.value + 1 < view.head.size.value {
            alerts.append(grewAfterEnd(end.index, view.head))
          } else {
            alerts.append(ended(end))
          }
        }
        alerts += try look(at: entry, &withdrawn)
        state.readCount = entry.index.value + 1
      }
      for alert in alerts { worst = max(worst ?? .notice, alert.kind.severity) }
      try database.store(state, alerts, withdrawn: withdrawn)
    }
  }

  private func ended(_ end: LogEnd) -> MonitorAlert {
    MonitorAlert(
      kind: .ended,
      text: "the log ended with entry \(end.index)"
        + (end.statement.successor.isEmpty
          ? "" : "; it goes on as \(printable(end.statement.successor))"),
      subject: "\(end.index)", index: end.index)
  }

  private func grewAfterEnd(_ index: LeafIndex, _ head: TreeHead) -> MonitorAlert {
    MonitorAlert(
      kind: .grewAfterEnd,
      text: "the log ended with entry \(index), and has \(head.size) entries",
      subject: "\(index)", index: index)
  }

  /// What one entry is to the watcher.
  private func look(
    at entry: LocatedEntry, _ withdrawn: inout [(Digest, LeafIndex)]
  ) throws(LedgerError) -> [MonitorAlert] {
    let parsed = LedgerEntry.parse(entry.bytes)
    guard let signed = parsed.signed, let key = Digest(signed.key.rawBytes) else { return [] }
    let kind = printable(signed.statement.kind)
    var alerts: [MonitorAlert] = []
    func alert(_ alertKind: MonitorAlert.Kind, _ text: String, _ claim: Claim? = nil) {
      alerts.append(
        MonitorAlert(
          kind: alertKind, text: "entry \(entry.index): \(text)",
          subject: "\(entry.index) \(claim.map { "\($0.kind.rawValue) \($0.digest.hex)" } ?? "")",
          index: entry.index, key: signed.key, claim: claim))
    }
    let isMine = watch.keys.contains(key) || watch.keys.contains(signed.key.keyID)
    let isWithdrawn = withdrawn.contains { $0.0 == key }
    if try isWithdrawn ? true : database.isWithdrawn(key) {
      alert(.withdrawnKeyUsed, "a \(kind) under the withdrawn key \(signed.key.keyID.short)…")
    }
    if case .withdrawal = signed.statement {
      withdrawn.append((key, entry.index))
      if isMine { alert(.keyWithdrawn, "your key \(signed.key.keyID.short)… was withdrawn") }
    } else if isMine, !watch.known.contains(entry.leafHash) {
      alert(.keyUsed, "your key \(signed.key.keyID.short)… signed a \(kind)")
    }
    guard !isMine else { return alerts }
    for claim in parsed.claims(leafHash: entry.leafHash)
    where watch.claims.contains(claim) || watch.digests.contains(claim.digest) {
      alert(
        .claimedByOther,
        "a \(kind) by \(signed.key.keyID.short)… has your \(claim.kind.rawValue) "
          + "\(claim.digest.short)…", claim)
    }
    return alerts
  }

  /// The lines of heads published since: each must be of this tree, and none that was there may go.
  private func checkHistory(
    _ view: LedgerView, _ state: inout MonitorDatabase.State
  ) throws(LedgerError) {
    let limit = LedgerPath.historyByteLimit
    guard let bytes = try view.source.read(path: LedgerPath.history, limit: limit) else { return }
    let whole = bytes.lastIndex(of: 10).map { $0 + 1 } ?? 0
    guard whole >= state.historyByteCount,
      SHA256.hash(Array(bytes[..<state.historyByteCount])) == state.historyDigest
    else {
      try tell(
        MonitorAlert(
          kind: .historyChanged,
          text: "the log has changed or dropped lines of history that were there before",
          subject: "\(state.historyByteCount)"), &state)
      return
    }
    let new = try PublishedHead.parse(
      Array(bytes[state.historyByteCount..<whole]), key: verifierKey)
    let nodes = view.nodes()
    var byteCount = state.historyByteCount
    for line in new where line.size <= view.head.size {
      do throws(LedgerError) {
        _ = try view.check(line, nodes)
      } catch {
        guard error.code == .forked else { throw error }
        throw try memory.keep(.forked, error.message, try view.signed(line), view)
      }
      byteCount += line.line.count
    }
    state.historyByteCount = byteCount
    state.historyDigest = SHA256.hash(Array(bytes[..<byteCount]))
  }
}
