import Cryptography
import MerkleTrees
import ProofPrimitives

/// What a client remembers of each log: the last head it verified. With it, a log that takes entries
/// back or shows two trees is caught by anyone who looks twice.
///
/// A folder with one file an origin, `<hex SHA-256(origin)>`, holding the signed note.
package struct HeadMemory: Sendable {
  private let files: DurableFiles

  package init(directory: String) { files = DurableFiles(root: directory) }

  /// The last head remembered for the log of `key`.
  package func lastHead(of key: NoteVerifierKey) throws(LedgerError) -> SignedTreeHead? {
    let name = HeadMemory.name(key)
    guard let bytes = try files.read(name, limit: SignedNote.byteLimit) else { return nil }
    do {
      return try SignedTreeHead(parsing: bytes, by: key)
    } catch {
      throw LedgerError(
        error.code, "the remembered head is damaged or of another key: \(error.message)",
        remedy: "if the log has a new key, ask its owner; otherwise restore the file",
        path: files.place(name), cause: error)
    }
  }

  /// Compares the head of `view` with the one remembered, and remembers it when the log has kept its
  /// promise.
  ///
  /// - Throws: `.rolledBack` for a smaller tree, `.forked` for one that does not begin with the
  ///   remembered tree. Both notes are kept as evidence, at the error's path. Tiles that are missing
  ///   or damaged are neither: they are `.missing` or `.damagedTile`.
  package func check(_ view: LedgerView) throws(LedgerError) {
    try files.makeRoot(mode: 0o700)
    let name = HeadMemory.name(view.verifierKey)
    // Two clients that race must not leave the smaller head behind.
    let lock = try files.lock(name + ".lock", waits: true)
    defer { withExtendedLifetime(lock) {} }
    if let old = try lastHead(of: view.verifierKey) {
      if old.head.size == view.head.size, old.head.root == view.head.root { return }
      try compare(old, with: view)
    }
    try files.replace(name, with: view.signedHead.note.encoded, mode: 0o600)
  }

  /// Compares two heads of one log, and keeps both as evidence where they do not go together.
  ///
  /// - Throws: As `check`.
  package func compare(_ old: SignedTreeHead, with view: LedgerView) throws(LedgerError) {
    if old.head.size == view.head.size, old.head.root == view.head.root { return }
    guard old.head.size <= view.head.size else {
      throw try keep(
        .rolledBack,
        "the log shows \(view.head.size) entries and had signed a tree of \(old.head.size)",
        old, view)
    }
    guard old.head.size < view.head.size else {
      throw try keep(.forked, "the log signed two roots for \(old.head.size) entries", old, view)
    }
    // `root(at:)` has checked the tiles against the new head: a difference is the log's doing.
    guard try view.root(at: old.head.size) == old.head.root else {
      throw try keep(
        .forked,
        "the log's tree of \(view.head.size) entries does not begin with the one of "
          + "\(old.head.size) that it signed", old, view)
    }
  }

  private static func name(_ key: NoteVerifierKey) -> String {
    SHA256.hash(Array(key.name.utf8)).hex
  }

  /// Keeps both notes, and gives the error that says so.
  func keep(
    _ code: LedgerError.Code, _ message: String, _ old: SignedTreeHead, _ view: LedgerView
  ) throws(LedgerError) -> LedgerError {
    let new = view.signedHead.note.encoded
    let folder =
      "\(HeadMemory.name(view.verifierKey)).evidence/\(SHA256.hash(old.note.encoded + new).hex)"
    try files.makeRoot(mode: 0o700)
    try files.replace("\(folder)/remembered", with: old.note.encoded)
    try files.replace("\(folder)/shown", with: new)
    return LedgerError(
      code, message, remedy: "show the two signed notes that were kept to others who use this log",
      path: files.place(folder))
  }
}
