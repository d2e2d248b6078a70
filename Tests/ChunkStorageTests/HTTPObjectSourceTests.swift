import Foundation
import ProofTestSupport
import Testing

@testable import ChunkStorage

/// The code and message of what `body` throws.
func failure(_ body: () throws -> Void) -> (code: StorageError.Code, text: String)? {
  do {
    try body()
    return nil
  } catch {
    guard let error = error as? StorageError else { return nil }
    return (error.code, error.description)
  }
}

@Suite("Objects on a server", .enabled(if: NginxServer.program != nil, "nginx is not installed"))
struct HTTPObjectSourceTests {
  let directory: TemporaryDirectory
  let server: NginxServer
  let source: HTTPObjectSource

  init() throws {
    directory = try TemporaryDirectory()
    try directory.file("top", pattern(100_000))
    try directory.file("a/b c%?", pattern(300))
    try directory.file("empty", [])
    server = try NginxServer(serving: directory.path)
    source = try HTTPObjectSource(server.url + "//")
  }

  @Test("objects are read whole, in ranges, and counted") func reads() throws {
    #expect(source.location == server.url)
    #expect(try source.byteCount(of: "top") == 100_000)
    #expect(
      try source.read("top", range: 70_000..<70_010) == Array(pattern(100_000)[70_000..<70_010]))
    #expect(try source.readWhole("a/b c%?", limit: 300) == pattern(300))
    #expect(try source.readWhole("empty", limit: 0) == [])
    #expect(try source.byteCount(of: "empty") == 0)
    #expect(source.transfer == TransferCount(requests: 5, bytes: 310, roundTrips: 5))
    #expect(try source.read("top", range: 5..<5) == [])
  }

  @Test("one connection serves all requests, missing objects included") func keepAlive() throws {
    for start in 0..<5 { _ = try source.read("top", range: start..<start + 100) }
    #expect(try source.readWhole("absent", limit: 10) == nil)
    _ = try source.read("top", range: 0..<100_000)
    let lines = try server.log(of: "/top", atLeast: 6)
    #expect(lines.count == 6)
    #expect(Set(lines.map { $0[3] }).count == 1)
    #expect(lines.allSatisfy { $0[2] == "206" })
  }

  @Test("what is not there is nil or missing") func missing() throws {
    #expect(try source.byteCount(of: "absent") == nil)
    #expect(try source.readWhole("a/absent", limit: 10) == nil)
    #expect(failure { _ = try source.read("absent", range: 0..<1) }?.code == .missing)
    #expect(failure { _ = try source.read("top", range: 99_999..<100_001) }?.code == .missing)
    #expect(failure { _ = try source.read("top", range: 100_000..<100_001) }?.code == .missing)
    #expect(failure { _ = try source.read("empty", range: 0..<1) }?.code == .missing)
    #expect(failure { _ = try source.read("../top", range: 0..<1) }?.code == .malformed)
  }

  @Test("an object beyond the limit is refused before it is read") func limit() {
    #expect(failure { _ = try source.readWhole("top", limit: 99_999) }?.code == .limit)
    #expect(source.transfer.bytes < 99_999)
  }

  @Test("where HEAD is refused, the first byte tells the size") func noHead() throws {
    let source = try HTTPObjectSource(server.url + "/nohead/")
    #expect(try source.byteCount(of: "top") == 100_000)
    #expect(try source.byteCount(of: "empty") == 0)
  }

  @Test("a redirect is not followed") func redirect() throws {
    let source = try HTTPObjectSource(server.url + "/moved")
    let found = failure { _ = try source.readWhole("top", limit: 10) }
    #expect(found?.code == .io)
    #expect(found?.text.contains("elsewhere") == true)
  }

  @Test("threads share a source") func threads() async throws {
    let source = self.source
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for start in 0..<20 {
        group.addTask {
          try source.read("top", range: start..<start + 1000)
            == Array(pattern(100_000)[start..<start + 1000])
        }
      }
      for try await isRight in group { #expect(isRight) }
    }
    #expect(source.transfer == TransferCount(requests: 20, bytes: 20_000, roundTrips: 20))
  }
}

@Suite("ObjectSource URLs") struct HTTPLocationTests {
  @Test(
    "a URL that is none, or holds more than a place, is refused",
    arguments: [
      "ftp://host/", "http://", "http:///a", "http://:80/", "http://user:secret@host/",
      "https://user@host", "http://host/?q", "http://host/#f", "http://host/a b", "http://host/\n",
      "http://host\\@other/", "http://höst/", "http://" + String(repeating: "h", count: 2048),
    ])
  func refused(url: String) {
    let found = failure { _ = try HTTPLocation(url) }
    #expect(found?.code == .malformed)
    #expect(found?.text.contains("secret") == false)
  }

  @Test("slashes at the end mean nothing and components are percent-encoded") func encodes() throws
  {
    let name = try ObjectName("a b/ü%", in: "")
    for url in ["HTTPS://host:8/x", "https://host:8/x/", "https://host:8/x//"] {
      #expect(try HTTPLocation(url).target(of: name).url == "https://host:8/x/a%20b/%C3%BC%25")
    }
  }

  @Test(
    "a malformed Content-Range is refused",
    arguments: [
      "", "bytes", "bytes 0-1", "bytes 1-0/5", "bytes 0-5/5", "bytes */*",
      "bytes 0-1/5, bytes 0-1/5",
      "bytes +0-1/5", "bytes 0-9223372036854775807/*", "bytes 0-99999999999999999999/*",
      "items 0-1/5",
      "bytes 0--1/5", "bytes -1/5",
    ])
  func contentRange(text: String) {
    #expect(HTTPContentRange(text) == nil)
  }
}
