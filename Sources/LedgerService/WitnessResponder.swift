import HTTPTypes
import Hummingbird
import NIOCore
import NIOPosix
import ProofPrimitives
import Synchronization
import TransparencyLedger

/// Answers for a witness: `add-checkpoint`, the monitors' read path, and how it is.
struct WitnessResponder: HTTPResponder {
  /// What a request's path names. Compared as bytes, as `ServicePath` is.
  enum Path: Equatable {
    case addCheckpoint, health, metrics
    /// The last head of the origin with this SHA-256.
    case head(String)

    init?(target: String) {
      let path = String(target.prefix { $0 != "?" })
      switch path {
      case "/add-checkpoint": self = .addCheckpoint
      case "/healthz": self = .health
      case "/metrics": self = .metrics
      default:
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].isEmpty, parts[2] == "checkpoint",
          Digest(hex: String(parts[1])) != nil
        else { return nil }
        self = .head(String(parts[1]))
      }
    }
  }

  let witness: Witness
  let logCount: Int
  let register: ConnectionRegister
  let metrics: ServiceMetrics
  private let answers = AnswerCount()

  init(
    witness: Witness, logCount: Int, register: ConnectionRegister, metrics: ServiceMetrics
  ) {
    self.witness = witness
    self.logCount = logCount
    self.register = register
    self.metrics = metrics
  }

  func respond(to request: Request, context: RequestOrigin) async throws -> Response {
    var response = try await answer(request)
    metrics.count { $0.responses[min(5, max(0, response.status.code / 100))] += 1 }
    if request.method == .head { response = response.createHeadResponse() }
    return response
  }

  private func answer(_ request: Request) async throws -> Response {
    guard let path = Path(target: request.head.path ?? "") else {
      return WitnessResponder.text(.notFound, "notFound: nothing is served at this path")
    }
    let methods: [HTTPRequest.Method] = path == .addCheckpoint ? [.post] : [.get, .head]
    guard methods.contains(request.method) else {
      let names = methods.map(\.rawValue).joined(separator: ", ")
      var response = WitnessResponder.text(
        .methodNotAllowed, "methodNotAllowed: this path takes \(names)")
      response.headers[.allow] = names
      return response
    }
    switch path {
    case .addCheckpoint: return try await addCheckpoint(request)
    case .head(let hash): return try await head(hash, request.head)
    case .health: return try await health()
    case .metrics: return Response(type: MetricsText.type, momentary: Array(metricsText().utf8))
    }
  }

  /// Deciding waits for the disk, and for other deciders: not on a thread of the event loops.
  private func addCheckpoint(_ request: Request) async throws -> Response {
    // One byte more than is taken shows that there are more.
    let limit = AddCheckpointRequest.byteLimit + 1
    var body: [UInt8] = []
    for try await piece in request.body {
      body.append(contentsOf: piece.readableBytesView.prefix(limit - body.count))
      if body.count == limit { break }
    }
    let whole = body
    let answer = try await NIOThreadPool.singleton.runIfActive {
      witness.answer(addCheckpoint: whole)
    }
    answers.add(answer.status)
    return Response(
      status: .init(code: answer.status), type: answer.contentType, momentary: answer.body)
  }

  private func head(_ hash: String, _ request: HTTPRequest) async throws -> Response {
    let found: Result<[UInt8]?, LedgerError> = try await NIOThreadPool.singleton.runIfActive {
      do throws(LedgerError) {
        return .success(try witness.latestHead(originHash: hash))
      } catch {
        return .failure(error)
      }
    }
    switch found {
    case .failure:
      return WitnessResponder.text(
        .internalServerError, "internal: the witness could not read its state")
    case .success(nil):
      return WitnessResponder.text(
        .notFound, "notFound: this witness never cosigned a head of this origin")
    case .success(let bytes?):
      return Representation(
        content: .bytes(bytes), tag: EntityTag(of: bytes), type: ReadRoutes.text,
        cacheControl: "no-cache"
      ).answer(to: request)
    }
  }

  private func health() async throws -> Response {
    let isReadable = try await NIOThreadPool.singleton.runIfActive {
      do {
        _ = try witness.lastCosigned(origin: "")
        return true
      } catch {
        return false
      }
    }
    let document = JSONValue.map([
      ("logs", .int(logCount)), ("name", .string(witness.verifierKey.name)),
      ("status", .string(isReadable ? "ok" : "failing")),
    ])
    return Response(
      status: isReadable ? .ok : .serviceUnavailable, type: "application/json",
      momentary: document.encoded)
  }

  private func metricsText() -> String {
    var text = MetricsText(prefix: "pol_witness")
    text.gauge("logs", "Log keys that are followed.", UInt64(logCount))
    text.gauge("connections", "Open connections.", UInt64(register.count))
    text.counter(
      "answers_total", "Answers to add-checkpoint, by status.", by: "status",
      answers.all.map { (String($0), $1) })
    metrics.addConnections(to: &text)
    return text.whole
  }

  private static func text(_ status: HTTPResponse.Status, _ line: String) -> Response {
    Response(status: status, type: WitnessAnswer.textType, momentary: Array("\(line)\n".utf8))
  }
}

/// How often each status was answered.
private final class AnswerCount: Sendable {
  /// Every one that there is, so that none is missing from a chart.
  private let counts = Mutex<[Int: UInt64]>(
    Dictionary(uniqueKeysWithValues: [200, 400, 403, 404, 409, 422, 500, 503].map { ($0, 0) }))

  func add(_ status: Int) { counts.withLock { $0[status, default: 0] += 1 } }

  var all: [(Int, UInt64)] { counts.withLock { $0.sorted { $0.key < $1.key } } }
}
