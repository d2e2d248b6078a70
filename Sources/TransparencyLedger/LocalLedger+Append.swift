package import MerkleTrees
import ProofPrimitives

extension LocalLedger {
  /// Adds entries as one batch and answers once all of them stand under a published head.
  ///
  /// The order is what makes an answer final (`spec/ledger.md` §8, `spec/witness.md` §7):
  ///
  /// 1. One transaction in `index.sqlite` gives places to the entries that are new, and keeps their
  ///    bytes.
  /// 2. Bundles and tiles are written: temporary file, write, sync, rename, sync the folder.
  /// 3. The stored bytes are read back, and the root is computed again by another way.
  /// 4. One transaction in `head.sqlite` swaps the last head for the new one; then it is signed.
  /// 5. Where a policy asks for witnesses: they are asked; once the quorum holds, another transaction
  ///    there stores the cosignatures.
  /// 6. The signed head replaces `checkpoint`, and its line is added to `history`.
  /// 7. The answer.
  ///
  /// A crash after 1 loses nothing: opening goes on from 2 with the same entries in the same order. What
  /// is signed and not cosigned waits; the next batch is published together with it.
  ///
  /// - Parameter entries: At most 65,535 bytes each; the tree does not look inside.
  /// - Returns: One receipt an entry, in the order given.
  /// - Throws: What `Admission.check` says of the first entry that is not taken; then none is.
  ///   `.quorumMissing` when the witnesses did not sign: the entries have their places, and nothing is
  ///   promised about them.
  package func append(_ entries: [[UInt8]]) throws(LedgerError) -> [LedgerReceipt] {
    var prepared: [PreparedEntry] = []
    for entry in entries { prepared.append(try PreparedEntry(entry)) }
    return try append(prepared: prepared)
  }

  /// The same for entries that were read and checked before.
  package func append(prepared entries: [PreparedEntry]) throws(LedgerError) -> [LedgerReceipt] {
    let batch = try stage(entries)
    if !batch.indices.allSatisfy({ published.size.contains($0) }) {
      guard let collectCosignatures else {
        throw LedgerError(
          .quorumMissing, "this ledger's policy asks for witnesses, and none were asked",
          remedy: "append through the service that asks them", path: directory)
      }
      let cosigned = try collectCosignatures(try signedView())
      try reach(.cosigned)
      try publish(cosigned)
    }
    return try receipts(batch)
  }

  /// Entries that have their places in a tree that is signed, and not yet promised to anybody.
  package struct Batch: Sendable {
    package let indices: [LeafIndex]
    let firstNew: TreeSize
  }

  /// Steps 1 to 4, and 6 where no witness is needed.
  package func stage(_ entries: [PreparedEntry]) throws(LedgerError) -> Batch {
    guard isUsable else { throw needsReopening() }
    let firstNew = head.size
    guard !entries.isEmpty else { return Batch(indices: [], firstNew: firstNew) }
    try admit(entries)
    isUsable = false
    let (indices, added) = try sequence.sequence(entries, after: firstNew)
    try reach(.sequenced)
    try grow(added)
    isUsable = true
    return Batch(indices: indices, firstNew: firstNew)
  }

  /// The receipts of a batch whose entries the published head covers.
  package func receipts(_ batch: Batch) throws(LedgerError) -> [LedgerReceipt] {
    let view = try view()
    let nodes = view.nodes()
    var receipts: [LedgerReceipt] = []
    var answered: Set<LeafIndex> = []
    for index in batch.indices {
      let (leafHash, proof) = try view.inclusionProof(
        index: index, size: view.head.size, root: view.head.root, nodes)
      receipts.append(
        LedgerReceipt(
          index: index, leafHash: leafHash,
          proof: LogProof(index: index, proof: proof, note: view.signedHead.note),
          wasKnown: batch.firstNew.contains(index) || !answered.insert(index).inserted))
    }
    return receipts
  }

  /// Steps 5 and 6 for a head that this log signed, with the cosignatures that the policy asks for.
  ///
  /// A head older than the published one is let go. The published one again may get other
  /// cosignatures.
  ///
  /// - Throws: `.quorumMissing`, `.badSignature`; `.headConflict` for a head that is not of this tree.
  package func publish(_ cosigned: SignedNote) throws(LedgerError) {
    guard isUsable else { throw needsReopening() }
    let signed = try SignedTreeHead(note: cosigned, by: verifierKey, policy: policy)
    guard signed.head.size >= published.size else { return }
    let ownRoot: Digest =
      if signed.head.size == head.size { head.root } else {
        try signedView().root(at: signed.head.size)
      }
    guard signed.head.root == ownRoot, signed.head.extensions.isEmpty else {
      throw LedgerError(
        .headConflict, "the cosigned head is not of this ledger's tree",
        remedy: "cosign the head that was staged")
    }
    let isNew = signed.head.size > published.size
    var next = record
    next.published = signed.head
    // Only lines that the policy knows: the note may carry anybody's.
    next.cosignatures =
      try policy?.evaluate(cosigned).cosigned.flatMap { Array($0.signature.line.utf8) } ?? []
    if isNew { next.historyByteCount = try historyEnd() }
    isUsable = false
    try swap(for: next)
    try reach(.cosignaturesStored)
    try publishHead(isNew: isNew)
    isUsable = true
  }

  /// Steps 2 to 4 for entries that have their places, which start where the head ends; and 6 where no
  /// witness is needed.
  func grow(_ entries: [[UInt8]]) throws(LedgerError) {
    guard !entries.isEmpty else { return }
    var growth =
      if let growth { growth } else { try TreeGrowth(reading: try signedView()) }
    // 2. What never changes once written.
    for file in growth.append(entries) { try files.createOnce(file.path, file.bytes) }
    try reach(.stored)
    // 3. A root that two ways agree on.
    let new = TreeHead(origin: origin, size: growth.frontier.size, root: growth.frontier.root)
    let stored = try TreeGrowth.storedRoot(source: source, from: head.size, to: new.size)
    guard stored == new.root else { throw LedgerView.damagedTiles("the new entries") }
    try reach(.rechecked)
    // 4. The point after which this head is the log's word.
    var next = record
    next.head = new
    if !waitsForWitnesses {
      next = HeadDatabase.Record(head: new, historyByteCount: try historyEnd())
    }
    try swap(for: next)
    self.growth = growth
    try reach(.headSwapped)
    // 6. Out to the readers.
    if !waitsForWitnesses { try publishHead(isNew: true) }
  }

  /// Publishes the last signed head, if it is not yet and the policy lets it go bare.
  func publishWithoutWitnesses() throws(LedgerError) {
    guard !waitsForWitnesses, published != head else { return }
    isUsable = false
    try swap(for: HeadDatabase.Record(head: head, historyByteCount: try historyEnd()))
    try publishHead(isNew: true)
    isUsable = true
  }

  /// Step 6, for the published head that stands in `head.sqlite`.
  private func publishHead(isNew: Bool) throws(LedgerError) {
    let published = try publishedHead()
    try files.replace(LedgerPath.treeHead, with: published.note.encoded)
    try reach(.treeHeadPublished)
    if isNew {
      try files.append(LedgerPath.history, try PublishedHead(published, by: verifierKey).line)
    }
    try reach(.historyWritten)
  }

  /// The published head's line in `history`, which has the log's own signature alone.
  func publishedLine() throws(LedgerError) -> [UInt8] {
    try PublishedHead(try publishedHead(), by: verifierKey).line
  }

  /// How long `history` is once the published head's line is in it.
  private func historyEnd() throws(LedgerError) -> Int {
    record.historyByteCount + (try publishedLine().count)
  }

  private func swap(for next: HeadDatabase.Record) throws(LedgerError) {
    try heads.swap(record, for: next)
    record = next
  }

  private func needsReopening() -> LedgerError {
    LedgerError(
      .needsReopening, "an earlier failure left this ledger half-written",
      remedy: "open it again, which finishes or undoes that work", path: directory)
  }

  private func reach(_ step: AppendStep) throws(LedgerError) {
    do {
      try failpoint(step)
    } catch {
      isUsable = false
      throw LedgerError(
        .inputOutput, "stopped after the step \(step.rawValue)", remedy: "open the ledger again",
        cause: error)
    }
  }
}
