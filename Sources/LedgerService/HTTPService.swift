import Hummingbird
import Logging
import NIOCore
import TransparencyLedger

/// An HTTP/1.1 server on one address.
enum HTTPService {
  /// Serves until SIGTERM or SIGINT, then answers what it has taken.
  ///
  /// - Parameters:
  ///   - guarded: Makes what holds one connection to its limits.
  ///   - onStart: Told the port once it serves.
  /// - Throws: `.inputOutput` when the address cannot be taken.
  static func run<Responder: HTTPResponder>(
    _ responder: Responder, host: String, port: Int,
    guarded: @escaping @Sendable () -> ConnectionGuard, onStart: @escaping @Sendable (Int) -> Void
  ) async throws(LedgerError) where Responder.Context == RequestOrigin {
    var logger = Logger(label: "pol", factory: StreamLogHandler.standardError(label:))
    logger.logLevel = .critical
    let application = Application(
      responder: responder,
      server: .http1(
        configuration: .init(
          additionalChannelHandlers: [guarded()],
          httpDecoderConfiguration: .init(
            maxHeaderFieldSize: 8 << 10, maxHeaderListSize: 16 << 10, maxHeaderFieldCount: 64))),
      configuration: ApplicationConfiguration(address: .hostname(host, port: port), backlog: 1024),
      onServerRunning: { channel in onStart(channel.localAddress?.port ?? 0) }, logger: logger)
    do {
      try await application.runService()
    } catch {
      throw LedgerError(
        .inputOutput, "the service could not run on \(host):\(port)",
        remedy: "choose another address with --listen, or stop what uses this one",
        cause: error)
    }
  }
}
