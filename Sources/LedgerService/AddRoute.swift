import Cryptography
import HTTPTypes
import Hummingbird
import MerkleTrees
import NIOCore
import ProofPrimitives
import Synchronization
import TransparencyLedger

/// `POST /add` (`spec/ledger-service.md` §5).
///
/// What can be refused by its head is refused before its body is read; what can be checked without
/// the log is checked before it is queued.
final class AddRoute: Sendable {
  /// The forms of the answer, by media type.
  enum Form: String, CaseIterable {
    case json = "application/json"
    case receipt = "text/x.tlog.proof"
    case index = "text/plain"

    static let forEnvelopes: [Form] = [.json, .receipt, .index]
    static let forBareBytes: [Form] = [.index, .json, .receipt]
  }

  static let envelopeTypes = ["application/vnd.dsse.envelope.v1+json", "application/json"]

  private let sequencer: Sequencer
  private let takesOpaqueEntries: Bool
  private let metrics: ServiceMetrics
  private let addressQuota: Mutex<TokenBuckets<ClientAddress>>
  private let keyQuota: Mutex<TokenBuckets<[UInt8]>>

  init(_ sequencer: Sequencer, _ configuration: ServiceConfiguration, metrics: ServiceMetrics) {
    self.sequencer = sequencer
    takesOpaqueEntries = configuration.takesOpaqueEntries
    self.metrics = metrics
    addressQuota = Mutex(TokenBuckets(perSecond: configuration.addsPerAddress))
    keyQuota = Mutex(TokenBuckets(perSecond: configuration.addsPerKey))
  }

  func answer(_ request: Request, from address: ClientAddress) async throws -> Response {
    let isEnvelope = AddRoute.isEnvelope(request.headers[.contentType])
    do {
      let forms = isEnvelope ? Form.forEnvelopes : Form.forBareBytes
      let choice = ContentNegotiation.choose(
        forms.map(\.rawValue), accept: request.headers[.accept])
      guard let choice else { throw ServiceProblem.notAcceptable }
      try admit(request, from: address)
      let body = try await AddRoute.body(of: request)
      let started = Seconds.now
      let entry = try prepare(body, isEnvelope: isEnvelope)
      let receipt = try await sequencer.add(entry).get()
      metrics.count {
        $0.adds[receipt.wasKnown ? .known : .new, default: 0] += 1
        $0.addSeconds.add(Seconds.now - started)
      }
      return AddRoute.response(receipt, forms[choice])
    } catch let problem as ServiceProblem {
      let result: ServiceMetrics.AddResult =
        switch problem.status {
        case 429: .limited
        case 500...: .failed
        default: .refused
        }
      metrics.count { $0.adds[result, default: 0] += 1 }
      return Response(problem)
    }
  }

  static func isEnvelope(_ contentType: String?) -> Bool {
    let type = (contentType ?? "").utf8.prefix { $0 != UInt8(ascii: ";") }
    return envelopeTypes.contains(ContentNegotiation.trimmed(type))
  }

  /// What the head of the request decides.
  private func admit(
    _ request: Request, from address: ClientAddress
  ) throws(ServiceProblem) {
    let coding = request.headers[.contentEncoding] ?? "identity"
    guard ContentNegotiation.trimmed(coding.utf8) == "identity" else { throw .encodedBody }
    // The parser has refused a length that is no number.
    let length = request.headers[.contentLength].flatMap { Int($0) } ?? 0
    guard length <= ServiceLimits.entryByteCount else { throw .tooLong }
    if let problem = sequencer.refusal(byteCount: length) { throw problem }
    let seconds = addressQuota.withLock { $0.take(address, now: Seconds.now) }
    if let seconds { throw .quota("addressQuota", "address", seconds: seconds) }
  }

  private static func body(of request: Request) async throws -> [UInt8] {
    var bytes: [UInt8] = []
    for try await piece in request.body {
      guard bytes.count + piece.readableBytes <= ServiceLimits.entryByteCount else {
        throw ServiceProblem.tooLong
      }
      bytes.append(contentsOf: piece.readableBytesView)
    }
    return bytes
  }

  /// Parses, verifies and hashes where the request is answered: it waits for nothing, and handing it to
  /// another thread would cost a tenth of it again.
  private func prepare(_ body: [UInt8], isEnvelope: Bool) throws -> PreparedEntry {
    let entry = try PreparedEntry(body)
    switch entry.parsed {
    case .opaque(let reason):
      guard takesOpaqueEntries, !isEnvelope else { throw ServiceProblem(refusing: reason) }
    case .signed(let signed):
      // After the signature: nobody uses up another's quota.
      let seconds = keyQuota.withLock { $0.take(signed.key.rawBytes, now: Seconds.now) }
      if let seconds { throw ServiceProblem.quota("keyQuota", "key", seconds: seconds) }
    }
    return entry
  }

  private static func response(_ receipt: LedgerReceipt, _ form: Form) -> Response {
    switch form {
    case .json:
      let document = JSONValue.map([
        ("index", .int(receipt.index.value)), ("known", .bool(receipt.wasKnown)),
        ("leafHash", .string(receipt.leafHash.hex)),
        ("receipt", .string(String(decoding: receipt.proof.encoded, as: UTF8.self))),
        ("schema", .string("pol-ledger-add/1")),
      ])
      return Response(type: form.rawValue, momentary: document.encoded)
    case .receipt: return Response(type: form.rawValue, momentary: receipt.proof.encoded)
    case .index:
      return Response(type: ReadRoutes.text, momentary: Array(receipt.index.description.utf8))
    }
  }
}
