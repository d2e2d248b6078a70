import MerkleTrees
package import ProofPrimitives

/// An entry that was read, checked and hashed: all the work for it that needs no order.
///
/// One is made on whatever thread the bytes came in on, many at once. The writer only gives it a
/// place, so that its transaction waits for the disk and for nothing else.
package struct PreparedEntry: Sendable {
  package let bytes: [UInt8]
  package let parsed: ParsedEntry
  package let leafHash: Digest
  let identity: Digest
  let claims: Set<Claim>

  /// Costs one signature verification and two hashes of the bytes.
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
    claims = parsed.claims(leafHash: leafHash)
  }
}
