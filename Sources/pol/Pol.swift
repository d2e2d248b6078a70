import ArgumentParser
import CKernels
import Glibc

/// The command line: parses, calls, prints.
@main
struct Pol: ParsableCommand {
  static let version = "0.1.0"

  static let configuration = CommandConfiguration(
    commandName: "pol",
    abstract: "Prove that you trained a model, and check such proofs.",
    discussion: """
      Example:
        pol keygen --out key.pem
        pol train run.pol --data digits --key key.pem
        pol seal run.pol --key key.pem
        pol inspect run.pol

      Exit status: 0 verified or done, 2 refuted, 1 could not decide or failed, 64 usage.
      """,
    version: version,
    subcommands: [
      Keygen.self, Train.self, Record.self, SealCommand.self, GrantCommand.self, Publish.self,
      Lookup.self, Verify.self, Challenge.self, Inspect.self, Check.self, Repair.self, Repack.self,
      Import.self, Export.self, Convert.self, Push.self, Pull.self, LedgerCommand.self,
      WitnessCommand.self, TimeCommand.self,
      Execute.self,
    ])

  static func main() {
    pol_keep_freed_memory()
    // A reader that closes the pipe, such as `head`, ends the output and not the work.
    signal(SIGPIPE, SIG_IGN)
    // A file at its size limit is an error to report, not a death.
    signal(SIGXFSZ, SIG_IGN)
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch let status as ExitCode {
      Glibc.exit(status.rawValue)
    } catch {
      leave(error)
    }
  }

  /// Help, version, and lines that are not understood.
  private static func leave(_ error: any Error) -> Never {
    let status = exitCode(for: error)
    guard status != .success else {
      StandardStream.output.write(fullMessage(for: error) + "\n")
      Glibc.exit(0)
    }
    let isUsage = status == .validationFailure
    let failure = CommandFailure(
      code: isUsage ? "usage" : "internal", place: "command line", message: message(for: error),
      remedy: isUsage ? "see `pol --help`, or `--help` after a command" : "report this")
    Output(isJSON: CommandLine.arguments.contains("--json")).failure(failure)
    Glibc.exit(isUsage ? 64 : 1)
  }
}
