import MerkleTrees
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
  /// Keeps what look-ups answer from.
  private let keeper: ClaimMapKeeper?
  private let stamper: HeadStamper?
  private let responder: LedgerResponder
  private let register: ConnectionRegister
  private let explorer: ExplorerRoutes
  private let metrics = ServiceMetrics()

  /// Opens the ledger; as its one writer, unless the service only reads.
  ///
  /// - Parameters:
  ///   - complain: Told of what went wrong in the writer, while the service goes on.
  ///   - complainOfTime: Told of heads that could not be stamped, while the service goes on.
  package init(
    directory: String, configuration: ServiceConfiguration,
    complain: @escaping @Sendable (LedgerError) -> Void,
    complainOfTime: @escaping @Sendable (String) -> Void = { _ in }
  ) throws(LedgerError) {
    self.configuration = configuration
    let source = DirectoryLedgerSource(directory: directory)
    let verifierKey: NoteVerifierKey
    if configuration.isReadOnly {
      verifierKey = try source.statedVerifierKey()
      size = try LedgerView(source: source, verifierKey: verifierKey).head.size.value
      sequencer = nil
      keeper = nil
    } else {
      let ledger = try LocalLedger.open(at: directory)
      ledger.admission = configuration.takesOpaqueEntries ? .opaqueToo : .statements
      verifierKey = ledger.verifierKey
      size = ledger.published.size.value
      var rounds: CosigningRounds?
      if let policy = ledger.policy, policy.asksForWitnesses {
        rounds = try CosigningRounds(policy, lastSize: ledger.published.size, complain: complain)
      }
      let indexKey = ledger.indexKey
      let sequencer = Sequencer(
        ledger, rounds: rounds, leastFreeByteCount: configuration.leastFreeByteCount,
        metrics: metrics,
        complain: complain)
      self.sequencer = sequencer
      keeper = ClaimMapKeeper(
        sequencer, indexKey: indexKey, verifierKey: verifierKey, complain: complain)
    }
    origin = verifierKey.name
    if let authority = configuration.timeAuthority {
      stamper = try HeadStamper(
        directory: directory, verifierKey: verifierKey, authority: authority,
        everySeconds: configuration.timeEverySeconds, complain: complainOfTime)
    } else {
      stamper = nil
    }
    let openFiles = OpenFileLimit.raise()
    register = ConnectionRegister(
      limit: min(ServiceLimits.connections, max(64, openFiles - ServiceLimits.reservedFiles)),
      perAddress: configuration.connectionsPerAddress)
    let metrics = metrics
    do {
      explorer = ExplorerRoutes(
        try ExplorerPages(
          directory: directory, verifierKey: verifierKey, claims: keeper?.claims))
    } catch {
      throw LedgerError(
        .inputOutput, "the pages' templates cannot be read", remedy: "report this", cause: error)
    }
    responder = LedgerResponder(
      origin: origin,
      reads: ReadRoutes(directory: directory, verifierKey: verifierKey.description),
      explorer: explorer,
      adds: sequencer.map { AddRoute($0, configuration, metrics: metrics) },
      lookups: keeper.map {
        LookupRoute(
          directory: directory, verifierKey: verifierKey, claims: $0.claims, map: $0.map)
      }, sequencer: sequencer, register: register, metrics: metrics,
      staleAfterSeconds: configuration.staleAfterSeconds,
      published: PublishedState(source, verifierKey),
      stamper: stamper)
  }

  /// Serves until SIGTERM or SIGINT, then answers what it has taken.
  ///
  /// - Throws: `.inputOutput` when the address cannot be taken.
  package func run(
    onStart: @escaping @Sendable (Started) -> Void
  ) async throws(LedgerError) {
    let (register, metrics, size, origin) = (register, metrics, size, origin)
    let host = configuration.host
    stamper?.start()
    let keeping = Task { [keeper] in await keeper?.run() }
    var failure: LedgerError?
    do throws(LedgerError) {
      try await HTTPService.run(
        responder, host: host, port: configuration.port,
        guarded: { ConnectionGuard(register, metrics: metrics) }
      ) { onStart(Started(host: host, port: $0, origin: origin, size: size)) }
    } catch {
      failure = error
    }
    keeping.cancel()
    await keeping.value
    stamper?.stop()
    await sequencer?.close()
    await explorer.close()
    if let failure { throw failure }
  }
}
