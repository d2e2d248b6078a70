import ChunkStorage
import HTTPTypes
import Hummingbird
import NIOPosix
import TransparencyLedger

/// The files of a log's public folder, as HTTP serves them.
struct ReadRoutes: Sendable {
  static let text = "text/plain; charset=utf-8"

  private let files: RootedFiles
  private let verifierKey: String
  private let compression = BundleCompression()

  init(directory: String, verifierKey: String) {
    files = RootedFiles(directory)
    self.verifierKey = verifierKey
  }

  func answer(_ path: ServicePath, _ request: HTTPRequest) async throws -> Response {
    let takesGzip = ReadRoutes.takesGzip(request.headerFields)
    // Opening and reading wait for the disk, which the threads of the event loops must not.
    let found = try await NIOThreadPool.singleton.runIfActive {
      do {
        return try representation(path, takesGzip: takesGzip)
      } catch {
        throw ServiceProblem.internalFailure
      }
    }
    guard let found else { return Response(.notFound) }
    return found.answer(to: request)
  }

  /// A range is of the plain form, whatever else is acceptable: clients that ask for gzip without a
  /// thought cannot unpack the middle of it. Whoever names the gzip form's tag knows what it asks for.
  static func takesGzip(_ fields: HTTPFields) -> Bool {
    guard ContentNegotiation.takesGzip(fields[.acceptEncoding]) else { return false }
    return fields[.range] == nil || fields[.ifRange]?.contains("-gzip-") ?? false
  }

  /// Nil when the log has no such file.
  func representation(
    _ path: ServicePath, takesGzip: Bool
  ) throws(StorageError) -> Representation? {
    guard let name = path.fileName, let file = try files.open(name) else { return nil }
    switch path {
    case .tile:
      return Representation(
        content: .bytes(try file.bytes(0..<file.byteCount)), tag: tag(name),
        type: "application/octet-stream", cacheControl: ReadRoutes.forEver)
    case .bundle:
      let compressed =
        takesGzip
        ? try compression.bundle(path: name, byteCount: file.byteCount) {
          () throws(StorageError) in try file.bytes(0..<file.byteCount)
        } : nil
      guard let compressed else {
        return Representation(
          content: .file(file), tag: tag(name), type: "application/octet-stream",
          cacheControl: ReadRoutes.forEver, varies: true)
      }
      return Representation(
        content: .compressed(compressed), tag: tag(name).with(coding: BundleCompression.coding),
        type: "application/octet-stream", cacheControl: ReadRoutes.forEver, varies: true)
    case .timeFile(let name):
      return Representation(
        content: .file(file), tag: tag(name.path), type: name.mediaType,
        cacheControl: ReadRoutes.forEver)
    case .history, .timeIndex:
      return Representation(
        content: .file(file), tag: EntityTag(growingTo: file.byteCount), type: ReadRoutes.text,
        cacheControl: "no-cache")
    default:
      let bytes = try file.bytes(0..<file.byteCount)
      return Representation(
        content: .bytes(bytes), tag: EntityTag(of: bytes), type: ReadRoutes.text,
        cacheControl: "no-cache")
    }
  }

  private static let forEver = "public, max-age=31536000, immutable"

  private func tag(_ name: String) -> EntityTag { EntityTag(path: name, verifierKey: verifierKey) }
}

extension TimePath {
  /// Tokens have no registered type of their own; certificates and lists have (RFC 2585 §4).
  var mediaType: String {
    switch self {
    case .token: "application/octet-stream"
    case .certificate: "application/pkix-cert"
    case .revocationList: "application/pkix-crl"
    }
  }
}
