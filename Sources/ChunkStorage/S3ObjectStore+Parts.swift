import CTransport
import Cryptography
import ProofPrimitives

/// Large files, in parts (Amazon S3 API Reference, "Multipart upload").
///
/// The object appears when the last request is answered, whole. When anything fails before, the parts
/// are thrown away; a killed process leaves them, invisible, to the bucket's own rules.
extension S3ObjectStore {
  /// Up to here an object goes in one request.
  static let singleLimit = 16 << 20
  /// Of every part but the last; S3 wants at least 5 MiB, and one size for all parts is what every
  /// server takes.
  static let partByteCount = 16 << 20
  /// S3's own; beyond 160,000 MiB the parts grow instead.
  private static let partLimit = 10_000

  static func partByteCount(for byteCount: Int) -> Int {
    let least = (byteCount + partLimit - 1) / partLimit
    let step = 1 << 20
    return max(partByteCount, (least + step - 1) / step * step)
  }

  func putInParts(
    _ object: OutgoingObject, _ file: OutgoingFile, progress: (Int) -> Void, isStopped: () -> Bool
  ) throws(StorageError) -> PutOutcome {
    guard try find(object.name) == nil else { return .present }
    guard try file.digest() == object.digest else {
      throw S3ObjectStore.changed(object, location)
    }
    let target = target(try name(object.name))
    let upload = try begin(object, target)
    do throws(StorageError) {
      let size = S3ObjectStore.partByteCount(for: file.byteCount)
      let whole = SHA256()
      var tags: [String] = []
      for start in stride(from: 0, to: file.byteCount, by: size) {
        guard !isStopped() else { throw stopped(object.name) }
        let range = start..<min(file.byteCount, start + size)
        let part = SHA256()
        try file.forEachBlock(of: range) {
          part.update($0)
          whole.update($0)
        }
        tags.append(try send(file, range, part.finish(), target, upload, number: tags.count + 1))
        progress(range.count)
      }
      // The signed digests of the parts are of what was sent; together they are what was meant.
      guard whole.finish() == object.digest else {
        throw S3ObjectStore.changed(object, location)
      }
      return try complete(object, target, upload, tags)
    } catch {
      abort(target, upload)
      throw error
    }
  }

  private func begin(
    _ object: OutgoingObject, _ target: HTTPTarget
  ) throws(StorageError) -> String {
    var target = target
    target.query = [("uploads", "")]
    var request = HTTPRequest(method: .post, target: target)
    request.headers = [(S3ObjectStore.digestHeader, object.digest.hex)]
    request.wholeLimit = S3ObjectStore.answerLimit
    client.countRoundTrip()
    let answer = try client.ask(request)
    guard answer.status == 200, let id = XMLElements(answer.body).first("UploadId")?.text,
      !id.isEmpty, id.utf8.count <= 2048
    else { throw client.unexpected(answer, request.url) }
    return id
  }

  /// - Returns: What the server calls the part.
  private func send(
    _ file: OutgoingFile, _ range: Range<Int>, _ digest: Digest, _ target: HTTPTarget,
    _ upload: String, number: Int
  ) throws(StorageError) -> String {
    var target = target
    target.query = [("partNumber", "\(number)"), ("uploadId", upload)]
    var request = HTTPRequest(method: .put, target: target)
    request.body = .file(file, range, digest: digest)
    request.wholeLimit = S3ObjectStore.answerLimit
    client.countRoundTrip()
    let answer = try client.ask(request)
    guard answer.status == 200, !answer.etag.isEmpty else {
      throw client.unexpected(answer, request.url)
    }
    return answer.etag
  }

  private func complete(
    _ object: OutgoingObject, _ target: HTTPTarget, _ upload: String, _ tags: [String]
  ) throws(StorageError) -> PutOutcome {
    var target = target
    target.query = [("uploadId", upload)]
    var request = HTTPRequest(method: .post, target: target)
    // Servers that know no condition here ignore it; the name was looked up before.
    request.headers = [S3ObjectStore.ifAbsent]
    let parts = tags.enumerated().map { number, tag in
      "<Part><PartNumber>\(number + 1)</PartNumber><ETag>\(S3ObjectStore.escaped(tag))</ETag></Part>"
    }
    request.body = .bytes(
      Array("<CompleteMultipartUpload>\(parts.joined())</CompleteMultipartUpload>".utf8))
    request.wholeLimit = S3ObjectStore.answerLimit
    client.countRoundTrip()
    let answer = try client.ask(request)
    switch answer.status {
    // A failure may come after the 200, which S3 sends early to keep the connection.
    case 200 where S3ErrorReply(answer.body) == nil: return .stored
    case 412:
      abort(target, upload)
      return .present
    // An answer that was lost on its way, asked for again.
    case 404 where try holds(object) == true: return .stored
    default: throw client.unexpected(answer, request.url)
    }
  }

  /// Whatever this answers, the error that led here is what the user needs to know.
  private func abort(_ target: HTTPTarget, _ upload: String) {
    var target = target
    target.query = [("uploadId", upload)]
    _ = try? client.ask(HTTPRequest(method: .delete, target: target))
  }

  private static func escaped(_ text: String) -> String {
    text.reduce(into: "") { out, character in
      switch character {
      case "&": out += "&amp;"
      case "<": out += "&lt;"
      case ">": out += "&gt;"
      default: out.append(character)
      }
    }
  }
}
