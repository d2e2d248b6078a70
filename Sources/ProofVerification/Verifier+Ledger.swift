internal import Cryptography
internal import MerkleTrees
internal import ProofArchive
internal import ProofPrimitives
internal import TransparencyLedger

extension Verifier {
  /// The proof's entry is on the ledger, under a head that goes on from what this client saw before.
  ///
  /// Entries are read from the bundles and hashed up to the signed head: an index that somebody else
  /// keeps cannot hide one.
  func checkLedger() throws(CheckStop) -> [String] {
    guard let ledger else { return [] }
    let reader = try opened()
    guard let seal = reader.seal else { return [] }
    if let headMemory, isOn(.headMemory) {
      try asking { () throws(LedgerError) in try headMemory.check(ledger) }
    }
    guard ledger.head.size.value <= Verifier.entryLimit else {
      throw .undecided(
        "the log's head covers \(ledger.head.size) entries; this verifier reads each one, and at most "
          + "\(Verifier.entryLimit)", code: LedgerError.Code.tooLarge.name,
        remedy: "use a ledger that proves its look-ups, or a newer pol")
    }
    let statements = try asking { () throws(LedgerError) in try ledger.countedStatements() }
    entries = statements.counting
    if !isOn(.withdrawal) {
      entries = (entries + statements.withdrawn).sorted { $0.index < $1.index }
    }
    entriesByLeaf = Dictionary(
      entries.map { ($0.leafHash, $0) }, uniquingKeysWith: { first, _ in first })
    if let receipt = options.receipt, isOn(.receipt) { try check(receipt, ledger, seal) }
    isLedgerSound = true
    let published = published(seal)
    guard let first = published.first else {
      if !isOn(.ledgerInclusion) { return ["not on the ledger (not required)"] }
      if let index = statements.withdrawals[seal.proverKey],
        statements.withdrawn.contains(where: { names($0, seal) })
      {
        throw .undecided(
          "the prover withdrew this key at index \(index), before the archive was published",
          code: LedgerError.Code.withdrawnKey.name,
          remedy: "ask the prover for a proof that was published before, or under another key")
      }
      throw .undecided(
        "no entry of the ledger names this archive under this prover's key", code: "notPublished",
        remedy: "ask the prover to publish it (`pol publish`), or give the ledger it is on")
    }
    // A receipt may be for any of them, and each is the prover's word.
    for found in published { try compare(found.statement, seal, reader) }
    proofs = published.map(\.statement)
    proofEntries = published.map(\.entry)
    let leaves = Set(proofEntries.map(\.leafHash))
    parts = entries.compactMap { entry in
      guard case .proofPart(let part) = entry.signed.statement, leaves.contains(part.proof),
        entry.signed.key == seal.proverKey
      else { return nil }
      return part
    }
    proofIndex = first.entry.index.value
    let standings = published.map { standing(of: $0.entry) }
    claimedAt = standings.map(\.committedAt).min()
    assurance = .ledgered
    var evidence = [
      "entry \(first.entry.index) of \(ledger.head.size) on \(printable(ledger.head.origin)), under the "
        + "signed tree head"
    ]
    for standing in standings {
      switch standing.opening {
      case .none: break
      case .valid(let index):
        evidence.append("fixed by the hidden entry \(index), opened at index \(standing.openedAt)")
      case .invalid(let reason):
        evidence.append("the opening at index \(standing.openedAt) counts for nothing: \(reason)")
      }
    }
    if let index = statements.withdrawals[seal.proverKey] {
      evidence.append("the prover withdrew this key later, at index \(index)")
    }
    return evidence
      + (options.isLogKeyPinned ? [] : ["the log's key is its own word: pin it with --ledger-key"])
  }

  private func names(_ entry: LocatedStatement, _ seal: Seal) -> Bool {
    guard case .proof(let proof) = entry.signed.statement else { return false }
    return entry.signed.key == seal.proverKey && proof.sealDigest == seal.digest
  }

  private func standing(of entry: LocatedStatement) -> ClaimStanding {
    ClaimStanding(of: entry, logOrigin: ledger?.head.origin ?? "") { entriesByLeaf[$0] }
  }

  /// A million entries, a few GiB of bundles: a log can sign any size and serve tiny entries for ever.
  static let entryLimit: UInt64 = 1 << 20

  /// The prover's own statements that name this seal; or the first that names its records, which then
  /// differs from the archive.
  private func published(
    _ seal: Seal
  ) -> [(entry: LocatedStatement, statement: ProofStatement)] {
    let own = entries.compactMap { entry -> (entry: LocatedStatement, statement: ProofStatement)? in
      guard case .proof(let statement) = entry.signed.statement, entry.signed.key == seal.proverKey
      else { return nil }
      return (entry, statement)
    }
    let named = own.filter { $0.statement.sealDigest == seal.digest }
    guard named.isEmpty else { return named }
    let others = own.filter {
      $0.statement.archiveRoot == seal.archiveRoot && $0.statement.archiveID == seal.archiveID
    }
    return Array(others.prefix(1))
  }

  /// The receipt proves, offline, that the ledger holds this proof.
  private func check(
    _ receipt: LogProof, _ ledger: LedgerView, _ seal: Seal
  ) throws(CheckStop) {
    // The log signed this head once: its tree must still begin with it.
    let seen = try asking { () throws(LedgerError) in
      try SignedTreeHead(note: receipt.note, by: ledger.verifierKey, policy: ledger.policy)
    }.head
    guard seen.size <= ledger.head.size else {
      throw .undecided(
        "the log signed the receipt's head of \(seen.size) entries and now shows "
          + "\(ledger.head.size)", code: LedgerError.Code.rolledBack.name,
        remedy: "fetch the newest tree head; if it stays smaller, the log takes entries back")
    }
    guard
      try asking({ () throws(LedgerError) in try ledger.root(at: seen.size) }) == seen.root
    else {
      throw .undecided(
        "the log signed the receipt's head of \(seen.size) entries and now shows "
          + "\(ledger.head.size) entries that do not go on from it",
        code: LedgerError.Code.forked.name,
        remedy: "keep the receipt: with the head shown now it proves that the log broke its promise"
      )
    }
    let entry = entries.first { $0.index == receipt.index }
    guard case .proof(let statement)? = entry?.signed.statement, let entry,
      entry.signed.key == seal.proverKey, statement.sealDigest == seal.digest
    else {
      throw .undecided(
        "the receipt is for entry \(receipt.index), which is not this proof", code: "receipt",
        remedy: "ask the prover for the receipt of this archive")
    }
    _ = try asking { () throws(LedgerError) in
      try receipt.verify(
        leafHash: entry.leafHash, by: ledger.verifierKey, origin: ledger.head.origin,
        policy: ledger.policy)
    }
  }

  /// Everything the statement says that the archive says too.
  private func compare(
    _ statement: ProofStatement, _ seal: Seal, _ reader: ArchiveReader
  ) throws(CheckStop) {
    let opening = reader.opening
    let pairs: [(String, Bool)] = [
      ("archive id", statement.archiveID == seal.archiveID),
      ("archive root", statement.archiveRoot == seal.archiveRoot),
      ("model digest", statement.modelDigest == seal.modelDigest),
      ("step count", statement.steps == seal.stepCount),
      ("dataset root", statement.datasetRoot == opening.datasetRoot),
      ("policy digest", statement.policyDigest == opening.policyDigest),
      ("settings digest", statement.settingsDigest == opening.settingsDigest),
      ("commitment", statement.commitment == (opening.commitment?.leafHash ?? .zero)),
      ("log", statement.logOrigin == (opening.commitment?.logOrigin ?? "")),
    ]
    for (name, isEqual) in pairs where !isEqual {
      throw .refuted("the published statement and the archive differ in their \(name)")
    }
    // A repack is sealed anew over the same records: nothing false was signed.
    guard statement.sealDigest == seal.digest else {
      throw .undecided(
        "the ledger names another seal over the same records: this one was not published",
        code: "otherSeal", remedy: "ask the prover to publish the archive as it is now")
    }
  }

  /// As many claims as a person reads: anybody may log more.
  private static let claimLimit = 32

  /// Who else claims this model or this archive, and what that means for this proof.
  func checkClaims() throws(CheckStop) -> [String] {
    guard ledger != nil, isLedgerSound else { return [] }
    let reader = try opened()
    guard let seal = reader.seal else { return [] }
    var evidence: [String] = []
    let ownCommitment = reader.opening.commitment.map { LeafIndex($0.index) }
    let ownCheckpoints = Set(proofs.flatMap(\.checkpointWeights))
    for entry in entries where entry.signed.key != seal.proverKey {
      guard case .proof(let rival) = entry.signed.statement else { continue }
      let who = "key \(entry.signed.key.keyID.short)… at index \(entry.index)"
      if rival.archiveRoot == seal.archiveRoot
        || rival.commitment == reader.opening.commitment?.leafHash
      {
        evidence.append("replay claim by \(who): this archive names another key in record 0")
        continue
      }
      // Nothing binds an archive id before the seal: whoever copied it, it decides nothing.
      if rival.archiveID == seal.archiveID {
        evidence.append("the same archive id is used by \(who)")
      }
      guard
        rival.modelDigest == seal.modelDigest
          || rival.checkpointWeights.contains(seal.modelDigest)
      else {
        if ownCheckpoints.contains(rival.modelDigest) {
          evidence.append("a checkpoint of this run is claimed as a model by \(who)")
        }
        continue
      }
      let rivalStanding = standing(of: entry)
      let rivalCommitment = rivalStanding.runCommitment
      // A proof that is verified stands on its commitment, whoever spoke first. Where neither has one,
      // nothing is proved of either start, and the claims' own places decide.
      let isOlder =
        switch (rivalCommitment, ownCommitment) {
        case (let rival?, let own?): rival < own
        case (_?, nil): true
        case (nil, _?): false
        case (nil, nil): claimedAt.map { rivalStanding.committedAt < $0 } ?? true
        }
      if isOlder,
        options.refutedRivals.contains(
          RefutedRival(keyID: entry.signed.key.keyID, archiveRoot: rival.archiveRoot))
      {
        evidence.append("also claimed by \(who), on an older commitment; its proof does not hold")
        continue
      }
      if isOlder, isOn(.contested) {
        throw .undecided(
          "contested: \(who) claims the same model, "
            + (rivalCommitment.map { "on a commitment (index \($0)) older than this one's" }
              ?? "first (fixed at index \(rivalStanding.committedAt)); neither has a commitment"),
          code: "contested",
          remedy:
            "pass that proof's archive as --rival ARCHIVE: the older commitment has it, unless "
            + "its proof is refuted")
      }
      evidence.append(
        "also claimed by \(who), on "
          + (rivalCommitment.map { "a later commitment (index \($0))" }
            ?? "no commitment of its own") + ": this one is older")
    }
    guard !evidence.isEmpty else { return ["nobody else claims this model or this archive"] }
    let more = evidence.count - Verifier.claimLimit
    return evidence.prefix(Verifier.claimLimit) + (more > 0 ? ["and \(more) more"] : [])
  }

  /// The commitment was logged before the training, by this key, and says what the archive says; the
  /// run seed depends on the first head that covered it.
  func checkCommitment() throws(CheckStop) -> [String] {
    guard let ledger, isLedgerSound else {
      try checkPolicies()
      return []
    }
    let opening = try opened().opening
    guard isOn(.commitment) else {
      try checkPolicies()
      return ["not required"]
    }
    guard let commitment = opening.commitment else {
      throw .undecided(
        "record 0 names no commitment: nothing says when the training began", code: "unproved",
        remedy: "train with --ledger, which commits before it starts")
    }
    let own = entries.first { $0.index.value == commitment.index }
    guard commitment.logOrigin == ledger.head.origin else {
      throw .undecided(
        "the commitment is on another log: \(printable(commitment.logOrigin))",
        code: "wrongOrigin", remedy: "verify with that ledger")
    }
    guard commitment.headSize <= ledger.head.size.value else {
      throw .undecided(
        "the commitment's tree head has \(commitment.headSize) entries, the ledger shows "
          + "\(ledger.head.size)", code: LedgerError.Code.beyondHead.name,
        remedy: "fetch the newest tree head")
    }
    // What stands under this head the prover has signed; under another one it is the log's word
    // against his, and a log that forked must not refute him.
    let size = TreeSize(commitment.headSize)
    guard try asking({ () throws(LedgerError) in try ledger.root(at: size) }) == commitment.headRoot
    else {
      throw .undecided(
        "the ledger's tree does not begin with the one of \(size) entries that the run seed was made "
          + "from: the prover invented it, or the log forked", code: LedgerError.Code.forked.name,
        remedy: "ask the prover for the signed head; the log's signature under it proves a fork")
    }
    guard let own, own.leafHash == commitment.leafHash,
      case .commitment(let statement) = own.signed.statement
    else {
      throw .refuted("entry \(commitment.index) of the ledger is not the commitment of record 0")
    }
    guard own.signed.key == opening.proverKey else {
      throw .refuted(
        "a replay claim: the commitment at index \(own.index) is key "
          + "\(own.signed.key.keyID.short)…'s", code: "replayClaim")
    }
    guard proofIndex.map({ own.index.value < $0 }) ?? true else {
      throw .refuted("the commitment stands after the proof")
    }
    let pairs: [(String, Bool)] = [
      ("log", statement.logOrigin == commitment.logOrigin),
      ("dataset", statement.datasetRoot == opening.datasetRoot),
      ("policy", statement.policyDigest == opening.policyDigest),
      ("settings", statement.settingsDigest == opening.settingsDigest),
      (
        "run secret",
        statement.runSecretDigest == SHA256.hash(.runSecret, opening.runSecret.bytes)
      ),
    ]
    for (name, isEqual) in pairs where !isEqual {
      throw .refuted("the archive's \(name) is not the one committed to at index \(own.index)")
    }
    let first = try asking { () throws(LedgerError) in
      try ledger.firstHead(covering: LeafIndex(commitment.index))
    }
    guard first.head.size == size else {
      // A line of the history can be withheld, and nothing signs that it was there.
      if size < first.head.size {
        throw .undecided(
          "the ledger's history does not list the tree head of \(size) entries that the run seed "
            + "was made from, though its tree begins with it",
          code: LedgerError.Code.notPublished.name,
          remedy: "fetch the history again, or ask the prover for the signed head")
      }
      throw .refuted(
        "the run seed was not made from the first tree head that covers the commitment")
    }
    isCommitted = true
    if assurance == .ledgered { assurance = .committed }
    try checkPolicies()
    return [
      "logged at index \(own.index)"
        + (proofIndex.map { ", \($0 - own.index.value) before the proof" } ?? "")
        + "; dataset, settings and policy are the committed ones"
    ]
  }
}
