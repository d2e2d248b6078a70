import Foundation
import ProofTestSupport
import Synchronization

/// A test double for the faults that a real server cannot be made to show: answers each connection
/// with the next scripted bytes, whatever was asked, and the last script from then on.
final class HostileServer: Sendable {
  enum Script: Sendable {
    /// Sends this, then closes.
    case text(String)
    /// Sends the head, then bytes until the client goes away.
    case endless(String)
    /// Sends this, then nothing, and keeps the connection open.
    case stall(String)
    /// Resets the connection without a word.
    case reset
  }

  let url: String
  private let descriptor: Int32
  private let requests = Mutex<[String]>([])

  /// The head of each request so far.
  var asked: [String] { requests.withLock { $0 } }

  init(_ scripts: [Script]) throws {
    guard let socket = LoopbackSocket() else { throw ServerFailure(message: "no free port") }
    descriptor = socket.descriptor
    url = "http://127.0.0.1:\(socket.port)/base"
    let listener = socket.descriptor
    Thread.detachNewThread { [weak self] in
      var held: [Int32] = []
      var turn = 0
      while true {
        let client = accept(listener, nil, nil)
        guard client >= 0, let self, !scripts.isEmpty else { break }
        let head = Self.readHead(client)
        self.requests.withLock { $0.append(head) }
        let script = scripts[min(turn, scripts.count - 1)]
        turn += 1
        if case .stall = script { held.append(client) }
        Self.play(script, client)
      }
      for client in held { close(client) }
      close(listener)
    }
  }

  // Wakes the accept above, which then ends the thread.
  deinit { shutdown(descriptor, Int32(SHUT_RDWR)) }

  private static func readHead(_ client: Int32) -> String {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let text = String(decoding: bytes, as: UTF8.self)
      if text.contains("\r\n\r\n") { return text }
      let got = recv(client, &buffer, buffer.count, 0)
      guard got > 0 else { return text }
      bytes += buffer[0..<got]
    }
  }

  private static func play(_ script: Script, _ client: Int32) {
    func send(_ text: String) -> Bool {
      let bytes = Array(text.utf8)
      return Glibc.send(client, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
    }
    switch script {
    case .text(let text): _ = send(text)
    case .endless(let head):
      let filler = String(repeating: "x", count: 16_384)
      // Bounded, so that a client without a cap fails the test and does not hang it.
      if send(head) { for _ in 0..<65_536 { guard send(filler) else { break } } }
    case .stall(let text):
      _ = send(text)
      return
    case .reset:
      var linger = linger(l_onoff: 1, l_linger: 0)
      setsockopt(
        client, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout.size(ofValue: linger)))
    }
    // The client may still be sending; a plain close would then reset what it has not read yet.
    if case .text = script { shutdown(client, Int32(SHUT_WR)) }
    close(client)
  }
}
