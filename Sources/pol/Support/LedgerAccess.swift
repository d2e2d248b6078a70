import ArgumentParser
import ChunkStorage
import Cryptography
import Glibc
import ProofPrimitives
import ProofVerification
import TransparencyLedger

/// Opens a ledger in a folder or behind any static web server.
struct LedgerAccess {
  let view: LedgerView
  let location: String
  /// Whether the key came from the user; otherwise it is the ledger's own word.
  let isKeyPinned: Bool

  /// - Parameter key: A verifier key, or a file with one; nil takes the ledger's own word.
  init(_ location: String, key: String?) throws {
    let source: any LedgerSource =
      location.hasPrefix("http://") || location.hasPrefix("https://")
      ? ObjectLedgerSource(try openObjectSource(location))
      : DirectoryLedgerSource(directory: location)
    let verifierKey: NoteVerifierKey
    if let key {
      verifierKey = try LedgerAccess.verifierKey(key)
    } else {
      verifierKey = try CommandFailure.at(location) { try source.statedVerifierKey() }
    }
    view = try CommandFailure.at(location) {
      try LedgerView(source: source, verifierKey: verifierKey)
    }
    self.location = location
    isKeyPinned = key != nil
  }

  private static func verifierKey(_ text: String) throws -> NoteVerifierKey {
    // A verifier key holds `+`; so may a file name, which therefore is tried first.
    if access(text, F_OK) == 0 {
      let bytes = try DurableFile.readWhole(text, limit: 4096, followsSymlinks: true)
      let line = String(decoding: bytes, as: UTF8.self)
      return try CommandFailure.at(text) {
        try NoteVerifierKey(text: line.hasSuffix("\n") ? String(line.dropLast()) : line)
      }
    }
    return try CommandFailure.at("--ledger-key") { try NoteVerifierKey(text: text) }
  }
}

/// The options of every command that reads a ledger.
struct LedgerOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The ledger: a folder or an http(s) URL.", valueName: "dir-or-url"))
  var ledger: String?

  @Option(
    help: ArgumentHelp(
      "The log's verifier key (signed-note form), or a file with it.", valueName: "vkey-or-file"))
  var ledgerKey: String?

  func open(_ output: Output) throws -> LedgerAccess? {
    guard let ledger else { return nil }
    let access = try LedgerAccess(ledger, key: ledgerKey)
    if !access.isKeyPinned {
      output.hint(
        "the ledger's own word was taken for its key; pin it with --ledger-key "
          + printable(access.view.verifierKey.description))
    }
    return access
  }
}

/// Where a client remembers the tree heads that it has seen.
struct HeadMemoryOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Where tree heads are remembered.", valueName: "dir"))
  var heads: String?
  @Flag(help: "Do not remember tree heads.")
  var forgetHeads = false

  /// Nil when nothing is to be remembered.
  func memory() throws -> HeadMemory? {
    if forgetHeads { return nil }
    let folder = try heads ?? HeadMemoryOptions.usual()
    do {
      try HeadMemoryOptions.makeFolders(folder)
    } catch {
      throw CommandFailure(
        code: "io", place: printable(folder),
        message: "tree heads cannot be remembered here: \(CommandFailure(error).message)",
        remedy: "name another folder with --heads, or pass --forget-heads")
    }
    return HeadMemory(directory: folder)
  }

  private static func usual() throws -> String {
    func variable(_ name: String) -> String? {
      getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }
    let base = variable("XDG_STATE_HOME") ?? variable("HOME").map { "\($0)/.local/state" }
    guard let base else {
      throw CommandFailure(
        code: "io", place: "--heads", message: "there is no home folder to remember tree heads in",
        remedy: "name a folder with --heads, or pass --forget-heads")
    }
    return "\(base)/pol/heads"
  }

  /// Makes a folder and those above it.
  private static func makeFolders(_ path: String) throws {
    var made = path.hasPrefix("/") ? "" : "."
    for part in path.split(separator: "/") {
      made += "/\(part)"
      try DurableFile.createDirectory(made, mode: 0o700)
    }
  }
}
