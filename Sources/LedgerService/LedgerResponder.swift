import HTTPTypes
import Hummingbird
import MerkleTrees
import NIOCore
import NIOPosix
import TransparencyLedger

/// Where a request came from; all that an answer depends on beside the request.
struct RequestOrigin: InitializableFromSource, Sendable {
  let address: ClientAddress

  init(source: ApplicationRequestContextSource) {
    address = ClientAddress(source.channel.remoteAddress)
  }
}

/// Gives each path to what answers it.
struct LedgerResponder: HTTPResponder {
  let origin: String
  let reads: ReadRoutes
  let explorer: ExplorerRoutes
  /// Nil where the service only reads.
  let adds: AddRoute?
  /// Nil where the service has no index.
  let lookups: LookupRoute?
  let sequencer: Sequencer?
  let register: ConnectionRegister
  let metrics: ServiceMetrics
  let staleAfterSeconds: Double
  /// Of the published head, where there is no writer to ask.
  let published: PublishedState
  /// Nil where heads are not stamped.
  let stamper: HeadStamper?

  func respond(to request: Request, context: RequestOrigin) async throws -> Response {
    var response: Response
    do {
      response = try await answer(request, context)
    } catch let problem as ServiceProblem {
      response = Response(problem)
    }
    metrics.count { $0.responses[min(5, max(0, response.status.code / 100))] += 1 }
    if request.method == .head { response = response.createHeadResponse() }
    return response
  }

  private func answer(_ request: Request, _ context: RequestOrigin) async throws -> Response {
    let target = request.head.path ?? ""
    if let page = ExplorerPath(target: target) {
      guard request.method == .get || request.method == .head else {
        return LedgerResponder.notAllowed("GET, HEAD")
      }
      return try await explorer.answer(page, request.head)
    }
    guard let path = ServicePath(target: target) else { return Response(.notFound) }
    if path == .add {
      guard request.method == .post else { return LedgerResponder.notAllowed("POST") }
      guard let adds else { return Response(.readOnly) }
      return try await adds.answer(request, from: context.address)
    }
    guard request.method == .get || request.method == .head else {
      return LedgerResponder.notAllowed("GET, HEAD")
    }
    switch path {
    case .health: return try await health()
    case .metrics: return try await metricsText()
    case .lookup(let claim, let start):
      guard let lookups else { return Response(.noIndex) }
      return try await lookups.answer(claim, from: start)
    case .openAPI: return LedgerResponder.openAPI.answer(to: request.head)
    default: return try await reads.answer(path, request.head)
    }
  }

  private static func notAllowed(_ methods: String) -> Response {
    Response(
      ServiceProblem(
        405, "methodNotAllowed", "this path takes \(methods)", remedy: "use one of these"),
      headers: [.allow: methods])
  }

  private static let openAPI: Representation = {
    let bytes = PackageResources.openapi_yaml
    return Representation(
      content: .bytes(bytes), tag: EntityTag(of: bytes), type: "application/yaml",
      cacheControl: "no-cache")
  }()

  private func size() async throws -> UInt64 {
    if let sequencer { return sequencer.status.size }
    return try await NIOThreadPool.singleton.runIfActive {
      do { return try published.size() } catch { throw ServiceProblem.internalFailure }
    }
  }

  private func hasEnded() async throws -> Bool {
    if let sequencer { return sequencer.status.hasEnded }
    return try await NIOThreadPool.singleton.runIfActive {
      do { return try published.hasEnded() } catch { throw ServiceProblem.internalFailure }
    }
  }

  private func health() async throws -> Response {
    let status = sequencer?.status
    let health = ServiceHealth(
      status, staleAfterSeconds: staleAfterSeconds, now: Seconds.now)
    let document = health.document(
      size: try await size(), status: status, origin: origin, hasEnded: try await hasEnded())
    return Response(
      status: health.verdict == .ok ? .ok : .serviceUnavailable, type: "application/json",
      momentary: document)
  }

  private func metricsText() async throws -> Response {
    let status = sequencer?.status
    var gauges: [(name: String, help: String, value: UInt64)] = [
      ("size", "Entries under the published head.", try await size()),
      ("connections", "Open connections.", UInt64(register.count)),
      ("queue_entries", "Additions without an answer.", UInt64(status?.queuedEntries ?? 0)),
      ("queue_bytes", "Bytes of additions in waiting.", UInt64(status?.queuedByteCount ?? 0)),
    ]
    if let free = sequencer?.freeByteCount {
      gauges.append(("free_bytes", "Room on the log's disk.", free))
    }
    let text =
      metrics.text(gauges) + (sequencer?.rounds?.metricsText(status) ?? "")
      + (stamper?.metricsText ?? "")
    return Response(type: MetricsText.type, momentary: Array(text.utf8))
  }
}
