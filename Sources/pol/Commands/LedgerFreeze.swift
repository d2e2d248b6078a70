import ArgumentParser
import MerkleTrees
import ProofPrimitives
import TransparencyLedger

struct LedgerFreeze: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "freeze", abstract: "End a ledger: it takes nothing more, and says so.",
    discussion: """
      The log's last entry, signed with the log's own key, says that nothing follows. It cannot be taken \
      back. The folder is served as before; a service answers new entries with 410. To go on with another \
      key, use `pol ledger rotate-key` instead, which ends the log too.

      Example:
        pol ledger freeze ledger
      """)

  @Argument(help: ArgumentHelp("The ledger's folder.", valueName: "dir"))
  var directory: String
  @OptionGroup var reporting: Reporting

  func run() throws {
    try reporting.run { output in
      let ledger = try openToEnd(directory)
      let end = try ledger.end()
      let isPublished = ledger.published == ledger.head
      output.rows([
        ("ended", printable(ledger.origin)), ("last entry", "\(end.index)"),
        ("tree", "\(ledger.head.size) entries, root \(ledger.head.root.short)…"),
        ("tree head", isPublished ? "published" : "waits for its witnesses"),
      ])
      output.document(
        "pol-ledger-freeze/1",
        [
          ("origin", .string(ledger.origin)), ("lastEntry", .int(end.index.value)),
          ("treeSize", .int(ledger.head.size.value)), ("treeRoot", .string(ledger.head.root.hex)),
          ("published", .bool(isPublished)),
        ])
      if !isPublished { output.hint("run `pol ledger serve`, which asks the witnesses") }
      return 0
    }
  }
}

/// Opens a log that is to be ended, as its one writer.
func openToEnd(_ directory: String) throws -> LocalLedger {
  do throws(LedgerError) {
    return try LocalLedger.open(at: directory)
  } catch {
    guard error.code == .inUse else { throw error }
    throw CommandFailure(
      code: error.code.name, place: printable(directory),
      message: "another process writes to this ledger, which has one writer at a time",
      remedy: "stop the service, run this again, then start it: it answers additions with 410")
  }
}
