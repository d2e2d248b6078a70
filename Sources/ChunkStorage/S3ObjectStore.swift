import CTransport
import ProofPrimitives
import Synchronization

/// Objects below a prefix of a bucket (`spec/store.md` §3).
///
/// An object's SHA-256 travels with it as metadata, so that a later push can tell what is there without
/// fetching it. "Where nothing stands" is asked of the server (`If-None-Match: *`) if `prepare` found
/// that it heeds that; otherwise looked up first, which two pushes at a time can both pass.
package final class S3ObjectStore: ObjectStore {
  package let source: any ObjectSource
  package var location: String { source.location }
  let place: S3Location
  let client: HTTPClient
  private let heedsConditions = Mutex(false)

  /// What an answer that is no object may hold: a listing of 1,000 keys of 1,024 bytes, all escaped.
  static let answerLimit = 8 << 20
  static let digestHeader = "x-amz-meta-pol-sha256"
  static let ifAbsent = (name: "If-None-Match", value: "*")
  /// Two uploads of one name at the same time: the server wants one of them to come again.
  static let conflict = 409

  /// Connects to nothing yet.
  package convenience init(_ url: String, _ settings: S3Settings) throws(StorageError) {
    try self.init(url, settings, patience: HTTPPatience())
  }

  init(_ url: String, _ settings: S3Settings, patience: HTTPPatience) throws(StorageError) {
    place = try S3Location(url, settings)
    client = try HTTPClient(place, settings, patience: patience)
    source = HTTPObjectSource(client)
  }

  /// Puts the probe twice. Where the second one is not refused, the server does not heed conditions, and
  /// has replaced bytes by the same bytes.
  package func prepare(_ probe: OutgoingObject) throws(StorageError) -> StorePreparation {
    let wasThere = try holds(probe)
    guard wasThere != false else {
      throw StorageError(
        .present, at: target(try name(probe.name)).url,
        "another file stands here; nothing is replaced",
        remedy: "choose another target, or remove what is there yourself")
    }
    let body = try body(of: probe)
    _ = try putOnce(probe, body, isConditional: true)
    let isHeeded = try putOnce(probe, body, isConditional: true) == .present
    heedsConditions.withLock { $0 = isHeeded }
    let warning =
      "\(printable(location, limit: 1000)) ignores conditional writes, so it cannot keep two pushes "
      + "apart; each name is looked up before it is written instead"
    return StorePreparation(
      isProbeStored: wasThere == nil, warnings: isHeeded ? [] : [warning])
  }

  package func find(_ name: String) throws(StorageError) -> StoredObject? {
    let target = target(try self.name(name))
    client.countRoundTrip()
    let answer = try client.ask(.head(target))
    switch answer.status {
    case 404, 410: return nil
    case 200:
      guard let byteCount = answer.contentByteCount else { break }
      return StoredObject(byteCount: byteCount, digest: Digest(hex: answer.digest))
    // A HEAD's refusal has no body to say why.
    case 400, 403: throw try refusal(target)
    default: break
    }
    throw client.unexpected(answer, target.url)
  }

  package func put(
    _ object: OutgoingObject, progress: (Int) -> Void, isStopped: () -> Bool
  ) throws(StorageError) -> PutOutcome {
    guard !isStopped() else { throw stopped(object.name) }
    if case .file(let file) = object.content, file.byteCount > S3ObjectStore.singleLimit {
      return try putInParts(object, file, progress: progress, isStopped: isStopped)
    }
    let isConditional = heedsConditions.withLock { $0 }
    if !isConditional, try find(object.name) != nil { return .present }
    let outcome = try putOnce(object, try body(of: object), isConditional: isConditional)
    progress(object.byteCount)
    return outcome
  }

  func target(_ name: ObjectName) -> HTTPTarget { client.server.target(of: name) }

  func name(_ name: String) throws(StorageError) -> ObjectName {
    try ObjectName(name, in: location)
  }

  /// The bytes to send, compared with their digest.
  private func body(of object: OutgoingObject) throws(StorageError) -> HTTPRequest.Body {
    let body: HTTPRequest.Body =
      switch object.content {
      case .bytes(let bytes): .bytes(bytes)
      case .file(let file):
        .file(file, 0..<file.byteCount, digest: try file.digest())
      }
    guard body.digest == object.digest else { throw S3ObjectStore.changed(object, location) }
    return body
  }

  static func changed(_ object: OutgoingObject, _ location: String) -> StorageError {
    StorageError(
      .damaged, at: "\(location)/\(object.name)", "the bytes changed before they were sent",
      remedy: "check the disk that they come from")
  }

  private func putOnce(
    _ object: OutgoingObject, _ body: HTTPRequest.Body, isConditional: Bool
  ) throws(StorageError) -> PutOutcome {
    var request = HTTPRequest(method: .put, target: target(try name(object.name)))
    request.headers = [(S3ObjectStore.digestHeader, object.digest.hex)]
    if isConditional { request.headers.append(S3ObjectStore.ifAbsent) }
    request.body = body
    request.wholeLimit = S3ObjectStore.answerLimit
    client.countRoundTrip()
    let answer = try client.ask(request, retries: [S3ObjectStore.conflict])
    switch answer.status {
    case 200: return .stored
    case 412 where isConditional: return .present
    default: throw client.unexpected(answer, request.url)
    }
  }

  /// Why a name may not be asked for, in the server's words.
  private func refusal(_ target: HTTPTarget) throws(StorageError) -> StorageError {
    let answer = try client.ask(.whole(target, limit: S3ObjectStore.answerLimit))
    return client.unexpected(answer, target.url)
  }
}
