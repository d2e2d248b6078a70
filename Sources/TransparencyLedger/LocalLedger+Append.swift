package import MerkleTrees
import ProofPrimitives

extension LocalLedger {
  /// Adds entries as one batch and answers once all of them stand under a published head.
  ///
  /// The order is what makes an answer final (`spec/ledger.md` §8, `spec/witness.md` §7):
  ///
  /// 1. One transaction in `index.sqlite` gives places to the entries that are new, and keeps their
  ///    bytes.
  /// 2. Bundles and tiles: all are written to temporary files, each is synced, all are renamed, each folder
  ///    is synced.
  /// 3. The stored bytes are read back, and the root is computed again by another way.
  /// 4. One transaction in `head.sqlite` swaps the last head for the new one; then it is signed.
  /// 5. Where a policy asks for witnesses: they are asked; once the quorum holds, another transaction
  ///    there stores the cosignatures.
  /// 6. The signed head replaces `checkpoint`, its line is added to `history`, and one sync of their folder
  ///    makes both last.
  /// 7. The answer.
  ///
  /// A crash after 1 loses nothing: opening goes on from 2 with the same entries in the same order. In 2 some
  /// of the files may be there and others not: no head speaks of them yet, and writing them again gives the
  /// same bytes. In 6 either of the two may be the older one: the record of step 4 says what both must be.
  /// What is signed and not cosigned waits; the next batch is published together with it. What entries can
  /// be found by is no part of this: `ClaimStore` takes it up behind the head.
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
    /// The tree as far as the batch made it; nil when it added nothing.
    let tree: GrownTree?
  }

  /// Steps 1 to 4, and 6 where no witness is needed.
  ///
  /// - Parameter areAdmitted: `refusals(of:)` has taken each of them, in this order, since the last batch.
  package func stage(
    _ entries: [PreparedEntry], areAdmitted: Bool = false
  ) throws(LedgerError) -> Batch {
    guard isUsable else { throw needsReopening() }
    let firstNew = head.size
    guard !entries.isEmpty else { return Batch(indices: [], firstNew: firstNew, tree: nil) }
    if !areAdmitted { try admit(entries) }
    isUsable = false
    // Who has a place keeps it. The store knows every entry below the head; above, only this batch is.
    var places = try claims.places(of: entries.map(\.identity))
    var indices: [LeafIndex] = []
    var added: [PreparedEntry] = []
    for entry in entries {
      let place = places[entry.identity] ?? firstNew.value + UInt64(added.count)
      if places.updateValue(place, forKey: entry.identity) == nil { added.append(entry) }
      indices.append(LeafIndex(place))
    }
    let tree = try sequence(added)
    isUsable = true
    return Batch(indices: indices, firstNew: firstNew, tree: tree)
  }

  /// Steps 1 to 4 for entries that are new, and 6 where no witness is needed.
  func sequence(_ added: [PreparedEntry]) throws(LedgerError) -> GrownTree? {
    if !added.isEmpty { try sequences.keep(added, from: head.size) }
    try reach(.sequenced)
    return try grow(added)
  }

  /// The receipts of a batch whose entries the published head covers.
  package func receipts(_ batch: Batch) throws(LedgerError) -> [LedgerReceipt] {
    let view = try view()
    let nodes = view.nodes()
    var receipts: [LedgerReceipt] = []
    var answered: Set<LeafIndex> = []
    let note = view.signedHead.note
    for index in batch.indices {
      let wasKnown = batch.firstNew.contains(index) || !answered.insert(index).inserted
      // From memory where the head is the batch's own: then each proof is made where it is asked for.
      if let tree = batch.tree, tree.size == view.head.size, !batch.firstNew.contains(index) {
        receipts.append(
          LedgerReceipt(index: index, wasKnown: wasKnown, tree: tree, note: note))
        continue
      }
      let (leafHash, proof) = try view.inclusionProof(
        index: index, size: view.head.size, root: view.head.root, nodes)
      receipts.append(
        LedgerReceipt(
          index: index, leafHash: leafHash, wasKnown: wasKnown,
          proof: LogProof(index: index, proof: proof, note: note)))
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
  @discardableResult
  func grow(_ entries: [PreparedEntry]) throws(LedgerError) -> GrownTree? {
    guard !entries.isEmpty else { return nil }
    var growth =
      if let growth { growth } else { try TreeGrowth(reading: try signedView()) }
    // 2. What never changes once written.
    let (made, tree) = growth.append(entries)
    try files.createTogether(made.map { ($0.path, $0.bytes) })
    try reach(.stored)
    // 3. A root that two ways agree on.
    let new = TreeHead(origin: origin, size: tree.size, root: tree.root)
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
    claims.add(entries.map { ClaimStore.Item($0) })
    try reach(.headSwapped)
    // 6. Out to the readers.
    if !waitsForWitnesses { try publishHead(isNew: true) }
    try indexIfDue()
    return tree
  }

  /// Moves what entries can be found by into its tables: at once where nobody does so beside the writer, and
  /// else only when that one has fallen far behind.
  private func indexIfDue() throws(LedgerError) {
    if claims.tailCount >= (indexesElsewhere ? LocalLedger.tailLimit : 1) { try indexClaims() }
  }

  /// Until nothing is left behind.
  func indexClaims() throws(LedgerError) {
    guard claims.tailCount > 0 else { return }
    let view = try signedView()
    // Where somebody indexes beside the writer, he merges too: the writer waits for no merge.
    while try claims.index(
      origin: origin, merges: !indexesElsewhere,
      reading: { index throws(LedgerError) in try view.entry(index) }) > 0
    {}
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
    // Both lie in one folder, which the second one syncs.
    try files.replace(LedgerPath.treeHead, with: published.note.encoded, syncsFolder: !isNew)
    try reach(.treeHeadPublished)
    if isNew { try files.append(LedgerPath.history, try publishedLine()) }
    try reach(.historyWritten)
  }

  /// The published head's line in `history`, which has the log's own signature alone.
  func publishedLine() throws(LedgerError) -> [UInt8] {
    try PublishedHead(signed: try signed(record.published)).line
  }

  /// Bytes of `history` once the published head's line is in it.
  private func historyEnd() throws(LedgerError) -> Int {
    record.historyByteCount + (try publishedLine().count)
  }

  private func swap(for next: HeadDatabase.Record) throws(LedgerError) {
    try heads.swap(record, for: next)
    record = next
  }

  func needsReopening() -> LedgerError {
    LedgerError(
      .needsReopening, "an earlier failure left this ledger half-written",
      remedy: "open it again, which finishes or undoes that work", path: directory)
  }

  func reach(_ step: AppendStep) throws(LedgerError) {
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
