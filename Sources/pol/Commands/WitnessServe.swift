import ArgumentParser
import LedgerService
import ProofPrimitives
import TransparencyLedger

struct WitnessServe: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve", abstract: "Answer add-checkpoint for the logs that are followed.",
    discussion: """
      Logs POST to /add-checkpoint; monitors GET /<hex SHA-256 of origin>/checkpoint. Ends on SIGTERM.

      Example:
        pol witness serve witness --listen 127.0.0.1:8081
      """)

  @Argument(help: ArgumentHelp("The witness's folder.", valueName: "dir"))
  var directory: String
  @OptionGroup var listening: ListenOptions
  @Option(help: ArgumentHelp("Connections from one address.", valueName: "n"))
  var connectionsPerAddress = 256
  @OptionGroup var reporting: Reporting

  func validate() throws {
    guard connectionsPerAddress > 0 else {
      throw ValidationError("--connections-per-address is above 0")
    }
  }

  func run() throws {
    try reporting.run { output in
      var configuration = WitnessServer.Configuration()
      (configuration.host, configuration.port) = try listening.place(port: 8081)
      configuration.connectionsPerAddress = connectionsPerAddress
      let server = try WitnessServer(directory: directory, configuration: configuration)
      let isJSON = output.isJSON
      try waitFor {
        try await server.run { WitnessServe.announce($0, Output(isJSON: isJSON)) }
      }
      return 0
    }
  }

  private static func announce(_ started: WitnessServer.Started, _ output: Output) {
    let url = ListenOptions.url(started.host, started.port)
    output.line(
      "serving \(url)  witness \(printable(started.verifierKey.name))  "
        + "\(started.logCount) log keys  verifier key \(printable(started.verifierKey.description))"
    )
    if started.logCount == 0 { output.hint("it follows no log yet: `pol witness add-log`") }
    output.document(
      "pol-witness-serve/1",
      [
        ("url", .string(url)), ("verifierKey", .string(started.verifierKey.description)),
        ("logs", .int(started.logCount)),
      ])
  }
}
