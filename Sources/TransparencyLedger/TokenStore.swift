import ChunkStorage
package import Cryptography
import ProofPrimitives

/// Where the owner of a ledger keeps tokens, beside the tree and for everybody to read (`spec/time.md` §6).
///
/// Files are named by their SHA-256 and never change; the index only grows. Files come first, so that a crash
/// leaves at worst files that nothing names.
package struct TokenStore: Sendable {
  private let files: DurableFiles
  private let secrets: DurableFiles

  /// - Throws: `.notALedger` where the private folder, which is the owner's, is not there.
  package init(directory: String) throws(LedgerError) {
    files = DurableFiles(root: directory)
    secrets = DurableFiles(root: LocalLedger.privateDirectory(of: directory))
    guard try !secrets.isVacant() else {
      throw LedgerError(
        .notALedger, "the ledger's private folder is not here: tokens are stored by its owner",
        remedy: "ask for a token of your own with `pol time stamp`", path: directory)
    }
  }

  package func index() throws(LedgerError) -> TimeIndex {
    try DirectoryLedgerSource(directory: files.root).timeIndex() ?? TimeIndex()
  }

  /// Stores a token and what it is judged by. What is there already is not written again.
  ///
  /// Takes turns with other processes that stamp; the log's writer is not asked.
  package func add(
    _ token: TimestampToken, for subject: TimeSubject, certificates: [[UInt8]] = [],
    revocationLists: [[UInt8]] = []
  ) throws(LedgerError) {
    let lock = try secrets.lock("time-lock", waits: true)
    try withExtendedLifetime(lock) { () throws(LedgerError) in
      let bytes = try files.read(TimePath.index, limit: TimeIndex.byteLimit) ?? []
      let index = try TimeIndex(parsing: bytes)
      let digest = SHA256.hash(token.der)
      try files.createOnce(TimePath.token(digest).path, token.der)
      var lines = [TimeLine.token(subject, digest)]
      for certificate in certificates {
        let file = SHA256.hash(certificate)
        try files.createOnce(TimePath.certificate(file).path, certificate)
        lines.append(.certificate(digest, file))
      }
      for list in revocationLists {
        let file = SHA256.hash(list)
        try files.createOnce(TimePath.revocationList(file).path, list)
        lines.append(.revocationList(digest, file))
      }
      let known = Set(index.lines)
      let text = Array(lines.filter { !known.contains($0) }.map(\.text).joined().utf8)
      let whole = bytes.lastIndex(of: 10).map { $0 + 1 } ?? 0
      guard whole + text.count <= TimeIndex.byteLimit else {
        throw LedgerError(
          .tooLarge, "the index of tokens is full", remedy: "stamp less often in the next log",
          path: TimePath.index)
      }
      if whole < bytes.count { try files.truncate(TimePath.index, to: whole) }
      if !text.isEmpty { try files.append(TimePath.index, text) }
    }
  }
}
