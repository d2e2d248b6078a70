import Foundation
import ProofTestSupport
import Synchronization
import Testing

@testable import ChunkStorage

@Suite("ObjectSource against a hostile server") struct HTTPObjectSourceFaultTests {
  static let patience = HTTPPatience(
    connectTime: .seconds(2), stallTime: .seconds(1), answerTime: .seconds(20),
    pauses: [.milliseconds(1), .milliseconds(2), .milliseconds(3)],
    longestPause: .milliseconds(300))

  static func answer(_ status: String, _ headers: String..., body: String = "") -> String {
    "HTTP/1.1 \(status)\r\n" + headers.map { $0 + "\r\n" }.joined()
      + "Connection: close\r\n\r\n" + body
  }

  /// Asks for bytes 2..<6 of an object that should be "0123456789".
  private func read(
    _ scripts: HostileServer.Script...
  ) throws -> (result: Result<[UInt8], any Error>, requests: Int, bytes: Int) {
    let server = try HostileServer(scripts)
    let source = try HTTPObjectSource(server.url, patience: Self.patience)
    let result = Result { try source.read("x", range: 2..<6) }
    #expect(source.transfer.requests == server.asked.count)
    return (result, server.asked.count, source.transfer.bytes)
  }

  private func error(_ result: Result<[UInt8], any Error>) -> StorageError? {
    guard case .failure(let error) = result else { return nil }
    return error as? StorageError
  }

  private static let good = answer(
    "206 Partial Content", "Content-Range: bytes 2-5/10", "Content-Length: 4", body: "2345")

  @Test("the request says what is wanted and nothing more") func request() throws {
    let server = try HostileServer([.text(Self.good)])
    let source = try HTTPObjectSource(server.url, patience: Self.patience)
    #expect(try source.read("a b", range: 2..<6) == Array("2345".utf8))
    let head = server.asked.first ?? ""
    #expect(head.hasPrefix("GET /base/a%20b HTTP/1.1\r\n"))
    #expect(head.contains("Range: bytes=2-5\r\n"))
    #expect(head.contains("User-Agent: pol\r\n"))
    #expect(head.contains("Accept-Encoding: identity\r\n"))
  }

  @Test("a server that ignores ranges is read whole, cut and counted") func ignoresRange() throws {
    let got = try read(.text(Self.answer("200 OK", "Content-Length: 10", body: "0123456789")))
    #expect(try got.result.get() == Array("2345".utf8))
    #expect(got.bytes == 10)
  }

  @Test("an ignored range of a large object is refused") func ignoresRangeOfLarge() throws {
    let got = try read(
      .endless(Self.answer("200 OK", "Content-Length: \(WholeAnswers.byteLimit + 1)")))
    #expect(error(got.result)?.code == .noRanges)
    #expect(got.bytes < 1 << 20)
  }

  @Test("ignored ranges are told once, and an object that came whole is not asked for again")
  func ignoredOnce() throws {
    let whole = HostileServer.Script.text(
      Self.answer("200 OK", "Content-Length: 10", body: "0123456789"))
    let server = try HostileServer([whole])
    let told = Mutex<[String]>([])
    let source = try HTTPObjectSource(server.url, patience: Self.patience) { text in
      told.withLock { $0.append(text) }
    }
    // All of it is no part of it.
    #expect(try source.read("x", range: 0..<10) == Array("0123456789".utf8))
    #expect(told.withLock { $0 } == [] && !source.ignoresRanges)
    let requests = (0..<9).map { ObjectRequest("x", .range($0..<$0 + 2)) }
    let answers = try source.readTogether(requests)
    #expect(answers == (0..<9).map { Array("0123456789".utf8.dropFirst($0).prefix(2)) })
    #expect(try source.read("x", range: 2..<6) == Array("2345".utf8))
    #expect(server.asked.count == 2)
    #expect(source.ignoresRanges)
    #expect(throws: StorageError.self) { try source.read("x", range: 8..<11) }
    _ = try source.read("y", range: 2..<6)
    #expect(server.asked.count == 3)
    #expect(
      told.withLock { $0 } == [
        "\(server.url) ignores byte ranges: reading a part of a file fetches the whole file"
      ])
  }

  @Test("what is kept of whole objects is bounded") func keptBound() {
    let wholes = WholeAnswers()
    let large = [UInt8](repeating: 1, count: WholeAnswers.byteLimit - 5)
    _ = wholes.gaveWhole("a", [1, 2, 3])
    _ = wholes.gaveWhole("b", large)
    #expect(wholes.bytes(of: "a") != nil && wholes.bytes(of: "b") != nil)
    _ = wholes.gaveWhole("c", [1, 2, 3])
    #expect(wholes.bytes(of: "a") == nil && wholes.bytes(of: "b") != nil)
    _ = wholes.gaveWhole("d", large)
    #expect(wholes.bytes(of: "b") == nil && wholes.bytes(of: "d") != nil)
    wholes.gaveRange()
    #expect(wholes.bytes(of: "d") == nil && !wholes.isIgnoring)
  }

  @Test(
    "an answer with other bytes than asked for is refused at once",
    arguments: [
      answer("206 P", "Content-Range: bytes 1-4/10", "Content-Length: 4", body: "1234"),
      answer("206 P", "Content-Range: bytes 2-5/5", "Content-Length: 4", body: "2345"),
      answer("206 P", "Content-Range: bytes 2-4/10", "Content-Length: 3", body: "234"),
      answer("206 P", "Content-Range: bytes 2-5/10", "Content-Length: 5", body: "23456"),
      answer("206 P", "Content-Range: bytes 2-5/10", body: "23456"),
      answer("206 P", "Content-Length: 4", body: "2345"),
      answer(
        "206 P", "Content-Range: bytes 2-5/10", "Content-Range: bytes 2-5/10", "Content-Length: 4",
        body: "2345"),
      answer(
        "206 P", "Content-Range: bytes 2-5/10", "Content-Length: 4", "Content-Encoding: gzip",
        body: "2345"),
      answer("200 OK", body: "0123456789"),
      answer("200 OK", "Content-Length: 10", "Content-Encoding: br", body: "0123456789"),
    ])
  func otherBytes(text: String) throws {
    let got = try read(.text(text))
    #expect(error(got.result)?.code == .malformed)
    #expect(got.requests == 1)
  }

  @Test("a short object is missing, not short") func shortObject() throws {
    let short = try read(
      .text(Self.answer("206 P", "Content-Range: bytes 2-3/4", "Content-Length: 2", body: "23")))
    #expect(error(short.result)?.code == .missing)
    let whole = try read(.text(Self.answer("200 OK", "Content-Length: 4", body: "0123")))
    #expect(error(whole.result)?.code == .missing)
    let past = try read(
      .text(Self.answer("416 No", "Content-Range: bytes */2", "Content-Length: 0")))
    #expect(error(past.result)?.code == .missing)
  }

  @Test(
    "a passing fault is asked again",
    arguments: [
      HostileServer.Script.text(answer("503 Busy", "Content-Length: 4", body: "busy")),
      .text(answer("429 Slow Down", "Content-Length: 0")),
      .text(answer("206 P", "Content-Range: bytes 2-5/10", "Content-Length: 4", body: "23")),
      .text(answer("206 P", "Content-Range: bytes 2-5/10", body: "23")),
      .text(""), .reset,
    ])
  func passingFault(script: HostileServer.Script) throws {
    let got = try read(script, script, .text(Self.good))
    #expect(try got.result.get() == Array("2345".utf8))
    #expect(got.requests == 3)

    let lasting = try read(script)
    #expect(error(lasting.result)?.code == .io)
    #expect(lasting.requests == 4)
    #expect(error(lasting.result)?.description.contains("/base/x") == true)
  }

  @Test("Retry-After is honoured up to its bound") func retryAfter() throws {
    let clock = ContinuousClock()
    let start = clock.now
    let busy = Self.answer("503 Busy", "Retry-After: 99999", "Content-Length: 0")
    #expect(try read(.text(busy), .text(Self.good)).result.get() == Array("2345".utf8))
    let took = clock.now - start
    #expect(took >= .milliseconds(300) && took < .seconds(5))
  }

  @Test("501 is not asked again") func notImplemented() throws {
    let got = try read(.text(Self.answer("501 No", "Content-Length: 0")))
    #expect(error(got.result)?.code == .io)
    #expect(got.requests == 1)
  }

  @Test("an endless body stops at what was asked for", arguments: ["200 OK", "206 P", "404 No"])
  func endless(status: String) throws {
    let got = try read(.endless(Self.answer(status, "Content-Range: bytes 2-5/10")))
    #expect(error(got.result) != nil)
    #expect(got.bytes <= WholeAnswers.byteLimit + (1 << 20))
    #expect(got.requests == 1)
  }

  @Test("a whole object that never ends stops at its limit") func endlessWhole() throws {
    let server = try HostileServer([.endless(Self.answer("200 OK"))])
    let source = try HTTPObjectSource(server.url, patience: Self.patience)
    #expect(failure { _ = try source.readWhole("x", limit: 1000) }?.code == .limit)
    #expect(source.transfer.bytes < 1 << 20)
  }

  @Test("endless headers are refused") func endlessHeaders() throws {
    let got = try read(.endless("HTTP/1.1 200 OK\r\nX: "))
    #expect(error(got.result) != nil)
    let many = String(repeating: "X: 1234567890\r\n", count: 10_000)
    let lines = try read(.text("HTTP/1.1 200 OK\r\n" + many + "\r\n"))
    #expect(error(lines.result)?.code == .malformed)
  }

  @Test(
    "a server that stalls is given up",
    arguments: ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01"])
  func stalls(text: String) throws {
    let got = try read(.stall(text))
    #expect(error(got.result)?.code == .io)
    #expect(error(got.result)?.message.contains("too slow") == true)
    #expect(got.requests == 1)
  }

  @Test("a redirect to another origin is not followed") func redirect() throws {
    let other = try HostileServer([.text(Self.good)])
    let got = try read(
      .text(Self.answer("302 Found", "Location: \(other.url)/x", "Content-Length: 0")))
    #expect(error(got.result)?.code == .io)
    #expect(other.asked.isEmpty)
  }

  @Test("control characters of a server never reach a message") func controlCharacters() throws {
    for status in ["403 \u{1b}[2J\u{7}no\u{202e}", "302 \u{1b}]0;x\u{7}", "503 \u{1b}[31m"] {
      let got = try read(
        .text(Self.answer(status, "Location: \u{1b}[2J", "Content-Length: 0")))
      let text = try #require(error(got.result)?.description)
      #expect(
        text.unicodeScalars.allSatisfy { $0.value >= 32 && $0.value != 127 && $0.value != 0x202e })
    }
  }

  @Test("HEAD without a length falls back to a first byte") func headWithoutLength() throws {
    let probe = Self.answer("206 P", "Content-Range: bytes 0-0/77", "Content-Length: 1", body: "0")
    let server = try HostileServer([.text(Self.answer("200 OK")), .text(probe)])
    let source = try HTTPObjectSource(server.url, patience: Self.patience)
    #expect(try source.byteCount(of: "x") == 77)
    #expect(server.asked.first?.hasPrefix("HEAD ") == true)
  }

  @Test("a server that is gone is an I/O error") func refused() throws {
    let socket = try #require(LoopbackSocket())
    close(socket.descriptor)
    let source = try HTTPObjectSource(
      "http://127.0.0.1:\(socket.port)", patience: Self.patience)
    #expect(failure { _ = try source.byteCount(of: "x") }?.code == .io)
    #expect(source.transfer == TransferCount(requests: 4, bytes: 0, roundTrips: 1))
  }
}
