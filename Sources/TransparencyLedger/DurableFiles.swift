import ChunkStorage

/// A ledger's files, with the errors of storage in the ledger's own codes.
struct DurableFiles: Sendable {
  private let files: RootedFiles

  init(root: String) { files = RootedFiles(root) }

  var root: String { files.root }

  func place(_ path: String) -> String { files.place(path) }

  func read(_ path: String, limit: Int) throws(LedgerError) -> [UInt8]? {
    try call { () throws(StorageError) in try files.read(path, limit: limit) }
  }

  func isRegularOrMissing(_ path: String) throws(LedgerError) -> Bool {
    try call { () throws(StorageError) in try files.isRegularOrMissing(path) }
  }

  func replace(
    _ path: String, with bytes: [UInt8], mode: UInt32 = 0o644, syncsFolder: Bool = true
  ) throws(LedgerError) {
    try call { () throws(StorageError) in
      try files.replace(path, with: bytes, mode: mode, syncsFolder: syncsFolder)
    }
  }

  /// Writes files that never change. Finding one there with the same bytes is fine, as after a crash;
  /// with other bytes it is damage, and everything is left as it is.
  func createTogether(_ all: [(name: String, bytes: [UInt8])]) throws(LedgerError) {
    let other = try call { () throws(StorageError) in try files.createTogether(all) }
    guard let other else { return }
    throw LedgerError(
      .damagedTile, "it is there already with other bytes, and never changes once written",
      remedy: "restore the ledger's folder from a good copy", path: place(other))
  }

  /// The same for one file.
  func createOnce(_ path: String, _ bytes: [UInt8]) throws(LedgerError) {
    try createTogether([(path, bytes)])
  }

  func read(_ path: String, endingAt end: Int, count: Int) throws(LedgerError) -> [UInt8]? {
    try call { () throws(StorageError) in try files.read(path, endingAt: end, count: count) }
  }

  func byteCount(of path: String) throws(LedgerError) -> Int? {
    try call { () throws(StorageError) in try files.byteCount(of: path) }
  }

  func append(_ path: String, _ bytes: [UInt8]) throws(LedgerError) {
    try call { () throws(StorageError) in try files.append(path, bytes) }
  }

  func truncate(_ path: String, to byteCount: Int) throws(LedgerError) {
    try call { () throws(StorageError) in try files.truncate(path, to: byteCount) }
  }

  func makeRoot(mode: UInt32) throws(LedgerError) {
    try call { () throws(StorageError) in try files.makeRoot(mode: mode) }
  }

  func isVacant() throws(LedgerError) -> Bool {
    try call { () throws(StorageError) in try files.isVacant() }
  }

  /// - Throws: `.inUse` when another holds the lock and `waits` is false.
  func lock(_ path: String, waits: Bool = false) throws(LedgerError) -> HeldLock {
    try call { () throws(StorageError) in try files.lock(path, waits: waits) }
  }

  private func call<Result>(
    _ body: () throws(StorageError) -> Result
  ) throws(LedgerError) -> Result {
    do throws(StorageError) { return try body() } catch { throw LedgerError(error) }
  }
}

extension LedgerError {
  /// What storage could not do, in the ledger's codes.
  init(_ error: StorageError) {
    let code: Code =
      switch error.code {
      case .limit: .tooLarge
      case .malformed: .notRegularFile
      case .locked: .inUse
      default: .inputOutput
      }
    self.init(code, error.message, remedy: error.remedy, path: error.place, cause: error)
  }
}
