import MerkleTrees
import Synchronization
import TransparencyLedger

/// What a service without a writer knows of its log: read anew each time, but for what a size decides.
final class PublishedState: Sendable {
  private let source: DirectoryLedgerSource
  private let verifierKey: NoteVerifierKey
  private let known = Mutex<(size: UInt64, hasEnded: Bool)?>(nil)

  init(_ source: DirectoryLedgerSource, _ verifierKey: NoteVerifierKey) {
    self.source = source
    self.verifierKey = verifierKey
  }

  func size() throws(LedgerError) -> UInt64 { try view().head.size.value }

  func hasEnded() throws(LedgerError) -> Bool {
    let view = try view()
    let size = view.head.size.value
    if let known = known.withLock({ $0 }), known.size == size { return known.hasEnded }
    let hasEnded = try view.end() != nil
    known.withLock { $0 = (size, hasEnded) }
    return hasEnded
  }

  private func view() throws(LedgerError) -> LedgerView {
    try LedgerView(source: source, verifierKey: verifierKey)
  }
}
