import Cryptography
import Foundation
import GRDB
import MerkleTrees
import ProofPrimitives

extension LocalLedger {
  /// Why the log does not take an entry, for each of a batch; nil for those that it takes.
  ///
  /// Entries may name earlier ones of the same batch that are taken. One that the log holds already is taken
  /// whatever the rules say: its first receipt is due.
  package func refusals(of entries: [PreparedEntry]) throws(LedgerError) -> [LedgerError?] {
    var view = LogAdmissionView(ledger: self)
    var refusals: [LedgerError?] = []
    for entry in entries {
      do throws(LedgerError) {
        try Admission.check(entry.parsed, by: admission, in: view)
      } catch {
        guard try sequence.holds(entry.identity) else {
          refusals.append(error)
          continue
        }
      }
      refusals.append(nil)
      view.add(entry)
    }
    return refusals
  }

  /// Refuses the batch for its first entry that the log does not take.
  func admit(_ entries: [PreparedEntry]) throws(LedgerError) {
    for refusal in try refusals(of: entries) {
      if let refusal { throw refusal }
    }
  }
}

/// The log up to its last signed head, and the entries of the batch that were looked at.
private struct LogAdmissionView: AdmissionView {
  let ledger: LocalLedger
  private var batch: [Digest: LocatedStatement] = [:]
  private var withdrawn: Set<VerifyingKey> = []
  private var count: UInt64 = 0

  var origin: String { ledger.origin }

  init(ledger: LocalLedger) { self.ledger = ledger }

  mutating func add(_ entry: PreparedEntry) {
    let index = LeafIndex(ledger.head.size.value + count)
    count += 1
    guard let signed = entry.parsed.signed else { return }
    batch[entry.leafHash] = LocatedStatement(
      index: index, leafHash: entry.leafHash, signed: signed)
    if case .withdrawal = signed.statement { withdrawn.insert(signed.key) }
  }

  func statement(leafHash: Digest) throws(LedgerError) -> LocatedStatement? {
    // The index only says where to look: what counts is what stands there under the head.
    for index in try ledger.sequence.indices(of: Claim(.entry, leafHash))
    where ledger.head.size.contains(index) {
      let entry = try ledger.signedView().entry(index)
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
        return try Int64.fetchOne(find, arguments: [Data(identity.bytes)]) != nil
      }
    }
  }

  /// Places of the entries with this claim, in order.
  func indices(of claim: Claim) throws(LedgerError) -> [LeafIndex] {
    try inDatabase(path) {
      try queue.read { db in
        let find = try db.cachedStatement(
          sql: "SELECT entryIndex FROM claims WHERE kind = ? AND digest = ? ORDER BY entryIndex")
        return try Int64.fetchAll(find, arguments: [claim.kind.rawValue, Data(claim.digest.bytes)])
          .compactMap { UInt64(exactly: $0).map { LeafIndex($0) } }
      }
    }
  }
}
