import ChunkStorage
package import Cryptography
package import MerkleTrees
package import ProofPrimitives

/// What the log answers for one entry.
package struct LedgerReceipt: Sendable {
  package let index: LeafIndex
  /// The entry was in the log before; the receipt is of its first place.
  package let wasKnown: Bool
  private let source: Source

  private enum Source: Sendable {
    case made(leafHash: Digest, LogProof)
    /// The tree that the entry is a new leaf of, and its signed head.
    case tree(GrownTree, SignedNote)
  }

  init(index: LeafIndex, leafHash: Digest, wasKnown: Bool, proof: LogProof) {
    self.index = index
    self.wasKnown = wasKnown
    source = .made(leafHash: leafHash, proof)
  }

  init(index: LeafIndex, wasKnown: Bool, tree: GrownTree, note: SignedNote) {
    self.index = index
    self.wasKnown = wasKnown
    source = .tree(tree, note)
  }

  /// Of the entry as it stands in the log. Where that is the same statement with another signature,
  /// it is not the hash of what was submitted.
  package var leafHash: Digest {
    switch source {
    case .made(let leafHash, _): leafHash
    case .tree(let tree, _): tree.node(at: NodePosition(level: 0, index: index.value))
    }
  }

  /// Made when asked for, by whoever asks: the writer goes on meanwhile.
  package var proof: LogProof {
    switch source {
    case .made(_, let proof): proof
    case .tree(let tree, let note):
      LogProof(
        index: index,
        proof: tree.inclusionProof(newLeaf: index) ?? InclusionProof(hashes: []), note: note)
    }
  }
}

/// A log in a folder, with one writer (`spec/ledger.md` §6).
///
/// The folder is public and can be served as it is. Beside it stands `<folder>.private`, which the
/// owner keeps: the signing key, the sequence and index, and the last signed head.
///
/// Not for use from several tasks at once: one of them owns it.
package final class LocalLedger {
  /// Where tests make an append stop; each name stands after its step took effect.
  package enum AppendStep: String, CaseIterable, Sendable {
    case sequenced, stored, rechecked, headSwapped
    /// Only where a log is ended.
    case endStored
    /// These two only where a policy asks for witnesses.
    case cosigned, cosignaturesStored
    case treeHeadPublished, historyWritten
  }

  package let directory: String
  package let verifierKey: NoteVerifierKey
  package var failpoint: (AppendStep) throws -> Void = { _ in }
  package var admission = Admission.Rule.opaqueToo
  /// Whose cosignatures a head needs before it is published (`spec/witness.md` §7).
  package private(set) var policy: LedgerPolicy?
  /// Asks the policy's witnesses, and gives the head's note with their lines.
  package var collectCosignatures: ((LedgerView) throws(LedgerError) -> SignedNote)?

  let files: DurableFiles
  let signer: NoteSigner
  /// Signs index roots and nothing else.
  package let indexKey: SigningKey
  private let secrets: DurableFiles
  let heads: HeadDatabase
  let sequences: SequenceDatabase
  /// What entries can be found by; for readers too, beside the writer.
  package let claims: ClaimStore
  /// Somebody else calls `ClaimStore.index`, beside the writer.
  package var indexesElsewhere = false
  /// Entries that may wait to be indexed: opening the log reads them again, a tenth of a millisecond each.
  package static let tailLimit = 8192
  /// The last head that was signed here: signing gives the same bytes again.
  private var lastSigned: SignedTreeHead?
  private let lock: HeldLock
  var record: HeadDatabase.Record
  var growth: TreeGrowth?
  /// What the log may take.
  var life: HeadDatabase.Life
  /// False after anything failed half-way: what is in memory may no longer be what is on disk.
  var isUsable = true

  package var origin: String { verifierKey.name }
  /// The last head that was signed.
  package var head: TreeHead { record.head }
  /// The last head that readers have; behind `head` while witnesses are asked.
  package var published: TreeHead { record.published }
  package var waitsForWitnesses: Bool { policy?.asksForWitnesses ?? false }
  package var source: DirectoryLedgerSource { DirectoryLedgerSource(directory: directory) }

  static func privateDirectory(of directory: String) -> String {
    var name = Substring(directory)
    while name.count > 1, name.hasSuffix("/") { name = name.dropLast() }
    return name + ".private"
  }

  /// Starts a new log. Nothing that is there is ever written over.
  ///
  /// - Parameter key: The signing key; a new one when nil.
  package static func create(
    at directory: String, origin: String, key: SigningKey? = nil
  ) throws(LedgerError) -> LocalLedger {
    let files = DurableFiles(root: directory)
    let secrets = DurableFiles(root: privateDirectory(of: directory))
    for folder in [files, secrets] {
      guard try folder.isVacant() else {
        throw LedgerError(
          .alreadyExists, "the folder is not empty", remedy: "choose a new one", path: folder.root)
      }
    }
    let signingKey: SigningKey
    do {
      signingKey = if let key { key } else { try SigningKey.generate() }
    } catch {
      throw LedgerError(
        .cryptography, "no key could be made", remedy: error.remedy, cause: error)
    }
    let signer = try NoteSigner(name: origin, key: signingKey)
    try secrets.makeRoot(mode: 0o700)
    try files.makeRoot(mode: 0o755)
    // The head record comes last of the private files: without it nothing opens.
    try secrets.replace("log.pem", with: Array(signingKey.pem.utf8), mode: 0o600)
    _ = try SequenceDatabase(path: secrets.place("index.sqlite"))
    let empty = TreeHead(origin: origin, size: .zero, root: MerkleTree.emptyRoot)
    _ = try HeadDatabase(creatingAt: secrets.place("head.sqlite"), head: empty)
    try files.replace(LedgerPath.verifierKey, with: Array("\(signer.verifierKey)\n".utf8))
    // Opening publishes the empty tree's head, as it would after a crash here.
    return try LocalLedger(directory: directory)
  }

  /// Opens a log and finishes what a crash left unfinished.
  ///
  /// - Parameter claims: The store of this log that the process has open, where it has.
  package static func open(
    at directory: String, claims: ClaimStore? = nil
  ) throws(LedgerError) -> LocalLedger {
    try LocalLedger(directory: directory, claims: claims)
  }

  private init(directory: String, claims known: ClaimStore? = nil) throws(LedgerError) {
    self.directory = directory
    files = DurableFiles(root: directory)
    secrets = DurableFiles(root: LocalLedger.privateDirectory(of: directory))
    guard let pem = try secrets.read("log.pem", limit: 65_536),
      try secrets.read("head.sqlite", limit: 1 << 24) != nil
    else {
      throw LedgerError(
        .notALedger, "the private folder lacks the key or the record of the last signed head",
        remedy: "give the folder that `pol ledger init` made; a lost record cannot be made again",
        path: secrets.root)
    }
    lock = try secrets.lock("lock")
    heads = try HeadDatabase(openingAt: secrets.place("head.sqlite"))
    record = try heads.record()
    life = try heads.life()
    do {
      signer = try NoteSigner(name: record.head.origin, key: try SigningKey(pem: pem))
    } catch let error as CryptographyError {
      throw LedgerError(
        .badKey, error.message, remedy: error.remedy, path: secrets.place("log.pem"))
    } catch let error as LedgerError {
      throw error
    } catch {
      throw LedgerError(.badKey, "the key is not readable", remedy: "restore it", cause: error)
    }
    verifierKey = signer.verifierKey
    for name in ["index.sqlite", "claims.sqlite"] {
      for suffix in ["", "-wal", "-shm"] {
        // SQLite would follow a link; a look first is enough in a folder that only its owner changes.
        _ = try secrets.isRegularOrMissing(name + suffix)
      }
    }
    indexKey = try LocalLedger.indexKey(in: secrets)
    sequences = try SequenceDatabase(path: secrets.place("index.sqlite"))
    claims = if let known { known } else { try ClaimStore(path: secrets.place("claims.sqlite")) }
    if let text = try secrets.read(LocalLedger.policyFile, limit: LedgerPolicy.byteLimit) {
      let policy = try LedgerPolicy(parsing: text)
      try policy.checkLists(verifierKey)
      self.policy = policy
    }
    try recover()
    let stated = Array("\(Hex.encode(indexKey.verifyingKey.rawBytes))\n".utf8)
    if try files.read(LedgerPath.indexKey, limit: 4096) != stated {
      try files.replace(LedgerPath.indexKey, with: stated)
    }
  }

  /// The key of index roots; made where there is none. A log that lost it goes on with another, which
  /// whoever pinned the old one notices.
  private static func indexKey(in secrets: DurableFiles) throws(LedgerError) -> SigningKey {
    do {
      if let pem = try secrets.read("index.pem", limit: 65_536) { return try SigningKey(pem: pem) }
      let key = try SigningKey.generate()
      try secrets.replace("index.pem", with: Array(key.pem.utf8), mode: 0o600)
      return key
    } catch let error as LedgerError {
      throw error
    } catch {
      throw LedgerError(
        .badKey, "the key of index roots is not readable",
        remedy: "restore it, or move it away: then a new one is made",
        path: secrets.place("index.pem"), cause: error)
    }
  }

  private static let policyFile = "ledger-policy"

  /// From now on heads are published by this policy, by every program that opens the ledger.
  ///
  /// A head that waits for a quorum goes on waiting, unless the policy asks for none: then it is
  /// published now.
  package func setPolicy(_ policy: LedgerPolicy) throws(LedgerError) {
    try policy.checkLists(verifierKey)
    try secrets.replace(LocalLedger.policyFile, with: policy.text, mode: 0o600)
    self.policy = policy
    try publishWithoutWitnesses()
  }

  /// The receipt of an entry, against the published head.
  package func receipt(_ index: LeafIndex) throws(LedgerError) -> LogProof {
    try view().receipt(index)
  }

  /// The ledger as its readers have it.
  package func view() throws(LedgerError) -> LedgerView {
    try view(of: try publishedHead())
  }

  /// The ledger under the last signed head, which may not be published yet: what witnesses are shown.
  package func signedView() throws(LedgerError) -> LedgerView {
    try view(of: try signedHead())
  }

  private func view(of head: SignedTreeHead) throws(LedgerError) -> LedgerView {
    LedgerView(source: source, verifierKey: verifierKey, signedHead: head)
  }

  /// Makes the index again from the bundles.
  package func rebuildIndex() throws(LedgerError) {
    try claims.clear()
    try readTail(of: try signedView())
  }

  /// Signs the head that stands in `head.sqlite`.
  func signedHead() throws(LedgerError) -> SignedTreeHead { try signed(try checkedRecord().head) }

  /// The published head with its cosignatures, the same bytes each time.
  func publishedHead() throws(LedgerError) -> SignedTreeHead {
    let stored = try checkedRecord()
    let own = try signed(stored.published)
    guard !stored.cosignatures.isEmpty else { return own }
    return try SignedTreeHead(parsing: own.note.encoded + stored.cosignatures, by: verifierKey)
  }

  /// The note of a head that the record allows.
  func signed(_ head: TreeHead) throws(LedgerError) -> SignedTreeHead {
    if let lastSigned, lastSigned.head == head { return lastSigned }
    let signed = try SignedTreeHead(signing: head, by: signer)
    lastSigned = signed
    return signed
  }

  /// Nothing is signed but what stands in `head.sqlite`.
  private func checkedRecord() throws(LedgerError) -> HeadDatabase.Record {
    let stored = try heads.record()
    guard stored == record else {
      isUsable = false
      throw LedgerError(
        .headConflict, "the last signed head is not the one this process knows",
        remedy: "find out what else writes to this ledger, then open it again")
    }
    return stored
  }
}
