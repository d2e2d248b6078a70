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

  /// - Parameters:
  ///   - key: A verifier key, or a file with one; nil takes the policy's, else the ledger's own word.
  ///   - policy: A ledger policy's file; without one the log's signature is enough.
  init(_ location: String, key: String?, policy: String? = nil) throws {
    let source = try LedgerAccess.source(location)
    let policy = try policy.map { try loadLedgerPolicy($0) }
    view = try CommandFailure.at(location) {
      let verifierKey: NoteVerifierKey
      if let key {
        verifierKey = try LedgerAccess.verifierKey(key, place: "--ledger-key")
      } else if let policy, !policy.logs.isEmpty {
        return try LedgerView(source: source, policy: policy)
      } else {
        verifierKey = try source.statedVerifierKey()
      }
      return try LedgerView(source: source, verifierKey: verifierKey, policy: policy)
    }
    self.location = location
    isKeyPinned = key != nil || !(policy?.logs.isEmpty ?? true)
  }

  static func source(_ location: String) throws -> any LedgerSource {
    location.hasPrefix("http://") || location.hasPrefix("https://")
      ? ObjectLedgerSource(try openObjectSource(location))
      : DirectoryLedgerSource(directory: location)
  }

  /// Who cosigned the head, and when by their own clocks.
  func witnessLines() throws -> [String] {
    guard let policy = view.policy else { return [] }
    return try policy.evaluate(view.signedHead.note).cosigned.map {
      let name = String(decoding: policy.witnesses[$0.witness].name, as: UTF8.self)
      return "the tree head is cosigned by \(printable(name)) at \(clockText(Int64($0.time)))"
    }
  }

  /// A key of index roots: 64 hexadecimal digits, or a file with them.
  static func indexKey(_ text: String) throws -> VerifyingKey {
    var text = text
    if access(text, F_OK) == 0 {
      let bytes = try DurableFile.readWhole(text, limit: 4096, followsSymlinks: true)
      text = String(decoding: bytes.last == 10 ? bytes.dropLast() : bytes[...], as: UTF8.self)
    }
    guard let raw = Digest(hex: text), let key = VerifyingKey(rawBytes: raw.bytes) else {
      throw CommandFailure(
        code: "badKey", place: "--index-key", message: "this is no key of index roots",
        remedy: "give 64 hexadecimal digits, or the file index-key of the ledger")
    }
    return key
  }

  /// A verifier key, or the one in a file.
  static func verifierKey(_ text: String, place: String) throws -> NoteVerifierKey {
    // A verifier key holds `+`; so may a file name, which therefore is tried first.
    if access(text, F_OK) == 0 {
      let bytes = try DurableFile.readWhole(text, limit: 4096, followsSymlinks: true)
      let line = String(decoding: bytes, as: UTF8.self)
      return try CommandFailure.at(text) {
        try NoteVerifierKey(text: line.hasSuffix("\n") ? String(line.dropLast()) : line)
      }
    }
    return try CommandFailure.at(place) { try NoteVerifierKey(text: text) }
  }
}

/// Reads a ledger policy (`spec/witness.md` §3).
func loadLedgerPolicy(_ path: String) throws -> LedgerPolicy {
  let bytes = try DurableFile.readWhole(
    path, limit: LedgerPolicy.byteLimit, followsSymlinks: true)
  return try CommandFailure.at(path) { try LedgerPolicy(parsing: bytes) }
}

/// The options of every command that reads a ledger.
struct LedgerOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The ledger: a folder or an http(s) URL.", valueName: "dir-or-url"))
  var ledger: String?

  @Option(
    help: ArgumentHelp(
      "The log's verifier key (signed-note form), or a file with it.", valueName: "vkey-or-file"))
  var ledgerKey: String?

  @Option(
    help: ArgumentHelp(
      "Whose cosignatures a tree head needs, and which logs are meant (C2SP tlog-policy).",
      valueName: "file"))
  var ledgerPolicy: String?

  func open(_ output: Output) throws -> LedgerAccess? {
    guard let ledger else { return nil }
    let access = try LedgerAccess(ledger, key: ledgerKey, policy: ledgerPolicy)
    for line in try access.witnessLines() { output.hint(line) }
    // A word of help only: whoever cannot read the last entry is told so by what needs it.
    if let end = try? access.view.end() {
      output.hint(
        "this log has ended"
          + (end.statement.successor.isEmpty
            ? "" : " and goes on as \(printable(end.statement.successor)): look there too"))
    }
    if !access.isKeyPinned {
      output.hint(
        "the ledger's own word was taken for its key; pin it with --ledger-key "
          + printable(access.view.verifierKey.description))
    }
    return access
  }
}

/// How a command that adds to a ledger judges it.
struct LedgerTrust {
  /// Whose cosignatures heads and receipts need; nil asks for the log's signature alone.
  var policy: LedgerPolicy?
  /// Nil when heads are not remembered.
  var memory: HeadMemory?
}

/// The options of every command that adds to a ledger.
struct LedgerTrustOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Whose cosignatures heads and receipts need (C2SP tlog-policy).", valueName: "file"))
  var ledgerPolicy: String?
  @OptionGroup var memoryOptions: HeadMemoryOptions

  /// Reads the policy and makes the folder of heads, before anything is logged.
  func trust() throws -> LedgerTrust {
    LedgerTrust(
      policy: try ledgerPolicy.map { try loadLedgerPolicy($0) },
      memory: try memoryOptions.memory())
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
