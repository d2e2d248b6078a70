import ArgumentParser
import ChunkStorage
import Cryptography
import MerkleTrees
import ProofPrimitives
import TransparencyLedger

struct LedgerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ledger", abstract: "Keep a ledger: an append-only log of claims.",
    subcommands: [
      LedgerInit.self, LedgerServe.self, LedgerPolicyCommand.self, LedgerAudit.self,
      LedgerPrecedence.self,
      LedgerStamp.self,
      LedgerFreeze.self, LedgerRotateKey.self, LedgerMirrorCommand.self, LedgerMonitorCommand.self,
      LedgerStats.self, LedgerFsck.self,
      LedgerChallenges.self, LedgerWithdraw.self,
      LedgerBundle.self, LedgerVerifyBundle.self,
    ])
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
  @Option(
    help: ArgumentHelp(
      "Whose cosignatures its heads need (C2SP tlog-policy), without log lines.",
      valueName: "file"))
  var ledgerPolicy: String?
  @OptionGroup var reporting: Reporting

  func run() throws {
    try reporting.run { output in
      // Before anything is made. A log's key is not there yet, so a file that lists logs cannot mean it.
      let policy = try ledgerPolicy.map { try loadLedgerPolicy($0) }
      if let ledgerPolicy, policy?.logs.isEmpty == false {
        throw CommandFailure(
          code: "notInPolicy", place: printable(ledgerPolicy),
          message: "the policy lists logs, and this one has no key yet",
          remedy: "leave the log lines out; add this log's own with `pol ledger policy` if you like"
        )
      }
      let name = origin ?? "pol.invalid/log-" + Hex.encode(randomBytes(4))
      let ledger = try LocalLedger.create(at: directory, origin: name)
      if let policy { try ledger.setPolicy(policy) }
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
        pol ledger audit old --ledger-key old.vkey --successor new
      """)

  @Argument(help: ArgumentHelp("The ledger.", valueName: "dir-or-url"))
  var ledger: String
  @Option(help: ArgumentHelp("The log's verifier key, or a file.", valueName: "vkey-or-file"))
  var ledgerKey: String?
  @Option(
    help: ArgumentHelp("Whose cosignatures its head needs (C2SP tlog-policy).", valueName: "file"))
  var ledgerPolicy: String?
  @Option(
    help: ArgumentHelp(
      "The log that goes on for this one: audited too, and whether each names the other.",
      valueName: "dir-or-url"))
  var successor: String?
  @OptionGroup var reporting: Reporting

  func run() throws {
    try reporting.run { output in
      let access = try LedgerAccess(ledger, key: ledgerKey, policy: ledgerPolicy)
      let audit = try access.view.audit()
      var next: NoteVerifierKey?
      if let successor {
        // Its key is the old log's word, never its own.
        guard let key = audit.end?.successor else {
          throw CommandFailure(
            code: LedgerError.Code.notSuccessor.name, place: printable(ledger),
            message: audit.end == nil
              ? "this log has not ended" : "this log ended and named no successor",
            remedy: "keep to the key you have, and ask the log's operator over another way")
        }
        let view = try LedgerAccess(successor, key: key.description).view
        try access.view.checkSuccessor(view)
        _ = try view.audit()
        next = key
      }
      output.line(
        "whole: \(audit.entryCount) entries, \(audit.tileCount) tiles, "
          + "\(audit.publishedHeadCount) published heads, \(audit.indexRootCount) index roots")
      if let end = audit.end {
        output.line("the log ended with entry \(end.index)")
        if let key = end.successor { output.line("goes on as \(printable(key.description))") }
      }
      if let beginning = audit.beginning {
        output.line("goes on for \(printable(beginning.predecessor))")
      }
      if let next {
        output.line("whole too, and each names the other: pin its key from now on")
        output.line(printable(next.description))
      }
      output.document(
        "pol-ledger-audit/1",
        [
          ("whole", .bool(true)), ("entries", .int(audit.entryCount)),
          ("tiles", .int(audit.tileCount)), ("heads", .int(audit.publishedHeadCount)),
          ("ended", .bool(audit.end != nil)),
          ("successor", .string(audit.end?.statement.successor ?? "")),
          ("predecessor", .string(audit.beginning?.predecessor ?? "")),
          ("successorChecked", .bool(next != nil)),
          ("indexRoots", .int(audit.indexRootCount)),
        ])
      return 0
    }
  }
}
