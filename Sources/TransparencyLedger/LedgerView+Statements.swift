package import Cryptography
package import MerkleTrees

/// Every valid statement of a log, and which of them are their key owner's word (`spec/statements.md` §10).
package struct CountedStatements: Sendable {
  /// In order, without what stands after its key's withdrawal.
  package let counting: [LocatedStatement]
  /// What stands after its key's withdrawal. Whoever has such a key may sign with it, but nothing that counts.
  package let withdrawn: [LocatedStatement]
  /// Where each withdrawn key was withdrawn.
  package let withdrawals: [VerifyingKey: LeafIndex]
}

extension LedgerView {
  /// Reads every entry; what it holds rests on nothing but the head.
  package func countedStatements() throws(LedgerError) -> CountedStatements {
    var counting: [LocatedStatement] = []
    var withdrawn: [LocatedStatement] = []
    var withdrawals: [VerifyingKey: LeafIndex] = [:]
    _ = try scan { entry in
      guard let signed = LedgerEntry.parse(entry.bytes).signed else { return }
      let located = LocatedStatement(
        index: entry.index, leafHash: entry.leafHash, signed: signed)
      guard withdrawals[signed.key] == nil else {
        withdrawn.append(located)
        return
      }
      if case .withdrawal(let statement) = signed.statement,
        statement.logOrigin.utf8.elementsEqual(head.origin.utf8)
      {
        withdrawals[signed.key] = entry.index
      }
      counting.append(located)
    }
    return CountedStatements(
      counting: counting, withdrawn: withdrawn, withdrawals: withdrawals)
  }
}
