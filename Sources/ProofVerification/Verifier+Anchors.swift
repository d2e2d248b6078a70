internal import Cryptography
internal import MerkleTrees
internal import ProofArchive
internal import ProofPrimitives
internal import TransparencyLedger

extension Verifier {
  /// Every anchor of this run names the chain that the archive holds (`spec/verification.md` §5).
  ///
  /// A commitment is to one run, and an anchor says which chain that run is: two chains are two runs, of which
  /// the prover would show the better one. What was anchored after the proof was fixed adds nothing to it.
  func checkAnchors() throws(CheckStop) -> [String] {
    guard let ledger, isLedgerSound, isOn(.anchors) else { return [] }
    let reader = try opened()
    guard let seal = reader.seal, let commitment = reader.opening.commitment else { return [] }
    let anchors = entries.compactMap {
      entry -> (index: LeafIndex, statement: AnchorStatement)? in
      // Another key's, or another log's, is no word of this prover's on this log, whoever let it in.
      guard case .anchor(let statement) = entry.signed.statement,
        statement.commitment == commitment.leafHash, entry.signed.key == seal.proverKey,
        statement.logOrigin.utf8.elementsEqual(ledger.head.origin.utf8),
        entry.index.value > commitment.index, claimedAt.map({ entry.index < $0 }) ?? true
      else { return nil }
      return (entry.index, statement)
    }
    for (index, anchor) in anchors { try compare(anchor, index, reader) }
    guard let first = anchors.first, let last = anchors.last,
      let most = anchors.max(by: { $0.statement.recordCount < $1.statement.recordCount })
    else { return [] }
    let heads = try asking { () throws(LedgerError) in
      try headCount(of: anchors.map(\.index), in: ledger)
    }
    let rows = reader.index.rows
    // A record stood by the earliest anchor that covers it: the order of the anchors gains nothing.
    let before = first.statement.recordCount
    return [
      "\(most.statement.recordCount) of \(rows.count) records (to step \(most.statement.step)) stood in "
        + "the log before the proof",
      "\(anchors.count) anchors, entries \(first.index) to \(last.index), under \(heads) published "
        + (heads == 1
          ? "head: they say nothing of the order in which the records came"
          : "heads; the first covers \(before) records"),
    ]
  }

  private func compare(
    _ anchor: AnchorStatement, _ index: LeafIndex, _ reader: ArchiveReader
  ) throws(CheckStop) {
    func refusal(_ what: String) -> CheckStop {
      .refuted(
        "the anchor at index \(index) names \(what): the run of this commitment was another one then",
        code: "anchor")
    }
    guard anchor.archiveID == reader.opening.archiveID else { throw refusal("another archive") }
    let rows = reader.index.rows
    guard anchor.recordCount <= rows.count else {
      throw refusal("\(anchor.recordCount) records, and the archive has \(rows.count)")
    }
    let row = rows[anchor.recordCount - 1]
    guard row.hash == anchor.chainHead else {
      throw refusal("another record \(anchor.recordCount - 1)")
    }
    guard row.step == anchor.step else {
      throw refusal("step \(anchor.step) for record \(anchor.recordCount - 1), at step \(row.step)")
    }
  }

  /// Published heads that were the first to cover one of these entries.
  private func headCount(
    of indices: [LeafIndex], in ledger: LedgerView
  ) throws(LedgerError) -> Int {
    let sizes = try ledger.history().map(\.size)
    return Set(indices.compactMap { index in sizes.first { $0.contains(index) } }).count
  }
}
