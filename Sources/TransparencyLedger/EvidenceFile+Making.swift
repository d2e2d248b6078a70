package import MerkleTrees
package import ProofPrimitives

extension SignedStatement {
  /// Leaf hashes of the entries of its log that a statement names.
  package var namedEntries: Set<Digest> {
    var named: Set<Digest> = []
    switch statement {
    case .anchor(let statement): named.insert(statement.commitment)
    case .challenge(let statement): named.insert(statement.proof)
    case .proof(let statement):
      named.formUnion(statement.parents)
      named.insert(statement.commitment)
    case .proofPart(let statement): named.insert(statement.proof)
    case .verdict(let statement): named.formUnion([statement.proof, statement.challenge])
    case .commitment, .hidden, .indexRoot, .logBegin, .logEnd, .withdrawal, .other: break
    }
    if let opened = statement.opened { named.insert(opened.opening.hidden) }
    // 64 zeros stand for none.
    return named.filter { !$0.isZero }
  }
}

extension EvidenceFile {
  /// A file about one entry of a log, under the view's head.
  ///
  /// - Parameters:
  ///   - find: The entries with these leaf hashes, the first of each; the ones that are not found are
  ///     left out. Asked once.
  ///   - receipts: Of this entry under other heads, as kept by who submitted it; checked.
  ///   - times: Beside those that the ledger keeps for the entry; at most `timeLimit`.
  ///   - policy: Put in as it is: the maker's word on whose cosignatures count.
  package init(
    of index: LeafIndex, in view: LedgerView,
    find: (Set<Digest>) throws(LedgerError) -> [LocatedEntry],
    receipts: [LogProof] = [], policy: LedgerPolicy? = nil, times: [Time] = []
  ) throws(LedgerError) {
    let exhibit = try view.entry(index)
    let named = LedgerEntry.parse(exhibit.bytes).signed.map { EvidenceFile.wanted(by: $0) } ?? []
    var seen: Set<Digest> = [exhibit.leafHash]
    let others = try find(named)
      .filter { $0.index != index && seen.insert($0.leafHash).inserted }
      .sorted { $0.index < $1.index }.prefix(EvidenceFile.entryLimit - 1)
    let kept = try view.keptTimes(
      of: index, leafHash: exhibit.leafHash, limit: EvidenceFile.timeLimit - times.count)
    var items: [Item] = []
    for entry in [exhibit] + others {
      var own = [try view.receipt(entry.index)]
      if entry.index == index {
        for receipt in (kept.receipts + receipts).prefix(EvidenceFile.receiptLimit - 1) {
          try receipt.verify(
            leafHash: exhibit.leafHash, by: view.verifierKey, origin: view.head.origin)
          own.append(receipt)
        }
      }
      items.append(Item(bytes: entry.bytes, receipts: own))
    }
    self.init(
      items: items, statedKey: view.verifierKey, statedPolicy: policy, times: times + kept.times)
  }

  /// As many of the entries that a statement names as a file has room for; what its standing rests on comes before
  /// its parents.
  package static func wanted(by signed: SignedStatement) -> Set<Digest> {
    let named = signed.namedEntries
    let first = ClaimStanding.references(of: signed).filter(named.contains)
    return Set((first + named.subtracting(first).sorted()).prefix(entryLimit - 1))
  }
}
