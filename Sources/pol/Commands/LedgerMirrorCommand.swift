import ArgumentParser
import Glibc
import MerkleTrees
import ProofPrimitives
import TransparencyLedger

struct LedgerMirrorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mirror", abstract: "Copy a remote ledger into a folder, and check all of it.",
    discussion: """
      Entries and signed heads are taken from the log, tiles are made again from the entries. The copy can \
      be served by any web server, or by `pol ledger serve --read-only`. Cut off at any point, it goes on \
      from the files that are there. A head that does not go on from the copy is refused, and kept as \
      evidence in DIR.mirror.

      Example:
        pol ledger mirror https://example.org/log copy --ledger-key log.vkey --follow
      """)

  @Argument(help: ArgumentHelp("The ledger to copy.", valueName: "url-or-dir"))
  var location: String
  @Argument(help: ArgumentHelp("The copy's folder.", valueName: "dir"))
  var directory: String
  @OptionGroup var pin: LedgerPin
  @Flag(help: "Go on copying until the log ends, or a signal comes.")
  var follow = false
  @Option(help: ArgumentHelp("How long to wait between two looks.", valueName: "seconds"))
  var every = 60
  @OptionGroup var reporting: Reporting

  func validate() throws {
    guard (1...86_400).contains(every) else {
      throw ValidationError("--every is a number from 1 to 86,400")
    }
  }

  func run() throws {
    try reporting.run { output in
      let policy = try pin.policy()
      let source = try LedgerAccess.source(location)
      let mirror = try LedgerMirror(
        directory: directory, verifierKey: try pin.verifierKey(policy), policy: policy)
      if !follow {
        report(try CommandFailure.at(location) { try mirror.update(from: source) }, output)
        return 0
      }
      Interruption.watch()
      var shown: TreeHead?
      while true {
        do {
          let round = try CommandFailure.at(location) { try mirror.update(from: source) }
          if round.to != shown { report(round, output) }
          shown = round.to
          if round.end != nil { return 0 }
        } catch let failure as CommandFailure {
          guard failure.code == "io" || failure.code == "inputOutput" || failure.code == "missing"
          else { throw failure }
          output.talk("\(failure.place): \(failure.message); trying again in \(every) s")
        }
        if !pause(seconds: every) { return 0 }
      }
    }
  }

  private func report(_ round: LedgerMirror.Round, _ output: Output) {
    let fetched = byteText(round.fetchedByteCount)
    output.line(
      "\(round.to.size) entries (\(round.to.size.value - round.from.value) new, \(fetched) "
        + "fetched), root \(round.to.root.short)…")
    for path in round.repairedBundles { output.hint("\(path) was damaged here and fetched again") }
    if let end = round.end {
      output.hint(
        "the log ended with entry \(end.index)"
          + (end.statement.successor.isEmpty
            ? "" : "; it goes on as \(printable(end.statement.successor))"))
    }
    let members: [(String, JSONValue)] = [
      ("origin", .string(round.to.origin)), ("from", .int(round.from.value)),
      ("treeSize", .int(round.to.size.value)), ("treeRoot", .string(round.to.root.hex)),
      ("fetchedBytes", .int(round.fetchedByteCount)),
      ("repaired", .array(round.repairedBundles.map { .string($0) })),
      ("ended", .bool(round.end != nil)),
    ]
    if follow {
      output.jsonLine("pol-ledger-mirror/1", members)
    } else {
      output.document("pol-ledger-mirror/1", members)
    }
  }
}

/// Which log is meant, for commands that trust no word of the one who serves it.
struct LedgerPin: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The log's verifier key (signed-note form), or a file with it.", valueName: "vkey-or-file"))
  var ledgerKey: String?
  @Option(
    help: ArgumentHelp(
      "Whose cosignatures a tree head needs, and which log is meant.", valueName: "file"))
  var ledgerPolicy: String?

  func policy() throws -> LedgerPolicy? { try ledgerPolicy.map { try loadLedgerPolicy($0) } }

  func verifierKey(_ policy: LedgerPolicy?) throws -> NoteVerifierKey {
    if let ledgerKey { return try LedgerAccess.verifierKey(ledgerKey, place: "--ledger-key") }
    guard let policy, policy.logs.count == 1 else {
      throw CommandFailure(
        code: "usage", place: "--ledger-key", message: "the log's key is not given",
        remedy: "get the `vkey` file from the log's owner and name it here")
    }
    return policy.logs[0].key
  }
}

/// Waits; false when a signal says to stop.
func pause(seconds: Int) -> Bool {
  for _ in 0..<seconds * 10 {
    if Interruption.signalNumber != nil { return false }
    usleep(100_000)
  }
  return Interruption.signalNumber == nil
}

extension Output {
  /// One document on one line, for commands that go on telling.
  func jsonLine(_ schema: String, _ members: [(String, JSONValue)]) {
    guard isJSON else { return }
    answer(
      String(
        decoding: JSONValue.map(members + [("schema", .string(schema))]).encoded, as: UTF8.self)
        + "\n")
  }
}
