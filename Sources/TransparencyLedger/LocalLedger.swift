import ChunkStorage
package import Cryptography
package import MerkleTrees
package import ProofPrimitives

/// What the log answers for one entry.
package struct LedgerReceipt: Sendable {
  package let index: LeafIndex
  /// Of the entry as it stands in the log. Where that is the same statement with another signature,
  /// it is not the hash of what was submitted.
  package let leafHash: Digest
  package let proof: LogProof
  /// The entry was in the log before; the receipt is of its first place.
  package let wasKnown: Bool
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
  private let secrets: DurableFiles
  let heads: HeadDatabase
  let sequence: SequenceDatabase
  private let lock: HeldLock
  var record: HeadDatabase.Record
  var growth: TreeGrowth?
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
  package static func open(at directory: String) throws(LedgerError) -> LocalLedger {
    try LocalLedger(directory: directory)
  }

  private init(directory: String) throws(LedgerError) {
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
    for name in ["index.sqlite", "index.sqlite-wal", "index.sqlite-shm"] {
      // SQLite would follow a link; a look first is enough in a folder that only its owner changes.
      _ = try secrets.isRegularOrMissing(name)
    }
    sequence = try SequenceDatabase(path: secrets.place("index.sqlite"))
    if let text = try secrets.read(LocalLedger.policyFile, limit: LedgerPolicy.byteLimit) {
      let policy = try LedgerPolicy(parsing: text)
      try policy.checkLists(verifierKey)
      self.policy = policy
    }
    try recover()
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
    try sequence.rebuild(from: try signedView().allEntries())
  }

  /// Signs the head that stands in `head.sqlite`.
  func signedHead() throws(LedgerError) -> SignedTreeHead {
    try SignedTreeHead(signing: try checkedRecord().head, by: signer)
  }

  /// The published head with its cosignatures, the same bytes each time.
  func publishedHead() throws(LedgerError) -> SignedTreeHead {
    let stored = try checkedRecord()
    let own = try SignedTreeHead(signing: stored.published, by: signer)
    return try SignedTreeHead(parsing: own.note.encoded + stored.cosignatures, by: verifierKey)
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
