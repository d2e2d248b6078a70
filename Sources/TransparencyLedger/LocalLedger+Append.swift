import MerkleTrees
import ProofPrimitives

extension LocalLedger {
  /// Adds entries as one batch and answers once all of them stand under a published head.
  ///
  /// The order is what makes an answer final (`spec/ledger.md` §8):
  ///
  /// 1. One transaction in `index.sqlite` gives places to the entries that are new, and keeps their
  ///    bytes.
  /// 2. Bundles and tiles are written: temporary file, write, sync, rename, sync the folder.
  /// 3. The stored bytes are read back, and the root is computed again by another way.
  /// 4. One transaction in `head.sqlite` swaps the last head for the new one; then it is signed.
  /// 5. The signed head replaces `checkpoint`, and its line is added to `history`.
  /// 6. The answer.
  ///
  /// A crash after 1 loses nothing: opening goes on from 2 with the same entries in the same order.
  ///
  /// - Parameter entries: At most 65,535 bytes each; the tree does not look inside.
  /// - Returns: One receipt an entry, in the order given.
  /// - Throws: What `Admission.check` says of the first entry that is not taken; then none is.
  package func append(_ entries: [[UInt8]]) throws(LedgerError) -> [LedgerReceipt] {
    var prepared: [PreparedEntry] = []
    for entry in entries { prepared.append(try PreparedEntry(entry)) }
    return try append(prepared: prepared)
  }

  /// The same for entries that were read and checked before.
  package func append(prepared entries: [PreparedEntry]) throws(LedgerError) -> [LedgerReceipt] {
    guard isUsable else {
      throw LedgerError(
        .needsReopening, "an earlier failure left this ledger half-written",
        remedy: "open it again, which finishes or undoes that work", path: directory)
    }
    guard !entries.isEmpty else { return [] }
    try admit(entries)
    let oldSize = head.size
    isUsable = false
    let indices: [LeafIndex]
    do {
      let (places, added) = try sequence.sequence(entries, after: oldSize)
      indices = places
      try reach(.sequenced)
      try publish(added)
    }
    isUsable = true

    let view = try view()
    let nodes = view.nodes()
    var receipts: [LedgerReceipt] = []
    var answered: Set<LeafIndex> = []
    for index in indices {
      let (leafHash, proof) = try view.inclusionProof(
        index: index, size: view.head.size, root: view.head.root, nodes)
      receipts.append(
        LedgerReceipt(
          index: index, leafHash: leafHash,
          proof: LogProof(index: index, proof: proof, note: view.signedHead.note),
          wasKnown: index.value < oldSize.value || !answered.insert(index).inserted))
    }
    return receipts
  }

  /// Steps 2 to 5 for entries that have their places, which start where the head ends.
  func publish(_ entries: [[UInt8]]) throws(LedgerError) {
    guard !entries.isEmpty else { return }
    var growth =
      if let growth { growth } else { try TreeGrowth(reading: try view()) }
    // 2. What never changes once written.
    for file in growth.append(entries) { try files.createOnce(file.path, file.bytes) }
    try reach(.stored)
    // 3. A root that two ways agree on.
    let new = TreeHead(origin: origin, size: growth.frontier.size, root: growth.frontier.root)
    let stored = try TreeGrowth.storedRoot(source: source, from: head.size, to: new.size)
    guard stored == new.root else { throw LedgerView.damagedTiles("the new entries") }
    try reach(.rechecked)
    // 4. The point after which this head is the log's word.
    let history = try files.read(LedgerPath.history, limit: LedgerPath.historyByteLimit)
    let next = HeadDatabase.Record(head: new, historyByteCount: history?.count ?? 0)
    try heads.swap(record, for: next)
    record = next
    self.growth = growth
    try reach(.headSwapped)
    // 5. Out to the readers.
    try publishHead()
  }

  /// Step 5, for the head that stands in `head.sqlite`.
  func publishHead() throws(LedgerError) {
    let signed = try signedHead()
    try files.replace(LedgerPath.treeHead, with: signed.note.encoded)
    try reach(.treeHeadPublished)
    try files.append(LedgerPath.history, try PublishedHead(signed, by: verifierKey).line)
    try reach(.historyWritten)
  }

  private func reach(_ step: AppendStep) throws(LedgerError) {
    do {
      try failpoint(step)
    } catch {
      throw LedgerError(
        .inputOutput, "stopped after the step \(step.rawValue)", remedy: "open the ledger again",
        cause: error)
    }
  }
}
