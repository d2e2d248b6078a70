import Cryptography
import MerkleTrees
import ProofPrimitives

extension LocalLedger {
  /// Why the log does not take an entry, for each of a batch; nil for those that it takes.
  ///
  /// Entries may name earlier ones of the same batch that are taken. One that the log holds already is taken
  /// whatever the rules say: its first receipt is due.
  package func refusals(of entries: [PreparedEntry]) throws(LedgerError) -> [LedgerError?] {
    if life != .open { return try refusalsOfAll(entries) }
    var view = try LogAdmissionView(ledger: self, entries)
    var refusals: [LedgerError?] = []
    for entry in entries {
      do throws(LedgerError) {
        try Admission.check(entry.parsed, by: admission, in: view)
      } catch {
        guard try claims.places(of: [entry.identity]).isEmpty == false else {
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
  var indexKey: VerifyingKey? { ledger.indexKey.verifyingKey }
  var size: UInt64 { ledger.head.size.value + count }

  /// Keys among those of the batch that were withdrawn before it: one question for all.
  init(ledger: LocalLedger, _ entries: [PreparedEntry]) throws(LedgerError) {
    self.ledger = ledger
    var asked: [Digest: VerifyingKey] = [:]
    for case let key? in Set(entries.map(\.parsed.signed?.key)) {
      guard let raw = Digest(key.rawBytes) else { continue }
      asked[ClaimKey.of(Claim(.withdrawal, raw))] = key
    }
    for key in try ledger.claims.claimed(Set(asked.keys)) {
      if let key = asked[key] { withdrawn.insert(key) }
    }
  }

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
    for index in try ledger.claims.indices(of: [ClaimKey.of(Claim(.entry, leafHash))])
    where ledger.head.size.contains(index) {
      let entry = try ledger.signedView().entry(index)
      guard entry.leafHash == leafHash, let signed = LedgerEntry.parse(entry.bytes).signed else {
        continue
      }
      return LocatedStatement(index: index, leafHash: leafHash, signed: signed)
    }
    return batch[leafHash]
  }

  func isWithdrawn(_ key: VerifyingKey) -> Bool { withdrawn.contains(key) }
}
