import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Holds one connection to the limits of `spec/ledger-service.md` §9.
///
/// It stands between the HTTP codec and the server, and sees whole parts. The server's own idle
/// timeout knows neither slow bodies nor slow readers, and reads unread bodies for ever.
final class ConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPRequestPart
  typealias InboundOut = HTTPRequestPart
  typealias OutboundIn = HTTPResponsePart
  typealias OutboundOut = HTTPResponsePart

  private let register: ConnectionRegister
  private let metrics: ServiceMetrics
  /// Set while this connection has a place.
  private var address: ClientAddress?
  private var clock = ConnectionClock(now: .uptimeNanoseconds(0))
  private var timer: (at: NIODeadline, task: Scheduled<Void>)?
  /// Nothing more is written for the server: the connection is about to end.
  private var isCut = false

  private let bodyLimit: Int

  /// - Parameter bodyLimit: A client that asks before it sends a longer body is not invited.
  init(
    _ register: ConnectionRegister, metrics: ServiceMetrics,
    bodyLimit: Int = ServiceLimits.entryByteCount
  ) {
    self.bodyLimit = bodyLimit
    self.register = register
    self.metrics = metrics
  }

  func handlerAdded(context: ChannelHandlerContext) {
    if context.channel.isActive { begin(context) }
  }

  func channelActive(context: ChannelHandlerContext) {
    begin(context)
    context.fireChannelActive()
  }

  func channelInactive(context: ChannelHandlerContext) {
    end()
    context.fireChannelInactive()
  }

  func handlerRemoved(context: ChannelHandlerContext) { end() }

  private func begin(_ context: ChannelHandlerContext) {
    guard address == nil else { return }
    let address = ClientAddress(context.remoteAddress)
    guard register.enter(address) else {
      isCut = true
      metrics.count { $0.refusedConnections += 1 }
      context.close(promise: nil)
      return
    }
    self.address = address
    clock = ConnectionClock(now: context.eventLoop.now)
    arm(context)
  }

  private func end() {
    timer?.task.cancel()
    timer = nil
    if let address { register.leave(address) }
    address = nil
    isCut = true
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let part = unwrapInboundIn(data)
    guard !clock.isDiscarding else {
      discard(part, context)
      return
    }
    guard !isCut else { return }
    switch part {
    case .head(let head):
      clock.head(now: context.eventLoop.now)
      context.fireChannelRead(data)
      invite(head, context)
    case .body(let bytes):
      clock.body(bytes.readableBytes)
      context.fireChannelRead(data)
    case .end:
      clock.bodyEnded()
      context.fireChannelRead(data)
    }
    arm(context)
  }

  /// Tells a client that waits for it to send its body, unless it would be refused for its length.
  private func invite(_ head: HTTPRequest, _ context: ChannelHandlerContext) {
    guard let expect = head.headerFields[.expect],
      ContentNegotiation.trimmed(expect.utf8) == "100-continue", clock.openAnswers == 1,
      let length = Int(head.headerFields[.contentLength] ?? "0"),
      length <= bodyLimit
    else { return }
    context.writeAndFlush(
      wrapOutboundOut(.head(HTTPResponse(status: .continue))), promise: nil)
  }

  /// The rest of a body that nobody wants, or requests after it.
  private func discard(_ part: HTTPRequestPart, _ context: ChannelHandlerContext) {
    switch part {
    case .end: context.close(promise: nil)
    case .body(let bytes):
      if !clock.discarded(bytes.readableBytes) { cut(.unread, context) }
    case .head: break
    }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if event is ChannelShouldQuiesceEvent {
      clock.quiesce(now: context.eventLoop.now)
      arm(context)
    }
    if clock.isDiscarding, let event = event as? ChannelEvent, event == .inputClosed {
      context.close(promise: nil)
    }
    context.fireUserInboundEventTriggered(event)
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    guard !isCut else {
      promise?.fail(ChannelError.ioOnClosedChannel)
      return
    }
    let now = context.eventLoop.now
    let written = promise ?? context.eventLoop.makePromise()
    clock.writeBegan(now: now)
    written.futureResult.assumeIsolated().whenComplete { _ in
      self.clock.writeEnded(now: context.eventLoop.now)
    }
    switch unwrapOutboundIn(data) {
    case .head(var head):
      if head.status.kind != .informational {
        clock.answerBegan()
        if clock.isBodyUnread { head.headerFields[.connection] = "close" }
      }
      context.write(wrapOutboundOut(.head(head)), promise: written)
    case .body: context.write(data, promise: written)
    case .end:
      let isUnread = clock.isBodyUnread
      clock.answerEnded(now: now)
      guard isUnread else {
        context.write(data, promise: written)
        break
      }
      // What follows on this connection is the rest of a body, and must not be read as a request.
      isCut = true
      clock.discard(now: now)
      context.writeAndFlush(data, promise: written)
      // The answer arrives only if what the client still sends is taken from the socket.
      context.close(mode: .output, promise: nil)
    }
    arm(context)
  }

  /// Makes sure that the timer fires no later than the next limit.
  private func arm(_ context: ChannelHandlerContext) {
    guard address != nil, let next = clock.deadline else { return }
    if let timer, timer.at <= next.at { return }
    timer?.task.cancel()
    let task = context.eventLoop.assumeIsolated().scheduleTask(deadline: next.at) {
      self.timer = nil
      guard self.address != nil, let next = self.clock.deadline else { return }
      guard next.at <= context.eventLoop.now else {
        self.arm(context)
        return
      }
      self.cut(next.limit, context)
    }
    timer = (next.at, task)
  }

  /// Ends the connection; a client that was only slow to send is told why.
  private func cut(_ limit: ServiceMetrics.Cut, _ context: ChannelHandlerContext) {
    metrics.count { $0.cuts[limit, default: 0] += 1 }
    let isTold = limit == .body && !clock.hasBegunAnswer && !isCut && clock.openAnswers == 1
    isCut = true
    if isTold {
      let document = ServiceProblem.tooSlow.document
      let head = HTTPResponse(
        status: .requestTimeout,
        headerFields: [
          .contentType: "application/problem+json", .contentLength: String(document.count),
          .connection: "close", .cacheControl: "no-store",
        ])
      context.write(wrapOutboundOut(.head(head)), promise: nil)
      context.write(wrapOutboundOut(.body(ByteBuffer(bytes: document))), promise: nil)
      context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }
    context.close(promise: nil)
  }
}
