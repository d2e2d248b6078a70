import Dispatch
import MerkleTrees
package import ProofPrimitives
import Synchronization

/// An entry that was read, checked and hashed: all the work for it that needs no order.
///
/// One is made on whatever thread the bytes came in on, many at once. The writer only gives it a
/// place, so that its transaction waits for the disk and for nothing else.
package struct PreparedEntry: Sendable {
  package let bytes: [UInt8]
  package let parsed: ParsedEntry
  package let leafHash: Digest
  let identity: Digest
  /// Under which the entry can be found.
  let claimKeys: [Digest]

  /// Costs one signature verification, two hashes of the bytes, and a short one for each claim.
  ///
  /// - Throws: `.entryTooLong` above 65,535 bytes, which a bundle cannot count. Anything shorter is
  ///   an entry, if only an opaque one.
  package init(_ bytes: [UInt8]) throws(LedgerError) {
    guard bytes.count <= EntryBundle.entryByteLimit else {
      throw LedgerError(
        .entryTooLong, "an entry has \(bytes.count) bytes, the limit is 65,535",
        remedy: "log a digest of it instead")
    }
    self.bytes = bytes
    parsed = LedgerEntry.parse(bytes)
    leafHash = MerkleTree.leafHash(of: bytes)
    identity = LedgerEntry.identity(of: bytes, parsed)
    claimKeys = ClaimKey.all(parsed.claims(leafHash: leafHash))
  }
}

extension PreparedEntry {
  /// The same for entries that are in the log already, on all cores.
  static func all(_ entries: [[UInt8]]) throws(LedgerError) -> [PreparedEntry] {
    let made = Mutex([PreparedEntry?](repeating: nil, count: entries.count))
    let share = 64
    DispatchQueue.concurrentPerform(iterations: (entries.count + share - 1) / share) { part in
      for position in part * share..<min((part + 1) * share, entries.count) {
        let entry = try? PreparedEntry(entries[position])
        made.withLock { $0[position] = entry }
      }
    }
    let prepared = made.withLock { $0.compactMap { $0 } }
    guard prepared.count == entries.count else {
      throw LedgerError(
        .badBundle, "an entry of a bundle is too long", remedy: "restore the bundle")
    }
    return prepared
  }
}
