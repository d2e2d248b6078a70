import ChunkStorage
import Cryptography
import Glibc
import MerkleTrees
import ProofPrimitives
import ProofVerification
import TransparencyLedger

/// A log to add to: in its folder, as its one writer, or through the service of that writer.
///
/// Whatever head it shows is judged as any reader's: by the policy, and by the head that is remembered.
struct LedgerWriter {
  private enum Way {
    case folder(LocalLedger)
    case service(RemoteLedger)
  }

  private let way: Way
  private let trust: LedgerTrust

  struct Addition {
    let index: LeafIndex
    let proof: LogProof
    let wasKnown: Bool
    /// The log as the head of the receipt shows it.
    let view: LedgerView
  }

  init(_ location: String, _ trust: LedgerTrust) throws(LedgerError) {
    self.trust = trust
    if location.hasPrefix("http://") || location.hasPrefix("https://") {
      way = .service(try RemoteLedger(location, policy: trust.policy))
      return
    }
    guard access("\(location)/checkpoint", F_OK) == 0 || access("\(location).private", F_OK) == 0
    else {
      throw LedgerError(
        .notALedger, "no ledger is here",
        remedy: "make one with `pol ledger init`, or check the path", path: printable(location))
    }
    do throws(LedgerError) {
      let ledger = try LocalLedger.open(at: location)
      ledger.admission = .statements
      way = .folder(ledger)
    } catch {
      guard error.code == .inUse else { throw error }
      throw LedgerError(
        .inUse, "another process writes to this ledger, which has one writer at a time",
        remedy: "give the URL of the service that runs, or stop it", path: printable(location))
    }
  }

  var origin: String {
    switch way {
    case .folder(let ledger): ledger.origin
    case .service(let ledger): ledger.verifierKey.name
    }
  }

  /// The log as it is now published.
  ///
  /// - Throws: `.quorumMissing`, `.notInPolicy`; `.rolledBack` and `.forked`, with the evidence at the
  ///   error's path.
  func view() throws(LedgerError) -> LedgerView {
    let view =
      switch way {
      case .folder(let ledger): try ledger.view()
      case .service(let ledger): try ledger.view()
      }
    return try judged(view)
  }

  private func judged(_ view: LedgerView) throws(LedgerError) -> LedgerView {
    let head = try SignedTreeHead(
      note: view.signedHead.note, by: view.verifierKey, policy: trust.policy)
    try trust.memory?.check(view)
    return LedgerView(
      source: view.source, verifierKey: view.verifierKey, signedHead: head, policy: trust.policy)
  }

  /// Adds one entry and answers once it is under a published head.
  func add(_ entry: [UInt8]) throws(LedgerError) -> Addition { try add([entry]) }

  /// Adds entries in their order, in a folder as one batch, and answers for the first once all stand under
  /// a published head.
  func add(_ entries: [[UInt8]]) throws(LedgerError) -> Addition {
    // A log that broke its promise gets nothing more.
    _ = try view()
    var first: Addition?
    switch way {
    case .service(let ledger):
      for entry in entries {
        let answer = try ledger.add(entry)
        first = first ?? answer
      }
    case .folder(let ledger):
      if let receipt = try ledger.append(entries).first {
        first = Addition(
          index: receipt.index, proof: receipt.proof, wasKnown: receipt.wasKnown,
          view: try ledger.view())
      }
    }
    guard let first else {
      throw LedgerError(.database, "nothing was added", remedy: "report this", path: origin)
    }
    return Addition(
      index: first.index, proof: first.proof, wasKnown: first.wasKnown,
      view: try judged(first.view))
  }
}

/// A log behind `pol ledger serve` (`spec/ledger-service.md` §5). Its answers are checked: a receipt
/// that does not verify is no receipt.
struct RemoteLedger {
  let url: String
  /// The policy's where it lists logs; else the log's own word, and whoever verifies later pins it.
  let verifierKey: NoteVerifierKey
  private let source: ObjectLedgerSource
  private let post: HTTPPost
  private let policy: LedgerPolicy?

  init(_ url: String, policy: LedgerPolicy?) throws(LedgerError) {
    self.url = url
    self.policy = policy
    do throws(StorageError) {
      source = ObjectLedgerSource(try openObjectSource(url))
      post = try HTTPPost(url, path: "/add")
    } catch {
      throw RemoteLedger.failure(error)
    }
    if let policy, !policy.logs.isEmpty {
      verifierKey = try LedgerView(source: source, policy: policy).verifierKey
    } else {
      verifierKey = try source.statedVerifierKey()
    }
  }

  func view() throws(LedgerError) -> LedgerView {
    try LedgerView(source: source, verifierKey: verifierKey)
  }

  func add(_ entry: [UInt8]) throws(LedgerError) -> LedgerWriter.Addition {
    let answer: HTTPPost.Answer
    do throws(StorageError) {
      // The receipt as a JSON string, whose line ends take six bytes each, and some members.
      answer = try post.send(
        entry, type: "application/vnd.dsse.envelope.v1+json", accept: "application/json",
        limit: 2 * LogProof.byteLimit)
    } catch {
      throw RemoteLedger.failure(error)
    }
    let document = try? JSONValue(parsing: answer.body, form: .relaxed)
    guard answer.status == 200 else { throw refusal(answer.status, document) }
    guard let document, let known = document["known"]?.boolValue,
      let text = document["receipt"]?.stringValue,
      let leafHash = document["leafHash"]?.stringValue.flatMap(Digest.init(hex:))
    else {
      throw LedgerError(
        .badProof, "the answer to an addition is not index, leaf hash and receipt",
        remedy: "check that the URL is that of `pol ledger serve`", path: url)
    }
    let proof = try LogProof(parsing: Array(text.utf8))
    let head = try proof.verify(
      leafHash: leafHash, by: verifierKey, origin: verifierKey.name, policy: policy)
    let view = LedgerView(source: source, verifierKey: verifierKey, signedHead: head)
    if leafHash != MerkleTree.leafHash(of: entry) {
      // The same statement with another valid signature may have been there before; nothing else.
      let stored = LedgerEntry.parse(try view.entry(proof.index).bytes).signed?.envelope.payload
      guard known, let stored, stored == (try? DSSEEnvelope(parsing: entry))?.payload else {
        throw LedgerError(
          .proofMismatch, "the receipt is of another entry", remedy: "tell the log's operator",
          path: url)
      }
    }
    return LedgerWriter.Addition(index: proof.index, proof: proof, wasKnown: known, view: view)
  }

  private func refusal(_ status: Int, _ problem: JSONValue?) -> LedgerError {
    let code = problem?["code"]?.stringValue.map { " (\(printable($0, limit: 40)))" } ?? ""
    let detail = problem?["detail"]?.stringValue.map { printable($0, limit: 300) }
    let remedy = problem?["remedy"]?.stringValue.map { printable($0, limit: 300) }
    return LedgerError(
      .inputOutput,
      "the log's service answers \(status)\(code)" + (detail.map { ": \($0)" } ?? ""),
      remedy: remedy ?? "check that the URL is that of `pol ledger serve`", path: url)
  }

  private static func failure(_ error: StorageError) -> LedgerError {
    LedgerError(
      .inputOutput, error.message, remedy: error.remedy, path: error.place, cause: error)
  }
}
