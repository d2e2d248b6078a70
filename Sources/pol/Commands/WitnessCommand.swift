import ArgumentParser
import ProofPrimitives
import TransparencyLedger

struct WitnessCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "witness", abstract: "Watch other people's logs, and cosign their tree heads.",
    discussion: """
      A witness remembers the last head of each log it follows, and cosigns a new one only when that \
      is proved to go on from it (C2SP tlog-witness). Its key lies in its folder, which is never \
      restored from a backup: a witness that forgets cosigns a rollback.

      Example:
        pol witness init witness --name witness.example/w
        pol witness add-log witness ledger/vkey
        pol witness serve witness --listen 127.0.0.1:8081
      """,
    subcommands: [
      WitnessInit.self, WitnessAddLog.self, WitnessServe.self, WitnessStatus.self,
    ])
}

struct WitnessInit: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "init", abstract: "Make a witness in a folder.",
    discussion: """
      Example:
        pol witness init witness --name witness.example/w
      """)

  @Argument(help: ArgumentHelp("A folder that is not there yet.", valueName: "dir"))
  var directory: String
  @Option(help: "The witness's name, a URL without scheme.")
  var name: String
  @OptionGroup var reporting: Reporting

  func run() throws {
    try reporting.run { output in
      let key = try Witness.create(at: directory, name: name)
      output.rows([
        ("folder", printable(directory)), ("verifier key", printable(key.description)),
      ])
      output.document(
        "pol-witness-init/1",
        [("directory", .string(directory)), ("verifierKey", .string(key.description))])
      output.hint("log owners put this key into their policies: `witness NAME KEY URL`")
      return 0
    }
  }
}

struct WitnessAddLog: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "add-log", abstract: "Follow one more log.",
    discussion: """
      A witness that runs takes the key up when it is started again.

      Example:
        pol witness add-log witness example.org/log+4bee9bad+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c
      """)

  @Argument(help: ArgumentHelp("The witness's folder.", valueName: "dir"))
  var directory: String
  @Argument(
    help: ArgumentHelp("The log's verifier key, or a file with it.", valueName: "vkey-or-file"))
  var key: String
  @OptionGroup var reporting: Reporting

  func run() throws {
    try reporting.run { output in
      let key = try LedgerAccess.verifierKey(key, place: "the key")
      let isNew = try Witness.follow(key, at: directory)
      output.line(
        "\(isNew ? "follows" : "followed already") \(printable(key.name)) by the key "
          + printable(key.description))
      output.document(
        "pol-witness-add-log/1",
        [("added", .bool(isNew)), ("verifierKey", .string(key.description))])
      return 0
    }
  }
}
