package import Cryptography
import MerkleTrees
import ProofPrimitives

extension LocalLedger {
  /// Where the log ends, once that is decided; nil while it goes on.
  package var end: LogEnd? {
    guard case .ends(let size, let entry) = life,
      case .logEnd(let statement)? = LedgerEntry.parse(entry).signed?.statement
    else { return nil }
    return LogEnd(index: LeafIndex(size.value - 1), statement: statement)
  }

  /// Ends the log: its last entry says so, and nothing is taken after it (`spec/ledger.md` §8a).
  ///
  /// 1. One transaction in `head.sqlite` stores the last entry; from now on nothing else is taken.
  /// 2. The entry is added as any other.
  ///
  /// A crash after 1 is finished by opening the log. Where a policy asks for witnesses, the last head is
  /// signed here and published once the service has asked them.
  ///
  /// - Parameter successor: The log that goes on; nil where none does.
  /// - Throws: `.logEnded` when it ended before, in another way.
  @discardableResult
  package func end(successor: NoteVerifierKey? = nil) throws(LedgerError) -> LogEnd {
    guard isUsable else { throw needsReopening() }
    let next = successor?.description ?? ""
    if let end {
      guard end.statement.successor == next else {
        throw LedgerError(
          .logEnded,
          end.statement.successor.isEmpty
            ? "the log has ended, and named no successor"
            : "the log has ended, and goes on as \(end.statement.successor)",
          remedy: "an end cannot be taken back", path: directory)
      }
      return end
    }
    guard life == .open else { throw notBegun() }
    guard let key = Digest(verifierKey.key.rawBytes), let treeSize = Int(exactly: head.size.value)
    else { throw needsReopening() }
    let statement = LogEndStatement(
      logOrigin: origin, proverKey: key, successor: next, treeRoot: head.root, treeSize: treeSize)
    let entry = try signer.entry(statement.encoded)
    // What readers would refuse must not become the end.
    guard case .logEnd? = LedgerEntry.parse(entry).signed?.statement else {
      throw LedgerError(
        .badKey, "this log cannot name that successor",
        remedy: "give the successor an origin and a key of its own")
    }
    let new = HeadDatabase.Life.ends(size: TreeSize(head.size.value + 1), entry: entry)
    isUsable = false
    try heads.setLife(life, to: new)
    life = new
    try reach(.endStored)
    isUsable = true
    try finishEnd()
    return LogEnd(index: LeafIndex(UInt64(treeSize)), statement: statement)
  }

  /// Adds the last entry, where it was decided on and is not yet there.
  func finishEnd() throws(LedgerError) {
    guard case .ends(let size, let entry) = life, head.size < size else { return }
    guard head.size.value + 1 == size.value else {
      throw LedgerError(
        .headConflict, "the log was to end with \(size) entries and has \(head.size)",
        remedy: "restore what was there when it was ended", path: directory)
    }
    try appendOwn(entry)
  }

  /// Adds what the log itself says, which nobody else may.
  private func appendOwn(_ bytes: [UInt8]) throws(LedgerError) {
    isUsable = false
    _ = try sequence([try PreparedEntry(bytes)])
    isUsable = true
  }

  /// What a log that takes nothing says to each of these; nil to what it holds.
  func refusalsOfAll(_ entries: [PreparedEntry]) throws(LedgerError) -> [LedgerError?] {
    let reason: LedgerError
    if let end {
      reason = LedgerError(
        .logEnded, "the log ended with entry \(end.index) and takes nothing more",
        remedy: end.statement.successor.isEmpty
          ? "use another log" : "it goes on as \(end.statement.successor): use that log")
    } else {
      reason = notBegun()
    }
    var refusals: [LedgerError?] = []
    for entry in entries {
      refusals.append(try claims.places(of: [entry.identity]).isEmpty ? reason : nil)
    }
    return refusals
  }

  func notBegun() -> LedgerError {
    LedgerError(
      .notBegun, "this log goes on for another and has not said so yet",
      remedy: "run the `pol ledger rotate-key` again that made it")
  }

  /// Makes the log that is to go on for another, or takes up one that an earlier attempt left.
  ///
  /// It takes nothing until `begin`.
  package static func createSuccessor(
    at directory: String, origin: String, key: SigningKey? = nil
  ) throws(LedgerError) -> LocalLedger {
    let secrets = DurableFiles(root: privateDirectory(of: directory))
    if try secrets.read("head.sqlite", limit: 1 << 24) == nil {
      let made = try create(at: directory, origin: origin, key: key)
      try made.awaitBeginning()
      return made
    }
    let found = try open(at: directory)
    guard found.origin.utf8.elementsEqual(origin.utf8) else {
      throw LedgerError(
        .alreadyExists, "a log with the origin \(printable(found.origin)) is there",
        remedy: "choose another folder, or the same origin to go on", path: directory)
    }
    if found.head.size == .zero, found.life == .open { try found.awaitBeginning() }
    return found
  }

  private func awaitBeginning() throws(LedgerError) {
    try heads.setLife(life, to: .awaitsBeginning)
    life = .awaitsBeginning
  }

  /// Says, as this log's first entry, which log it goes on for; then it takes what comes.
  ///
  /// Once that stands there, doing it again does nothing.
  ///
  /// - Parameter old: A log that has ended and named this one.
  /// - Throws: `.notPublished` when `old`'s last head waits for its witnesses; `.notSuccessor`.
  package func begin(after old: LocalLedger) throws(LedgerError) {
    guard isUsable else { throw needsReopening() }
    guard let end = old.end, end.statement.successor == verifierKey.description else {
      throw LedgerError(
        .notSuccessor, "the old log has not ended with this one's key", remedy: "end it first",
        path: old.directory)
    }
    guard old.published == old.head, old.head.size.value == end.index.value + 1 else {
      throw LedgerError(
        .notPublished, "the old log's last head waits for its witnesses",
        remedy: "serve the old log until it is published, then run this again",
        path: old.directory)
    }
    guard let key = Digest(verifierKey.key.rawBytes), let size = Int(exactly: old.head.size.value)
    else { throw needsReopening() }
    let line = try PublishedHead(try old.publishedHead(), by: old.verifierKey)
    let statement = LogBeginStatement(
      logOrigin: origin, predecessor: old.verifierKey.description,
      predecessorRoot: old.head.root,
      predecessorSignature: Base64.encode(line.signature.blob), predecessorSize: size,
      proverKey: key)
    let entry = try signer.entry(statement.encoded)
    if head.size == .zero, life == .awaitsBeginning { try appendOwn(entry) }
    guard try signedView().entry(LeafIndex(0)).bytes == entry else {
      throw LedgerError(
        .notSuccessor, "this log's first entry is another", remedy: "choose a new folder",
        path: directory)
    }
    if life == .awaitsBeginning {
      try heads.setLife(life, to: .open)
      life = .open
    }
  }
}
