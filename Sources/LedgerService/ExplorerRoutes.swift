import HTTPTypes
import Hummingbird
import NIOCore
import NIOPosix
import Synchronization
import TransparencyLedger

/// The pages for people (`spec/ledger-service.md`, "Pages").
///
/// Pages have threads of their own: whoever asks for many of them slows down pages, and neither additions
/// nor the reading of tiles.
final class ExplorerRoutes: Sendable {
  private let pages: ExplorerPages
  private let pool = NIOThreadPool(numberOfThreads: ExplorerLimits.threads)
  private let waiting = Mutex(0)

  init(_ pages: ExplorerPages) {
    self.pages = pages
    pool.start()
  }

  func close() async { try? await pool.shutdownGracefully() }

  func answer(_ path: ExplorerPath, _ request: HTTPRequest) async throws -> Response {
    switch path {
    case .style:
      return ExplorerRoutes.asset(PackageResources.explorer_css, "text/css; charset=utf-8", request)
    case .script:
      return ExplorerRoutes.asset(
        PackageResources.explorer_js, "text/javascript; charset=utf-8", request)
    default: break
    }
    let isAllowed = waiting.withLock { count in
      guard count < ExplorerLimits.waiting else { return false }
      count += 1
      return true
    }
    guard isAllowed else { throw ServiceProblem.busy }
    defer { waiting.withLock { $0 -= 1 } }
    let found = try await pool.runIfActive { [pages] in pages.find(path) }
    pages.readOn(in: pool)
    return ExplorerRoutes.response(found, request)
  }

  private static func asset(_ bytes: [UInt8], _ type: String, _ request: HTTPRequest) -> Response {
    var response = Representation(
      content: .bytes(bytes), tag: EntityTag(of: bytes), type: type, cacheControl: "no-cache"
    ).answer(to: request)
    response.headers[.xContentTypeOptions] = "nosniff"
    return response
  }

  private static func response(_ found: ExplorerAnswer, _ request: HTTPRequest) -> Response {
    var response: Response
    switch found {
    case .moved(let place):
      response = Response(
        status: .seeOther, headers: [.location: place, .cacheControl: "no-cache"],
        body: ResponseBody())
    case .page(let status, let bytes):
      let type = "text/html; charset=utf-8"
      if status == 200 {
        response = Representation(
          content: .bytes(bytes), tag: EntityTag(of: bytes), type: type, cacheControl: "no-cache"
        ).answer(to: request)
      } else {
        response = Response(
          status: .init(code: status), type: type, momentary: bytes)
      }
    case .file(let file):
      response = Representation(
        content: .bytes(file.bytes), tag: EntityTag(of: file.bytes), type: file.type,
        cacheControl: file.isForEver ? "public, max-age=31536000, immutable" : "no-cache"
      ).answer(to: request)
      // An entry is whatever somebody logged: no browser is to make a page of it.
      response.headers[.contentDisposition] = "attachment; filename=\"\(file.name)\""
    }
    response.headers[.contentSecurityPolicy] = policy
    response.headers[.xContentTypeOptions] = "nosniff"
    if let name = HTTPField.Name("Referrer-Policy") { response.headers[name] = "no-referrer" }
    return response
  }

  /// No script, style or image but from the service itself, nothing inline, and no frame around it.
  private static let policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    + "img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
}

/// What the explorer answers with.
enum ExplorerAnswer: Sendable {
  struct File: Sendable {
    let name: String
    let type: String
    let bytes: [UInt8]
    /// The same bytes for ever at this path.
    let isForEver: Bool
  }

  case page(status: Int, [UInt8])
  case moved(String)
  case file(File)
}

extension ServiceProblem {
  static let busy = ServiceProblem(
    503, "busy", "too many pages are being made", remedy: "try again in a moment",
    retryAfterSeconds: ServiceLimits.retryAfterSeconds)
}
