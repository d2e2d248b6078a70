import Cryptography
import MerkleTrees
import NIOPosix
import ProofPrimitives
import TransparencyLedger

/// Keeps a log's index and its claim map beside the writer, which never waits for it (`spec/ledger-service.md` §6).
///
/// Two loops: one moves entries from memory into the tables; one makes the next map, has its root logged, and
/// only then answers from it.
final class ClaimMapKeeper: Sendable {
  /// Entries after which a new root is due, and seconds after which it is for fewer.
  static let rootEntries: UInt64 = 1024
  static let rootSeconds = 60.0
  /// At most a fifth of the time of one core goes into maps.
  static let restPerWork = 4.0

  let map: StoredClaimMap
  var claims: ClaimStore { sequencer.claims }
  private let sequencer: Sequencer
  private let indexKey: SigningKey
  private let verifierKey: NoteVerifierKey
  private let complain: @Sendable (LedgerError) -> Void
  private let rootSeconds: Double
  /// What waits for the disk or takes its time: not on the threads of the event loops.
  private let threads = NIOThreadPool(numberOfThreads: 2)

  init(
    _ sequencer: Sequencer, indexKey: SigningKey, verifierKey: NoteVerifierKey,
    rootSeconds: Double = ClaimMapKeeper.rootSeconds,
    complain: @escaping @Sendable (LedgerError) -> Void
  ) {
    map = StoredClaimMap(sequencer.claims)
    self.sequencer = sequencer
    self.indexKey = indexKey
    self.verifierKey = verifierKey
    self.rootSeconds = rootSeconds
    self.complain = complain
    threads.start()
  }

  /// Until the task is cancelled.
  func run() async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.keepIndex() }
      group.addTask { await self.keepMap() }
    }
    // The next start has nothing to catch up with.
    await work { () throws(LedgerError) in try self.indexAll() }
    try? await threads.shutdownGracefully()
  }

  private func view() throws(LedgerError) -> LedgerView {
    try LedgerView(
      source: DirectoryLedgerSource(directory: sequencer.directory), verifierKey: verifierKey)
  }

  /// Moves entries in large lots while many come, and the rest once there is a pause.
  private func keepIndex() async {
    var lastSize: UInt64 = 0
    while !Task.isCancelled {
      try? await Task.sleep(for: .milliseconds(200))
      let claims = sequencer.claims
      let (count, size) = (claims.tailCount, claims.size)
      let isPause = size == lastSize
      lastSize = size
      guard count >= LocalLedger.tailLimit / 2 || isPause && count > 0 else { continue }
      await work { () throws(LedgerError) in _ = try self.indexSome() }
    }
  }

  /// Entries that readers have, and no others: what an entry opens is read from the bundles.
  private func indexSome() throws(LedgerError) -> Bool {
    let view = try view()
    let count = view.head.size.value - min(claims.tableSize, view.head.size.value)
    return try claims.index(
      atMost: Int(min(count, 8192)), origin: view.head.origin,
      reading: { index throws(LedgerError) in try view.entry(index) }) > 0
  }

  private func indexAll() throws(LedgerError) {
    while try indexSome() {}
  }

  private func keepMap() async {
    await work { () throws(LedgerError) in try self.build() }
    var lastRoot = Seconds.now
    while !Task.isCancelled {
      try? await Task.sleep(for: .milliseconds(200))
      guard let size = map.rootedSize else { continue }
      let reach = sequencer.claims.tableSize
      let isDue = reach >= size + ClaimMapKeeper.rootEntries
      guard isDue || Seconds.now - lastRoot >= rootSeconds && reach > size else { continue }
      let start = Seconds.now
      guard await addRoot(after: size) else { return }
      lastRoot = Seconds.now
      try? await Task.sleep(for: .seconds((lastRoot - start) * ClaimMapKeeper.restPerWork))
    }
  }

  /// Makes the map of the newest root in the log; where there is none, of all entries, and the next root will
  /// be its.
  private func build() throws(LedgerError) {
    try indexAll()
    let view = try view()
    if let raw = Digest(indexKey.verifyingKey.rawBytes) {
      let places = try claims.indices(of: [ClaimKey.of(Claim(.proverKey, raw))])
      if let last = places.last(where: { view.head.size.contains($0) }) {
        let entry = try view.entry(last)
        if let signed = LedgerEntry.parse(entry.bytes).signed,
          case .indexRoot(let statement) = signed.statement
        {
          return try map.build(size: statement.treeSize, root: (last, statement.mapRoot))
        }
      }
    }
    try map.build(size: claims.tableSize)
  }

  /// Has the root of the next map logged; a map whose root is not in the log never answers.
  ///
  /// - Returns: Whether there can be another: a log that has ended takes none.
  private func addRoot(after size: UInt64) async -> Bool {
    let prepared = await work { () throws(LedgerError) -> (StoredClaimMap.Update, PreparedEntry)? in
      // A root alone needs no root.
      guard try self.hasOthers(from: size) else { return nil }
      let update = try self.map.prepare()
      guard let raw = Digest(self.indexKey.verifyingKey.rawBytes) else { return nil }
      let statement = IndexRootStatement(
        logOrigin: self.verifierKey.name, mapRoot: update.root, proverKey: raw,
        treeSize: update.size)
      return (
        update, try PreparedEntry(try LedgerEntry.signed(statement.encoded, by: self.indexKey))
      )
    }
    guard let (update, entry) = prepared ?? nil else { return true }
    switch await sequencer.add(entry) {
    case .success(let receipt): map.commit(update, rootIndex: receipt.index)
    // Stopping, or waiting for witnesses: the next time tries again.
    case .failure(let problem):
      map.abandon(update)
      return problem.code != LedgerError.Code.logEnded.name
    }
    return true
  }

  /// Whether any of the few entries from `size` on is no index root.
  private func hasOthers(from size: UInt64) throws(LedgerError) -> Bool {
    let view = try view()
    let end = view.head.size.value
    if end > size + 8 { return true }
    for entry in try view.entries(min(size, end)..<end) {
      guard let signed = LedgerEntry.parse(entry.bytes).signed, case .indexRoot = signed.statement,
        signed.key == indexKey.verifyingKey
      else { return true }
    }
    return false
  }

  @discardableResult
  private func work<Value: Sendable>(
    _ body: @escaping @Sendable () throws(LedgerError) -> Value
  ) async -> Value? {
    do {
      return try await threads.runIfActive { try body() }
    } catch let error as LedgerError {
      complain(error)
      return nil
    } catch {
      // The threads have ended.
      return nil
    }
  }
}
