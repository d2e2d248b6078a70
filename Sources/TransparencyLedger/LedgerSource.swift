package import Cryptography
import ProofPrimitives

/// Where a ledger's public files come from. Nothing it gives is trusted: all of it is checked
/// against a signed tree head.
package protocol LedgerSource: Sendable {
  /// The bytes at `path`, relative to the ledger's prefix; nil when there is no such file.
  ///
  /// "Not found" must be certain: a timeout or an unreadable folder is an error, never nil. More
  /// than `limit` bytes are an error, `.tooLarge`.
  func read(path: String, limit: Int) throws(LedgerError) -> [UInt8]?
}

/// A ledger in a local folder. Reads regular files only, through no link, without waiting.
package struct DirectoryLedgerSource: LedgerSource {
  private let files: DurableFiles

  package init(directory: String) { files = DurableFiles(root: directory) }

  package func read(path: String, limit: Int) throws(LedgerError) -> [UInt8]? {
    try files.read(path, limit: limit)
  }
}

/// The names in a ledger's public folder, beside `tile/`, and what each may hold.
enum LedgerPath {
  static let treeHead = "checkpoint"
  static let verifierKey = "vkey"
  static let history = "history"
  static let indexKey = "index-key"
  /// A million published heads.
  static let historyByteLimit = 1 << 28
}

extension LedgerSource {
  /// The ledger's own word for its key: for looking at a ledger, never for trusting one.
  package func statedVerifierKey() throws(LedgerError) -> NoteVerifierKey {
    let bytes = try required(LedgerPath.verifierKey, limit: NoteVerifierKey.textByteLimit + 1)
    guard bytes.last == 10, let text = String(validating: bytes.dropLast(), as: UTF8.self) else {
      throw LedgerError(
        .badKey, "the file is not one line of text", remedy: "get the key from the log's owner",
        path: LedgerPath.verifierKey)
    }
    return try NoteVerifierKey(text: text)
  }

  /// The ledger's own word for the key of its index roots: hexadecimal digits and a newline.
  package func statedIndexKey() throws(LedgerError) -> VerifyingKey {
    let bytes = try required(LedgerPath.indexKey, limit: 4096)
    guard bytes.last == 10, let text = String(validating: bytes.dropLast(), as: UTF8.self),
      let raw = Digest(hex: text), let key = VerifyingKey(rawBytes: raw.bytes)
    else {
      throw LedgerError(
        .badKey, "the file is not one line of 64 hexadecimal digits",
        remedy: "get the key from the log's owner", path: LedgerPath.indexKey)
    }
    return key
  }

  func required(_ path: String, limit: Int) throws(LedgerError) -> [UInt8] {
    guard let bytes = try read(path: path, limit: limit) else {
      throw LedgerError(
        .missing, "the ledger does not serve it",
        remedy: "try again later; if it stays missing, the log withholds it", path: path)
    }
    return bytes
  }
}
