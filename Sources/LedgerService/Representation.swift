import ChunkStorage
import HTTPTypes
import Hummingbird
import NIOCore
import NIOPosix

/// One form of a resource: its bytes and what is said of them.
struct Representation: Sendable {
  enum Content: Sendable {
    case bytes([UInt8])
    case file(RandomAccessFile)
    case compressed(CompressedBundle)
  }

  let content: Content
  let tag: EntityTag
  let type: String
  let cacheControl: String
  /// Another `Accept-Encoding` may get another form.
  var varies = false

  var byteCount: Int {
    switch content {
    case .bytes(let bytes): bytes.count
    case .file(let file): file.byteCount
    case .compressed(let bundle): bundle.bytes.count
    }
  }

  /// The answer to GET, in the order of RFC 9110 §13.2.2: conditions, then the range.
  func answer(to request: HTTPRequest) -> Response {
    let fields = request.headerFields
    var headers = HTTPFields()
    headers[.eTag] = tag.description
    headers[.cacheControl] = cacheControl
    headers[.accessControlAllowOrigin] = "*"
    if varies { headers[.vary] = "Accept-Encoding" }
    if let ifMatch = fields[.ifMatch], !tag.isStronglyListed(in: ifMatch) {
      return Response(.preconditionFailed, headers: headers)
    }
    if tag.isListed(in: fields[.ifNoneMatch]) {
      var response = Response(status: .notModified, headers: headers)
      response.headers[.contentLength] = nil
      return response
    }
    headers[.contentType] = type
    headers[.acceptRanges] = "bytes"
    if case .compressed = content { headers[.contentEncoding] = "gzip" }
    // A range is of GET alone: HEAD tells of the whole.
    let field =
      request.method == .get && tag.allowsRange(fields[.ifRange]) ? fields[.range] : nil
    switch ByteRangeRequest(field, byteCount: byteCount) {
    case .whole:
      return Response(status: .ok, headers: headers, body: body(0..<byteCount))
    case .part(let range):
      headers[.contentRange] = "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(byteCount)"
      return Response(status: .partialContent, headers: headers, body: body(range))
    case .unsatisfiable:
      headers[.contentEncoding] = nil
      headers[.contentRange] = "bytes */\(byteCount)"
      return Response(.notSatisfiable(byteCount), headers: headers)
    }
  }

  /// In pieces, so that a slow reader holds one of them and not the whole.
  private func body(_ range: Range<Int>) -> ResponseBody {
    let content = content
    if case .bytes(let bytes) = content, range.count <= ServiceLimits.pieceByteCount {
      return ResponseBody(byteBuffer: ByteBuffer(bytes: bytes[range]))
    }
    return ResponseBody(contentLength: range.count) { writer in
      var start = range.lowerBound
      while start < range.upperBound {
        let piece = start..<min(start + ServiceLimits.pieceByteCount, range.upperBound)
        switch content {
        case .bytes(let bytes): try await writer.write(ByteBuffer(bytes: bytes[piece]))
        case .compressed(let bundle):
          try await writer.write(ByteBuffer(bytes: bundle.bytes[piece]))
        case .file(let file):
          let bytes = try await NIOThreadPool.singleton.runIfActive { try file.bytes(piece) }
          try await writer.write(ByteBuffer(bytes: bytes))
        }
        start = piece.upperBound
      }
      try await writer.finish(nil)
    }
  }
}

extension Response {
  /// A problem document.
  init(_ problem: ServiceProblem, headers: HTTPFields = HTTPFields()) {
    var headers = headers
    headers[.contentType] = "application/problem+json"
    headers[.cacheControl] = "no-store"
    headers[.accessControlAllowOrigin] = "*"
    headers[.eTag] = nil
    if let seconds = problem.retryAfterSeconds { headers[.retryAfter] = String(seconds) }
    self.init(
      status: .init(code: problem.status), headers: headers,
      body: ResponseBody(byteBuffer: ByteBuffer(bytes: problem.document)))
  }

  /// An answer that is good for this moment only.
  init(status: HTTPResponse.Status = .ok, type: String, momentary bytes: [UInt8]) {
    self.init(
      status: status,
      headers: [
        .contentType: type, .cacheControl: "no-store", .accessControlAllowOrigin: "*",
      ], body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
  }
}
