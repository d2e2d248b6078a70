import Hummingbird
import Logging
import MerkleTrees
import NIOCore
import NIOPosix
package import TransparencyLedger

/// A ledger behind HTTP, from its start to the signal that ends it (`spec/ledger-service.md`).
package final class LedgerServer: Sendable {
  /// What the operator is told once it serves.
  package struct Started: Sendable {
    package let host: String
    package let port: Int
    package let origin: String
    package let size: UInt64
  }

  private let configuration: ServiceConfiguration
  private let origin: String
  private let size: UInt64
  private let sequencer: Sequencer?
  private let responder: LedgerResponder
  private let register: ConnectionRegister
  private let metrics = ServiceMetrics()

  /// Opens the ledger; as its one writer, unless the service only reads.
  ///
  /// - Parameter complain: Told of what went wrong in the writer, while the service goes on.
  package init(
    directory: String, configuration: ServiceConfiguration,
    complain: @escaping @Sendable (LedgerError) -> Void
  ) throws(LedgerError) {
    self.configuration = configuration
    let source = DirectoryLedgerSource(directory: directory)
    let verifierKey: NoteVerifierKey
    if configuration.isReadOnly {
      verifierKey = try source.statedVerifierKey()
      size = try LedgerView(source: source, verifierKey: verifierKey).head.size.value
      sequencer = nil
    } else {
      let ledger = try LocalLedger.open(at: directory)
      ledger.admission = configuration.takesOpaqueEntries ? .opaqueToo : .statements
      guard !ledger.waitsForWitnesses else {
        throw LedgerError(
          .quorumMissing, "this ledger's policy asks for witnesses, and the service asks none",
          remedy: "serve it with --read-only, or take ledger-policy out of the private folder",
          path: directory)
      }
      verifierKey = ledger.verifierKey
      size = ledger.head.size.value
      sequencer = Sequencer(
        ledger, leastFreeByteCount: configuration.leastFreeByteCount, metrics: metrics,
        complain: complain)
    }
    origin = verifierKey.name
    let openFiles = OpenFileLimit.raise()
    register = ConnectionRegister(
      limit: min(ServiceLimits.connections, max(64, openFiles - ServiceLimits.reservedFiles)),
      perAddress: configuration.connectionsPerAddress)
    let metrics = metrics
    responder = LedgerResponder(
      origin: origin,
      reads: ReadRoutes(directory: directory, verifierKey: verifierKey.description),
      adds: sequencer.map { AddRoute($0, configuration, metrics: metrics) }, sequencer: sequencer,
      register: register, metrics: metrics, staleAfterSeconds: configuration.staleAfterSeconds,
      publishedSize: { try LedgerView(source: source, verifierKey: verifierKey).head.size.value })
  }

  /// Serves until SIGTERM or SIGINT, then answers what it has taken.
  ///
  /// - Throws: `.inputOutput` when the address cannot be taken.
  package func run(
    onStart: @escaping @Sendable (Started) -> Void
  ) async throws(LedgerError) {
    let (register, metrics, size, origin) = (register, metrics, size, origin)
    let host = configuration.host
    var logger = Logger(label: "pol", factory: StreamLogHandler.standardError(label:))
    logger.logLevel = .critical
    let application = Application(
      responder: responder,
      server: .http1(
        configuration: .init(
          additionalChannelHandlers: [ConnectionGuard(register, metrics: metrics)],
          httpDecoderConfiguration: .init(
            maxHeaderFieldSize: 8 << 10, maxHeaderListSize: 16 << 10, maxHeaderFieldCount: 64))),
      configuration: ApplicationConfiguration(
        address: .hostname(host, port: configuration.port), backlog: 1024),
      onServerRunning: { channel in
        onStart(
          Started(
            host: host, port: channel.localAddress?.port ?? 0, origin: origin, size: size))
      },
      logger: logger)
    var failure: (any Error)?
    do {
      try await application.runService()
    } catch {
      failure = error
    }
    await sequencer?.close()
    if let failure {
      throw LedgerError(
        .inputOutput, "the service could not run on \(host):\(configuration.port)",
        remedy: "choose another address with --listen, or stop what uses this one",
        cause: failure)
    }
  }
}
