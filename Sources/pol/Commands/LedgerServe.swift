import ArgumentParser
import Glibc
import LedgerService
import ProofPrimitives
import TransparencyLedger

struct LedgerServe: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve", abstract: "Serve a ledger over HTTP, and take entries for it.",
    discussion: """
      Reading needs no trust and no service: any web server can serve DIR. Adding does: POST an entry \
      to /add, and the answer is its receipt. Ends on SIGTERM, after answering what it has taken.

      Example:
        pol ledger serve ledger --listen 127.0.0.1:8080
        curl --data-binary @run.entry http://127.0.0.1:8080/add
      """)

  @Argument(help: ArgumentHelp("The ledger's folder.", valueName: "dir"))
  var directory: String
  @OptionGroup var listening: ListenOptions
  @Flag(help: "Take no entries; the private folder is not needed.")
  var readOnly = false
  @Flag(help: "Take any bytes, not only signed statements.")
  var opaque = false
  @Option(help: ArgumentHelp("Entries a second from one address; 0: any.", valueName: "n"))
  var addsPerAddress = 200
  @Option(help: ArgumentHelp("Entries a second by one key; 0: any.", valueName: "n"))
  var addsPerKey = 50
  @Option(help: ArgumentHelp("Connections from one address.", valueName: "n"))
  var connectionsPerAddress = 256
  @Option(help: ArgumentHelp("Take nothing below this much room on the disk.", valueName: "MiB"))
  var leastFree = 256
  @Option(
    help: ArgumentHelp("Unhealthy when entries wait this long for a head.", valueName: "seconds"))
  var staleAfter = 30
  @Option(help: ArgumentHelp("Have published heads stamped by this authority.", valueName: "url"))
  var timeAuthority: String?
  @Option(help: ArgumentHelp("Stamp the newest head this often.", valueName: "seconds"))
  var timeEvery = 86_400
  @OptionGroup var reporting: Reporting

  func validate() throws {
    for (name, value) in [
      ("adds-per-address", addsPerAddress), ("adds-per-key", addsPerKey),
      ("least-free", leastFree),
    ] where !(0...1_000_000_000).contains(value) {
      throw ValidationError("--\(name) is a number from 0 to 1,000,000,000")
    }
    guard connectionsPerAddress > 0, staleAfter > 0 else {
      throw ValidationError("--connections-per-address and --stale-after are above 0")
    }
    guard (1...31_536_000).contains(timeEvery) else {
      throw ValidationError("--time-every is a number of seconds from 1 to 31,536,000")
    }
    guard timeAuthority == nil || !readOnly else {
      throw ValidationError("--time-authority needs the private folder: not with --read-only")
    }
  }

  func run() throws {
    try reporting.run { output in
      var configuration = ServiceConfiguration()
      (configuration.host, configuration.port) = try listening.place(port: 8080)
      configuration.isReadOnly = readOnly
      configuration.takesOpaqueEntries = opaque
      configuration.addsPerAddress = addsPerAddress
      configuration.addsPerKey = addsPerKey
      configuration.connectionsPerAddress = connectionsPerAddress
      configuration.leastFreeByteCount = UInt64(leastFree) << 20
      configuration.staleAfterSeconds = Double(staleAfter)
      configuration.timeAuthority = try timeAuthority.map { try TimeAuthority($0) }
      configuration.timeEverySeconds = timeEvery
      guard
        access("\(directory)/checkpoint", F_OK) == 0 || access("\(directory).private", F_OK) == 0
      else {
        throw CommandFailure(
          code: "notALedger", place: printable(directory), message: "no ledger is here",
          remedy: "make one with `pol ledger init`, or check the path")
      }
      let server: LedgerServer
      do throws(LedgerError) {
        server = try LedgerServer(
          directory: directory, configuration: configuration,
          complain: {
            let what =
              $0.code == .quorumMissing
              ? "too few witnesses sign" : "the log stopped and is opened again"
            StandardStream.error.write("pol: \(what): \($0)\n")
          }, complainOfTime: { StandardStream.error.write("pol: \($0)\n") })
      } catch {
        guard error.code == .inUse else { throw error }
        throw CommandFailure(
          code: error.code.name, place: printable(directory),
          message: "another process writes to this ledger, which has one writer at a time",
          remedy: "add entries through the service that runs, or stop it; to read, --read-only")
      }
      let (isJSON, directory, isReadOnly) = (output.isJSON, directory, readOnly)
      try waitFor {
        try await server.run { started in
          LedgerServe.announce(started, directory, isReadOnly, Output(isJSON: isJSON))
        }
      }
      return 0
    }
  }

  private static func announce(
    _ started: LedgerServer.Started, _ directory: String, _ isReadOnly: Bool, _ output: Output
  ) {
    let url = ListenOptions.url(started.host, started.port)
    let verifierKeyFile = "\(directory)/vkey"
    output.line(
      "serving \(url)\(isReadOnly ? " (read only)" : "")  origin \(printable(started.origin))  "
        + "\(started.size) entries  verifier key in \(printable(verifierKeyFile))")
    output.document(
      "pol-ledger-serve/1",
      [
        ("url", .string(url)), ("origin", .string(started.origin)),
        ("size", .int(started.size)), ("verifierKeyFile", .string(verifierKeyFile)),
        ("readOnly", .bool(isReadOnly)),
      ])
  }
}
