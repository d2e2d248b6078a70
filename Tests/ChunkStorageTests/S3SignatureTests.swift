import Cryptography
import Foundation
import ProofPrimitives
import ProofTestSupport
import Testing

@testable import ChunkStorage

@Suite("Signed S3 requests (store.md §3.2)") struct S3SignatureTests {
  struct Case: Decodable {
    let id: String
    let method: String
    let path: String
    let query: [[String]]
    let headers: [[String]]
    let payloadDigest: String
    let time: String
    let region: String
    let accessKey: String
    let secretKey: String
    let canonicalDigest: String
    let authorization: String
  }

  @Test("every request is signed as botocore signs it") func vectors() throws {
    let cases = try TestVectors.cases("sigv4/requests.json", of: Case.self)
    #expect(cases.count >= 200)
    for one in cases {
      let request = S3Signature.Request(
        method: one.method, path: one.path, query: one.query.map { ($0[0], $0[1]) },
        headers: one.headers.map { ($0[0], $0[1]) },
        payloadDigest: try #require(Digest(hex: one.payloadDigest)))
      let canonical = S3Signature.canonical(request)
      #expect(
        SHA256.hash(Array(canonical.utf8)).hex == one.canonicalDigest, "\(one.id): \(canonical)")
      let signature = S3Signature(
        region: one.region,
        credentials: S3Credentials(accessKey: one.accessKey, secretKey: one.secretKey),
        time: one.time)
      #expect(signature.authorization(request) == one.authorization, "\(one.id)")
    }
  }

  @Test("a request that is sent carries what is signed") func headers() throws {
    let server = try HTTPLocation("http://127.0.0.1:1234/bucket")
    let signer = S3Signer(
      region: "r", credentials: S3Credentials(accessKey: "A", secretKey: "S", sessionToken: "T"),
      clock: { 951_782_400 })
    let request = HTTPRequest.range(server.target(of: try ObjectName("a b", in: "")), 0..<10)
    let headers = signer.signed(request, [("Range", "bytes=0-9")], server: server)
    #expect(headers.first { $0.name == "Host" }?.value == "127.0.0.1:1234")
    #expect(headers.first { $0.name == "X-Amz-Date" }?.value == "20000229T000000Z")
    #expect(headers.first { $0.name == "X-Amz-Security-Token" }?.value == "T")
    let text = try #require(headers.first { $0.name == "Authorization" }?.value)
    #expect(
      text.contains(
        "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date;x-amz-security-token,"))
    #expect(text.contains("Credential=A/20000229/r/s3/aws4_request,"))
  }
}

@Suite("s3 URLs and the environment (store.md §3.1)") struct S3LocationTests {
  private func location(_ url: String, endpoint: String = "http://127.0.0.1:9") throws -> S3Location
  {
    try S3Location(url, S3Settings(endpoint: endpoint))
  }

  @Test("bucket and prefix become a path of the endpoint") func path() throws {
    for url in ["s3://proofs/a b/c+", "S3://proofs/a b/c+/", "s3://proofs/a b/c+//"] {
      let place = try location(url)
      #expect(place.base.base == "http://127.0.0.1:9/proofs/a%20b/c%2B")
      #expect(place.prefix == "a b/c+")
      #expect(place.bucketTarget.url == "http://127.0.0.1:9/proofs")
    }
    #expect(try location("s3://proofs").base.base == "http://127.0.0.1:9/proofs")
    let amazon = try S3Location("s3://proofs", S3Settings(region: "eu-central-1"))
    #expect(amazon.base.base == "https://s3.eu-central-1.amazonaws.com/proofs")
  }

  @Test(
    "what is no bucket or no prefix is refused",
    arguments: [
      "s3://", "s3:///a", "s3://ab", "s3://Proofs/a", "s3://pro_ofs", "s3://proofs//a",
      "s3://proofs/./a",
      "s3://proofs/../a", "s3://proofs/a\u{7}", "s3://user:secret@proofs/a", "http://proofs/a",
      "s3://proofs/" + String(repeating: "a", count: 961),
    ])
  func refused(url: String) { #expect(failure { _ = try location(url) }?.code == .malformed) }

  @Test("a region that is no name is refused") func region() {
    for region in ["", "eu west", "eu/1", String(repeating: "a", count: 65)] {
      let settings = S3Settings(endpoint: "http://h", region: region)
      #expect(failure { _ = try S3Location("s3://proofs", settings) }?.code == .malformed)
    }
  }

  @Test("the environment is read in its order") func environment() throws {
    func settings(_ values: [String: String]) throws -> S3Settings {
      try S3Settings.environment { values[$0] }
    }
    let all = [
      "POL_S3_ENDPOINT": "http://a", "AWS_ENDPOINT_URL_S3": "http://b",
      "AWS_ENDPOINT_URL": "http://c",
      "AWS_REGION": "r", "AWS_DEFAULT_REGION": "d", "AWS_ACCESS_KEY_ID": "A",
      "AWS_SECRET_ACCESS_KEY": "S", "AWS_SESSION_TOKEN": "T",
    ]
    let full = try settings(all)
    #expect(full.endpoint == "http://a" && full.region == "r")
    #expect(full.credentials?.accessKey == "A" && full.credentials?.sessionToken == "T")
    #expect(
      try settings(["AWS_ENDPOINT_URL": "http://c", "POL_S3_ENDPOINT": ""]).endpoint == "http://c")
    #expect(try settings([:]).credentials == nil)
    #expect(failure { _ = try settings(["AWS_ACCESS_KEY_ID": "A"]) }?.code == .malformed)
    #expect(
      failure {
        _ = try settings(["AWS_ACCESS_KEY_ID": "A\r\nX: y", "AWS_SECRET_ACCESS_KEY": "S"])
      }?.code == .malformed)
  }
}

@Suite("What an S3 server answers (store.md §3.3)") struct S3AnswerTests {
  static let patience = HTTPObjectSourceFaultTests.patience

  private func answer(_ status: String, _ body: String = "", _ headers: String...) -> String {
    "HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n"
      + headers.map { $0 + "\r\n" }.joined() + "Connection: close\r\n\r\n" + body
  }

  private func store(_ server: HostileServer) throws -> S3ObjectStore {
    try S3ObjectStore(
      "s3://bucket/p",
      S3Settings(
        endpoint: String(server.url.dropLast("/base".count)),
        credentials: S3Credentials(accessKey: "A", secretKey: "S")), patience: Self.patience)
  }

  private let object = OutgoingObject(
    "seal", .bytes([1, 2]), digest: SHA256.hash([UInt8]([1, 2])))

  @Test("elements are found by their whole names and their text is unescaped") func xml() {
    let text = """
      <?xml version="1.0"?><R xmlns="x"><Keys>no</Keys><Key/><Key>a&amp;b&#33;&#x3c;&bad;&</Key>\
      <C><Key>2</Key></C><Key>open
      """
    let elements = XMLElements(Array(text.utf8))
    #expect(elements.all("Key").map(\.text) == ["a&b!<&bad;&", "2"])
    #expect(elements.first("C")?.first("Key")?.text == "2")
    #expect(elements.first("R") == nil)
    for cut in 0..<text.utf8.count {
      _ = XMLElements(Array(text.utf8.prefix(cut))).all("Key").map(\.text)
    }
  }

  @Test(
    "a refusal is told in the server's words with what to do",
    arguments: [
      ("SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY"),
      ("InvalidAccessKeyId", "AWS_ACCESS_KEY_ID"),
      ("AuthorizationHeaderMalformed", "it is eu-x"), ("RequestTimeTooSkewed", "clock"),
      ("NoSuchBucket", "bucket"),
    ])
  func refusal(code: String, hint: String) throws {
    let body =
      "<Error><Code>\(code)</Code><Message>no \u{1b}[2J</Message><Region>eu-x</Region></Error>"
    let server = try HostileServer([
      .text(answer(code == "NoSuchBucket" ? "404 N" : "403 F", body))
    ])
    let found = failure { _ = try store(server).source.readWhole("seal", limit: 10) }
    #expect(found?.text.contains(code) == true)
    #expect(found?.text.contains(hint) == true)
    #expect(found?.text.contains("/bucket/p/seal") == true)
    #expect(found?.text.contains("\u{1b}") == false)
    #expect(server.asked.first?.contains("Authorization: AWS4-HMAC-SHA256 Credential=A/") == true)
  }

  @Test("a server that heeds If-None-Match is believed") func heeds() throws {
    let server = try HostileServer([
      .text(answer("404 N")), .text(answer("200 OK")), .text(answer("412 P")),
      .text(answer("412 P")),
    ])
    let store = try store(server)
    #expect(
      try store.prepare(object) == StorePreparation(isProbeStored: true, warnings: []))
    #expect(try store.put(object, progress: { _ in }, isStopped: { false }) == .present)
    #expect(server.asked.dropFirst().allSatisfy { $0.contains("If-None-Match: *") })
    #expect(server.asked.last?.contains("x-amz-meta-pol-sha256: \(object.digest.hex)") == true)
  }

  @Test("a server that ignores If-None-Match is noticed, and asked first") func ignores() throws {
    let server = try HostileServer([
      .text(answer("404 N")), .text(answer("200 OK")), .text(answer("200 OK")),
      .text(answer("200 OK", "", "x-amz-meta-pol-sha256: x")),
    ])
    let store = try store(server)
    #expect(try store.prepare(object).warnings.first?.contains("conditional") == true)
    #expect(try store.put(object, progress: { _ in }, isStopped: { false }) == .present)
    #expect(server.asked.last?.hasPrefix("HEAD ") == true)
  }

  @Test("the probe never replaces another object") func probe() throws {
    let other = answer(
      "200 OK", "xx", "x-amz-meta-pol-sha256: \(SHA256.hash([UInt8]([9])).hex)")
    let server = try HostileServer([.text(other)])
    let store = try store(server)
    #expect(failure { _ = try store.prepare(object) }?.code == .present)
    #expect(server.asked.allSatisfy { $0.hasPrefix("HEAD ") })
  }

  @Test("a body changed on its way is sent again") func changedBody() throws {
    let changed = "<Error><Code>XAmzContentSHA256Mismatch</Code></Error>"
    let server = try HostileServer([
      .text(answer("404 N")), .text(answer("400 B", changed)), .text(answer("200 OK")),
      .text(answer("409 C")), .text(answer("412 P")),
    ])
    #expect(try store(server).prepare(object).warnings == [])
    #expect(server.asked.count == 5)
  }

  @Test("a listing that never ends is refused") func endlessListing() throws {
    let page = """
      <ListBucketResult><IsTruncated>true</IsTruncated><Contents><Key>p/a%20b</Key></Contents>\
      <NextContinuationToken>t</NextContinuationToken></ListBucketResult>
      """
    let server = try HostileServer([.text(answer("200 OK", page))])
    #expect(failure { _ = try store(server).names() }?.code == .limit)
    let one = page.replacingOccurrences(of: "true", with: "false")
    let short = try HostileServer([.text(answer("200 OK", one))])
    #expect(try store(short).names() == ["a b"])
    #expect(short.asked.first?.contains("?encoding-type=url&list-type=2&prefix=p%2F ") == true)
    let denied = try HostileServer([
      .text(answer("403 F", "<Error><Code>AccessDenied</Code></Error>"))
    ])
    #expect(try store(denied).names() == nil)
  }

  @Test("parts grow so that no object has more than 10,000") func partSizes() {
    #expect(S3ObjectStore.partByteCount(for: 1 << 30) == 16 << 20)
    for byteCount in [160_000 << 20, (160_000 << 20) + 1, 5 << 40] {
      let size = S3ObjectStore.partByteCount(for: byteCount)
      #expect((byteCount + size - 1) / size <= 10_000)
      #expect(size <= 5 << 30)
    }
  }
}
