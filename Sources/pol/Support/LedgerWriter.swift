import ChunkStorage
import Cryptography
import Glibc
import MerkleTrees
import ProofPrimitives
import ProofVerification
import TransparencyLedger

/// A log to add to: in its folder, as its one writer, or through the service of that writer.
enum LedgerWriter {
  case folder(LocalLedger)
  case service(RemoteLedger)

  struct Addition {
    let index: LeafIndex
    let proof: LogProof
    let wasKnown: Bool
    /// The log as the head of the receipt shows it.
    let view: LedgerView
  }

  init(_ location: String) throws(LedgerError) {
    if location.hasPrefix("http://") || location.hasPrefix("https://") {
      self = .service(try RemoteLedger(location))
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
      self = .folder(ledger)
    } catch {
      guard error.code == .inUse else { throw error }
      throw LedgerError(
        .inUse, "another process writes to this ledger, which has one writer at a time",
        remedy: "give the URL of the service that runs, or stop it", path: printable(location))
    }
  }

  var origin: String {
    switch self {
    case .folder(let ledger): ledger.origin
    case .service(let ledger): ledger.verifierKey.name
    }
  }

  /// The log as it is now published.
  func view() throws(LedgerError) -> LedgerView {
    switch self {
    case .folder(let ledger): try ledger.view()
    case .service(let ledger): try ledger.view()
    }
  }

  /// Adds one entry and answers once it is under a published head.
  func add(_ entry: [UInt8]) throws(LedgerError) -> Addition { try add([entry]) }

  /// Adds entries in their order, in a folder as one batch, and answers for the first once all stand under
  /// a published head.
  func add(_ entries: [[UInt8]]) throws(LedgerError) -> Addition {
    var first: Addition?
    switch self {
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
    return first
  }
}

/// A log behind `pol ledger serve` (`spec/ledger-service.md` §5). Its answers are checked: a receipt
/// that does not verify is no receipt.
struct RemoteLedger {
  let url: String
  /// The log's own word; whoever verifies later pins it.
  let verifierKey: NoteVerifierKey
  private let source: ObjectLedgerSource
  private let post: HTTPPost

  init(_ url: String) throws(LedgerError) {
    self.url = url
    do throws(StorageError) {
      source = ObjectLedgerSource(try openObjectSource(url))
      post = try HTTPPost(url, path: "/add")
    } catch {
      throw RemoteLedger.failure(error)
    }
    verifierKey = try source.statedVerifierKey()
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
    let head = try proof.verify(leafHash: leafHash, by: verifierKey, origin: verifierKey.name)
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
