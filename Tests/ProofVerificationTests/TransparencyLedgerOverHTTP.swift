import ChunkStorage
import ProofVerification
import TransparencyLedger

/// A ledger's public folder behind a web server.
enum TransparencyLedgerOverHTTP {
  static func view(_ url: String, key: NoteVerifierKey) throws -> LedgerView {
    try LedgerView(source: ObjectLedgerSource(try openObjectSource(url)), verifierKey: key)
  }
}
