import ArgumentParser
import ChunkStorage
import Cryptography
import MerkleTrees
import ProofPrimitives
import TransparencyLedger

struct LedgerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ledger", abstract: "Keep a ledger: an append-only log of claims.",
    subcommands: [LedgerInit.self, LedgerServe.self, LedgerAudit.self, LedgerPrecedence.self])
}

struct LedgerInit: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "init", abstract: "Make an empty ledger in a folder.",
    discussion: """
      DIR gets the public files, which any web server may serve; DIR.private beside it gets the log's \
      key and databases, and must never be served.

      Example:
        pol ledger init ledger --origin example.org/pol
      """)

  @Argument(help: ArgumentHelp("A folder that is not there yet.", valueName: "dir"))
  var directory: String
  @Option(help: "The log's name, a URL without scheme; a random local one by default.")
  var origin: String?
  @OptionGroup var reporting: Reporting

  func run() throws {
    try reporting.run { output in
      let name = origin ?? "pol.invalid/log-" + Hex.encode(randomBytes(4))
      let ledger = try LocalLedger.create(at: directory, origin: name)
      output.rows([
        ("public files", printable(directory)), ("origin", printable(ledger.origin)),
        ("verifier key", printable(ledger.verifierKey.description)),
      ])
      output.document(
        "pol-ledger-init/1",
        [
          ("directory", .string(directory)), ("origin", .string(ledger.origin)),
          ("verifierKey", .string(ledger.verifierKey.description)),
        ])
      output.hint("never serve \(printable(directory)).private: it holds the log's key")
      return 0
    }
  }
}

struct LedgerAudit: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "audit", abstract: "Read a whole ledger and recompute everything it signed.",
    discussion: """
      Example:
        pol ledger audit http://127.0.0.1:8080/ledger --ledger-key ledger/vkey
      """)

  @Argument(help: ArgumentHelp("The ledger.", valueName: "dir-or-url"))
  var ledger: String
  @Option(help: ArgumentHelp("The log's verifier key, or a file.", valueName: "vkey-or-file"))
  var ledgerKey: String?
  @Option(
    help: ArgumentHelp("Whose cosignatures its head needs (C2SP tlog-policy).", valueName: "file"))
  var ledgerPolicy: String?
  @OptionGroup var reporting: Reporting

  func run() throws {
    try reporting.run { output in
      let access = try LedgerAccess(ledger, key: ledgerKey, policy: ledgerPolicy)
      let audit = try access.view.audit()
      output.line(
        "whole: \(audit.entryCount) entries, \(audit.tileCount) tiles, "
          + "\(audit.publishedHeadCount) published heads")
      output.document(
        "pol-ledger-audit/1",
        [
          ("whole", .bool(true)), ("entries", .int(audit.entryCount)),
          ("tiles", .int(audit.tileCount)), ("heads", .int(audit.publishedHeadCount)),
        ])
      return 0
    }
  }
}
