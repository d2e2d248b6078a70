import Cryptography
import MerkleTrees
package import ProofPrimitives

/// What a log is made of, counted from its own entries.
package struct LedgerStatistics: Sendable {
  /// A line under the tree head that is not the log's.
  package struct Cosigner: Hashable, Sendable {
    package let name: String
    /// On its own clock, seconds since 1970; nil where the line is of another form.
    package let time: UInt64?
  }

  package var entryCount: UInt64 = 0
  package var byteCount: UInt64 = 0
  package var largestByteCount = 0
  /// By kind; opaque ones under `opaque`, of unknown kinds at most `kindLimit` apart.
  package var kinds: [String: UInt64] = [:]
  package var keys: Set<Digest> = []
  package var withdrawnKeyCount = 0
  package var headCount: Int?
  package var historyByteCount: Int?
  package var cosigners: [Cosigner] = []
  package var end: LogEnd?
  package var beginning: LogBeginStatement?

  /// A submitter may invent kinds.
  private static let kindLimit = 64

  fileprivate mutating func count(_ entry: LocatedEntry) {
    entryCount += 1
    byteCount += UInt64(entry.bytes.count)
    largestByteCount = max(largestByteCount, entry.bytes.count)
    var kind = "opaque"
    if let signed = LedgerEntry.parse(entry.bytes).signed {
      kind = signed.statement.kind
      if let key = Digest(signed.key.rawBytes) { keys.insert(key) }
      if case .withdrawal = signed.statement { withdrawnKeyCount += 1 }
    }
    if kinds[kind] == nil, kinds.count >= LedgerStatistics.kindLimit { kind = "other" }
    kinds[kind, default: 0] += 1
  }
}

extension LedgerView {
  /// Reads every entry, each proved; memory holds a bundle and the keys.
  package func statistics() throws(LedgerError) -> LedgerStatistics {
    var found = LedgerStatistics()
    try followEntries { found.count($0) }
    if let bytes = try source.read(path: LedgerPath.history, limit: LedgerPath.historyByteLimit) {
      found.historyByteCount = bytes.count
      found.headCount = try history().count
    }
    found.cosigners = signedHead.note.signatures.filter { !verifierKey.isNamed(by: $0) }.map {
      LedgerStatistics.Cosigner(name: $0.name, time: Cosignature($0)?.time)
    }
    found.end = try end()
    found.beginning = try beginning()
    return found
  }
}
