import ArgumentParser
import MerkleTrees
import ProofPrimitives
import TransparencyLedger

struct LedgerRotateKey: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rotate-key", abstract: "End a ledger and go on in a new one, with a new key.",
    discussion: """
      A log keeps its key for as long as it lives: receipts and published heads stay checkable by it alone. \
      So the old log ends with an entry that names the new one's key, and the new one begins with an entry \
      that names the old one's key and final tree head. Readers who hold the old key check both with \
      `pol ledger audit --successor`. If this is cut off, run it again.

      Example:
        pol ledger rotate-key ledger ledger-2027 --origin example.org/pol-2027
        pol ledger audit ledger --ledger-key old.vkey --successor ledger-2027
      """)

  @Argument(help: ArgumentHelp("The ledger that ends.", valueName: "dir"))
  var directory: String
  @Argument(help: ArgumentHelp("A folder for the one that goes on.", valueName: "new-dir"))
  var successor: String
  @Option(help: "The new log's name, a URL without scheme; another than the old one's.")
  var origin: String
  @Option(
    help: ArgumentHelp("Whose cosignatures the new log's heads need.", valueName: "file"))
  var ledgerPolicy: String?
  @Flag(help: "Let the new log's heads go out without witnesses, though the old one's had some.")
  var withoutWitnesses = false
  @OptionGroup var reporting: Reporting

  func run() throws {
    try reporting.run { output in
      let old = try openToEnd(directory)
      guard !old.waitsForWitnesses || ledgerPolicy != nil || withoutWitnesses else {
        throw CommandFailure(
          code: "usage", place: printable(directory),
          message: "this log's heads need witnesses, and the new log has none yet",
          remedy: "give a policy for the new log with --ledger-policy, or --without-witnesses")
      }
      guard !origin.utf8.elementsEqual(old.origin.utf8) else {
        throw CommandFailure(
          code: "usage", place: "--origin", message: "this is the old log's name",
          remedy: "give the new log a name of its own, such as \(printable(old.origin))-2")
      }
      let policy = try ledgerPolicy.map { try loadLedgerPolicy($0) }
      let new = try LocalLedger.createSuccessor(at: successor, origin: origin)
      let end = try old.end(successor: new.verifierKey)
      if let policy { try new.setPolicy(policy) }
      try new.begin(after: old)
      output.rows([
        ("ended", printable(old.origin)), ("last entry", "\(end.index)"),
        ("goes on as", printable(new.origin)), ("public files", printable(successor)),
        ("verifier key", printable(new.verifierKey.description)),
      ])
      output.document(
        "pol-ledger-rotate-key/1",
        [
          ("origin", .string(old.origin)), ("lastEntry", .int(end.index.value)),
          ("treeSize", .int(old.head.size.value)), ("treeRoot", .string(old.head.root.hex)),
          ("successorOrigin", .string(new.origin)), ("successorDirectory", .string(successor)),
          ("successorVerifierKey", .string(new.verifierKey.description)),
        ])
      output.hint("tell readers to run `pol ledger audit` on the old one with --successor")
      return 0
    }
  }
}
