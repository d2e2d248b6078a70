import HTTPTypes
import NIOCore
import NIOEmbedded
import NIOHTTPTypes
import Testing

@testable import LedgerService

/// A channel without a socket closes whole when its output is to be closed; a socket does not.
private final class HalfClosing: ChannelOutboundHandler {
  typealias OutboundIn = HTTPResponsePart

  func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
    if mode == .output {
      promise?.succeed()
    } else {
      context.close(mode: mode, promise: promise)
    }
  }
}

/// A guarded connection without a socket, on a clock that the test moves.
private final class Connection {
  let channel = EmbeddedChannel()
  let register: ConnectionRegister
  let metrics = ServiceMetrics()

  init(_ register: ConnectionRegister = ConnectionRegister(limit: 10, perAddress: 10)) throws {
    self.register = register
    try channel.pipeline.syncOperations.addHandler(HalfClosing())
    try channel.pipeline.syncOperations.addHandler(ConnectionGuard(register, metrics: metrics))
    try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
  }

  deinit { _ = try? channel.finish(acceptAlreadyClosed: true) }

  var isOpen: Bool { channel.isActive }

  func wait(_ seconds: Int64) { channel.embeddedEventLoop.advanceTime(by: .seconds(seconds)) }

  func head(_ method: HTTPRequest.Method = .post, _ fields: HTTPFields = [:]) throws {
    try channel.writeInbound(
      HTTPRequestPart.head(
        HTTPRequest(
          method: method, scheme: "http", authority: "a", path: "/add", headerFields: fields)))
  }

  func body(_ count: Int) throws {
    try channel.writeInbound(
      HTTPRequestPart.body(ByteBuffer(repeating: 0, count: count)))
  }

  func end() throws { try channel.writeInbound(HTTPRequestPart.end(nil)) }

  func answer(_ status: HTTPResponse.Status = .ok) throws {
    try channel.writeOutbound(HTTPResponsePart.head(HTTPResponse(status: status)))
    try channel.writeOutbound(HTTPResponsePart.end(nil))
  }

  func sent() throws -> HTTPResponsePart? { try channel.readOutbound() }

  func cuts() -> String { metrics.text([]) }
}

@Suite("Limits of a connection (ledger-service.md §9)") struct ConnectionGuardTests {
  @Test("a head that does not come ends the connection, also after an answer") func head() throws {
    let connection = try Connection()
    connection.wait(14)
    #expect(connection.isOpen)
    try connection.head(.get)
    try connection.end()
    try connection.answer()
    connection.wait(14)
    #expect(connection.isOpen)
    connection.wait(1)
    #expect(!connection.isOpen)
    #expect(connection.register.count == 0)
    #expect(connection.cuts().contains("connections_cut_total{reason=\"head\"} 1"))
  }

  @Test("a body that drips is told so and cut; one that flows is not") func body() throws {
    let slow = try Connection()
    try slow.head()
    for _ in 0..<9 {
      slow.wait(1)
      try slow.body(10)
    }
    #expect(slow.isOpen)
    slow.wait(1)
    #expect(!slow.isOpen)
    guard case .head(let head) = try slow.sent() else {
      Issue.record("no answer")
      return
    }
    #expect(head.status == .requestTimeout)

    let steady = try Connection()
    try steady.head()
    for _ in 0..<60 {
      steady.wait(1)
      try steady.body(1024)
    }
    #expect(steady.isOpen)
    try steady.end()
    // The service's own time is not the client's fault.
    steady.wait(60)
    #expect(steady.isOpen)
    steady.wait(600)
    #expect(!steady.isOpen)
  }

  @Test("an answer before the body's end says close, and the rest is thrown away up to a limit")
  func unread() throws {
    let connection = try Connection()
    try connection.head()
    try connection.body(10)
    try connection.answer(.contentTooLarge)
    guard case .head(let head) = try connection.sent() else {
      Issue.record("no answer")
      return
    }
    #expect(head.headerFields[.connection] == "close")
    _ = try connection.channel.readInbound(as: HTTPRequestPart.self)
    _ = try connection.channel.readInbound(as: HTTPRequestPart.self)
    try connection.body(ConnectionClock.unreadByteCount)
    #expect(connection.isOpen)
    // Thrown away, not handed on.
    #expect(try connection.channel.readInbound(as: HTTPRequestPart.self) == nil)
    try connection.body(1)
    #expect(!connection.isOpen)
  }

  @Test("the rest of a refused body has five seconds, and its end ends the connection")
  func unreadTime() throws {
    let waiting = try Connection()
    try waiting.head()
    try waiting.answer(.contentTooLarge)
    waiting.wait(4)
    #expect(waiting.isOpen)
    waiting.wait(1)
    #expect(!waiting.isOpen)

    let ended = try Connection()
    try ended.head()
    try ended.answer(.contentTooLarge)
    try ended.end()
    #expect(!ended.isOpen)
  }

  @Test("an address has so many connections, and a closed one makes room") func places() throws {
    let register = ConnectionRegister(limit: 10, perAddress: 1)
    let first = try Connection(register)
    let second = try Connection(register)
    #expect(first.isOpen)
    #expect(!second.isOpen)
    #expect(second.cuts().contains("connections_refused_total 1"))
    try first.channel.close().wait()
    #expect(try Connection(register).isOpen)
  }

  @Test("a client that waits is told to go on, unless its body is too long") func expectation()
    throws
  {
    for (length, isInvited) in [("65535", true), ("65536", false)] {
      let connection = try Connection()
      try connection.head(.post, [.expect: "100-continue", .contentLength: length])
      guard case .head(let head) = try connection.sent() else {
        #expect(!isInvited)
        continue
      }
      #expect(isInvited && head.status == .continue)
    }
  }

  @Test("a service that stops does not wait for ever") func quiesce() throws {
    let connection = try Connection()
    try connection.head(.get)
    try connection.end()
    connection.channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
    connection.wait(29)
    #expect(connection.isOpen)
    connection.wait(1)
    #expect(!connection.isOpen)
  }
}
