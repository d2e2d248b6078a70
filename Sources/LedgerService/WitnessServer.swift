import Hummingbird
package import TransparencyLedger

/// A witness behind HTTP, from its start to the signal that ends it (`spec/witness.md` §4).
package final class WitnessServer: Sendable {
  package struct Configuration: Sendable {
    package var host = "127.0.0.1"
    /// 0 takes a free one.
    package var port = 8081
    package var connectionsPerAddress = 256

    package init() {}
  }

  /// What the operator is told once it serves.
  package struct Started: Sendable {
    package let host: String
    package let port: Int
    package let verifierKey: NoteVerifierKey
    package let logCount: Int
  }

  private let configuration: Configuration
  private let witness: Witness
  private let logCount: Int
  private let responder: WitnessResponder
  private let register: ConnectionRegister
  private let metrics = ServiceMetrics()

  /// Opens the witness with the logs that its folder names.
  package init(directory: String, configuration: Configuration) throws(LedgerError) {
    self.configuration = configuration
    let logs = try Witness.followedLogs(at: directory)
    logCount = logs.count
    witness = try Witness.open(at: directory, logs: logs)
    let openFiles = OpenFileLimit.raise()
    register = ConnectionRegister(
      limit: min(ServiceLimits.connections, max(64, openFiles - ServiceLimits.reservedFiles)),
      perAddress: configuration.connectionsPerAddress)
    responder = WitnessResponder(
      witness: witness, logCount: logCount, register: register, metrics: metrics)
  }

  /// Serves until SIGTERM or SIGINT, then answers what it has taken.
  ///
  /// - Throws: `.inputOutput` when the address cannot be taken.
  package func run(
    onStart: @escaping @Sendable (Started) -> Void
  ) async throws(LedgerError) {
    let (host, register, metrics) = (configuration.host, register, metrics)
    let (verifierKey, logCount) = (witness.verifierKey, logCount)
    try await HTTPService.run(
      responder, host: host, port: configuration.port,
      guarded: {
        ConnectionGuard(register, metrics: metrics, bodyLimit: AddCheckpointRequest.byteLimit)
      }
    ) {
      onStart(Started(host: host, port: $0, verifierKey: verifierKey, logCount: logCount))
    }
  }
}
