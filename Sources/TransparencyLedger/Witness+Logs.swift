package import MerkleTrees
import ProofPrimitives

/// Which logs a witness follows: their keys come from its operator, one a line, in the witness's folder
/// (`spec/witness.md` §5).
extension Witness {
  static let logsFile = "logs"
  /// More than all public logs of today; one request looks at the keys of one origin.
  package static let logLimit = 1024

  /// Opens a witness with the logs that its folder names.
  package static func open(at directory: String) throws(LedgerError) -> Witness {
    try open(at: directory, logs: try followedLogs(at: directory))
  }

  package static func followedLogs(at directory: String) throws(LedgerError) -> [NoteVerifierKey] {
    let files = DurableFiles(root: directory)
    let limit = logLimit * (NoteVerifierKey.textByteLimit + 1)
    guard let bytes = try files.read(logsFile, limit: limit) else { return [] }
    var keys: [NoteVerifierKey] = []
    for line in bytes.split(separator: 10) {
      do throws(LedgerError) {
        keys.append(try NoteVerifierKey(text: String(decoding: line, as: UTF8.self)))
      } catch {
        throw LedgerError(
          error.code, "line \(keys.count + 1): \(error.message)", remedy: error.remedy,
          path: files.place(logsFile), cause: error)
      }
    }
    return keys
  }

  /// Adds a log's key; its name is the log's origin. A witness that runs takes it up when it is started
  /// again.
  ///
  /// - Returns: False when the key was there already.
  /// - Throws: `.badKey` for a key that the witness knows under another name, its own one included.
  package static func follow(
    _ key: NoteVerifierKey, at directory: String
  ) throws(LedgerError) -> Bool {
    let own = try open(at: directory, logs: []).verifierKey
    let files = DurableFiles(root: directory)
    // Two who add at once must not lose one of the keys.
    let lock = try files.lock("\(logsFile).lock", waits: true)
    defer { withExtendedLifetime(lock) {} }
    let keys = try followedLogs(at: directory)
    if keys.contains(key) { return false }
    guard key.role == .log, key.key != own.key, !keys.contains(where: { $0.key == key.key }) else {
      throw LedgerError(
        .badKey, "this public key is known here under another name", remedy: "ask the log's owner",
        path: files.place(logsFile))
    }
    guard keys.count < logLimit else {
      throw LedgerError(
        .tooLarge, "the witness follows \(logLimit) logs, which is the limit",
        remedy: "start another witness, with a name and key of its own")
    }
    let text = (keys + [key]).map { "\($0)\n" }.joined()
    try files.replace(logsFile, with: Array(text.utf8), mode: 0o600)
    return true
  }

  /// The last head cosigned of an origin, and when.
  package struct Cosigned: Sendable {
    package let size: TreeSize
    /// Seconds since 1970.
    package let time: UInt64
  }

  /// Nil when it never cosigned one.
  package func lastCosigned(origin: String) throws(LedgerError) -> Cosigned? {
    try state.record(Array(origin.utf8)).map { Cosigned(size: $0.size, time: $0.time) }
  }
}
