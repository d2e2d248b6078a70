import Hummingbird
import MerkleTrees
import NIOPosix
import ProofPrimitives
import Synchronization
import TransparencyLedger

/// `GET /lookup` (`spec/ledger-service.md` §12).
final class LookupRoute: Sendable {
  private let source: DirectoryLedgerSource
  private let verifierKey: NoteVerifierKey
  private let claims: ClaimStore
  private let map: StoredClaimMap
  /// The newest head: its signature is checked once.
  private let newest = Mutex<SignedTreeHead?>(nil)
  private let roots = IndexRootMemory()

  init(directory: String, verifierKey: NoteVerifierKey, claims: ClaimStore, map: StoredClaimMap) {
    source = DirectoryLedgerSource(directory: directory)
    self.verifierKey = verifierKey
    self.claims = claims
    self.map = map
  }

  func answer(_ claim: Claim, from start: UInt64) async throws -> Response {
    let document = try await NIOThreadPool.singleton.runIfActive {
      do {
        return try LookupAnswer(
          to: claim, from: start, index: ClaimIndex(self.claims), map: self.map,
          roots: self.roots,
          view: { () throws(LedgerError) in try self.view() }
        ).encoded
      } catch {
        throw ServiceProblem.internalFailure
      }
    }
    return Response(type: "application/json", momentary: document)
  }

  private func view() throws(LedgerError) -> LedgerView {
    guard let bytes = try source.read(path: "checkpoint", limit: SignedNote.byteLimit) else {
      throw LedgerError(.missing, "no tree head is published", remedy: "try again later")
    }
    let known = newest.withLock { $0 }
    let head: SignedTreeHead
    if let known, known.note.encoded == bytes {
      head = known
    } else {
      head = try SignedTreeHead(parsing: bytes, by: verifierKey)
      newest.withLock { $0 = head }
    }
    return LedgerView(source: source, verifierKey: verifierKey, signedHead: head)
  }
}
