import Cryptography
import GRDB
import MerkleTrees
import ProofPrimitives

extension LocalLedger {
  /// Refuses the batch for its first entry that the log does not take.
  ///
  /// Entries may name earlier ones of the same batch. One that the log holds already is taken whatever the
  /// rules say: its first receipt is due.
  func admit(_ entries: [[UInt8]]) throws(LedgerError) {
    var view = LogAdmissionView(ledger: self)
    for bytes in entries {
      let parsed = LedgerEntry.parse(bytes)
      do throws(LedgerError) {
        try Admission.check(parsed, by: admission, in: view)
      } catch {
        guard try sequence.holds(LedgerEntry.identity(of: bytes, parsed)) else { throw error }
      }
      view.add(bytes, parsed)
    }
  }
}

/// The log up to its head, and the entries of the batch that were looked at.
private struct LogAdmissionView: AdmissionView {
  let ledger: LocalLedger
  private var batch: [Digest: LocatedStatement] = [:]
  private var withdrawn: Set<VerifyingKey> = []
  private var count: UInt64 = 0

  var origin: String { ledger.origin }

  init(ledger: LocalLedger) { self.ledger = ledger }

  mutating func add(_ bytes: [UInt8], _ parsed: ParsedEntry) {
    let index = LeafIndex(ledger.head.size.value + count)
    count += 1
    guard let signed = parsed.signed else { return }
    let leafHash = MerkleTree.leafHash(of: bytes)
    batch[leafHash] = LocatedStatement(index: index, leafHash: leafHash, signed: signed)
    if case .withdrawal = signed.statement { withdrawn.insert(signed.key) }
  }

  func statement(leafHash: Digest) throws(LedgerError) -> LocatedStatement? {
    // The index only says where to look: what counts is what stands there under the head.
    for index in try ledger.sequence.indices(of: Claim(.entry, leafHash))
    where ledger.head.size.contains(index) {
      let entry = try ledger.view().entry(index)
      guard entry.leafHash == leafHash, let signed = LedgerEntry.parse(entry.bytes).signed else {
        continue
      }
      return LocatedStatement(index: index, leafHash: leafHash, signed: signed)
    }
    return batch[leafHash]
  }

  func isWithdrawn(_ key: VerifyingKey) throws(LedgerError) -> Bool {
    guard !withdrawn.contains(key), let raw = Digest(key.rawBytes) else { return true }
    return try !ledger.sequence.indices(of: Claim(.withdrawal, raw)).isEmpty
  }
}

extension SequenceDatabase {
  /// Whether an entry with this identity has a place.
  func holds(_ identity: Digest) throws(LedgerError) -> Bool {
    try inDatabase(path) {
      try queue.read { db in
        let find = try db.cachedStatement(sql: "SELECT entryIndex FROM entries WHERE identity = ?")
        return try Int64.fetchOne(find, arguments: [identity.hex]) != nil
      }
    }
  }

  /// Places of the entries with this claim, in order.
  func indices(of claim: Claim) throws(LedgerError) -> [LeafIndex] {
    try inDatabase(path) {
      try queue.read { db in
        let find = try db.cachedStatement(
          sql: "SELECT entryIndex FROM claims WHERE kind = ? AND digest = ? ORDER BY entryIndex")
        return try Int64.fetchAll(find, arguments: [claim.kind.rawValue, claim.digest.hex])
          .compactMap { UInt64(exactly: $0).map { LeafIndex($0) } }
      }
    }
  }
}
