package import MerkleTrees

extension LocalLedger.Batch {
  package static let empty = LocalLedger.Batch(indices: [], firstNew: .zero, tree: nil)

  /// The positions of the entries that a tree of `size` covers, and of the others.
  package func split(at size: TreeSize) -> (covered: [Int], rest: [Int]) {
    let covered = indices.indices.filter { size.contains(indices[$0]) }
    return (covered, indices.indices.filter { !size.contains(indices[$0]) })
  }

  /// The same batch with the entries at these positions only.
  package func only(_ positions: [Int]) -> LocalLedger.Batch {
    LocalLedger.Batch(indices: positions.map { indices[$0] }, firstNew: firstNew, tree: tree)
  }
}

extension LocalLedger {
  /// Whether witnesses are to be asked: the signed head is not published, or the policy is newer than the
  /// published head's cosignatures.
  package func needsCosignatures() throws(LedgerError) -> Bool {
    guard let policy, policy.asksForWitnesses else { return false }
    guard published == head else { return true }
    return try !policy.evaluate(try publishedHead().note).quorumHolds
  }
}
