import Foundation
import ProofTestSupport
import Synchronization
import Testing

@testable import ChunkStorage

@Suite("Reading together (store.md §2)") struct ReadTogetherTests {
  @Test(
    "one round trip, over no more connections than are kept",
    .enabled(if: NginxServer.program != nil, "nginx is not installed")) func together() throws
  {
    let directory = try TemporaryDirectory()
    try directory.file("top", pattern(100_000))
    let server = try NginxServer(serving: directory.path)
    let source = try HTTPObjectSource(server.url)
    var requests = (0..<40).map { ObjectRequest("top", .range($0 * 100..<$0 * 100 + 50)) }
    requests.append(ObjectRequest("absent", .whole(limit: 10)))
    requests.append(ObjectRequest("top", .whole(limit: 100_000)))
    let answers = try source.readTogether(requests)
    for number in 0..<40 {
      #expect(answers[number] == Array(pattern(100_000)[number * 100..<number * 100 + 50]))
    }
    #expect(answers[40] == nil)
    #expect(answers[41] == pattern(100_000))
    #expect(source.transfer.requests == 42)
    #expect(source.transfer.roundTrips == 1)
    _ = try source.read("top", range: 0..<1)
    #expect(source.transfer.roundTrips == 2)
    let lines = try server.log(of: "/top", atLeast: 42)
    #expect(Set(lines.map { $0[3] }).count <= HTTPConnections.keptLimit)
    #expect(try source.readTogether([]) == [])
  }

  @Test("a fault that passes concerns one request, one that lasts ends them all") func faults()
    throws
  {
    let busy = HTTPObjectSourceFaultTests.answer("503 Busy", "Content-Length: 0")
    let good = HTTPObjectSourceFaultTests.answer(
      "206 P", "Content-Range: bytes 2-5/10", "Content-Length: 4", body: "2345")
    let requests = [ObjectRequest](repeating: ObjectRequest("x", .range(2..<6)), count: 3)
    let server = try HostileServer([.text(busy), .text(good)])
    let source = try HTTPObjectSource(
      server.url, patience: HTTPObjectSourceFaultTests.patience)
    #expect(try source.readTogether(requests).allSatisfy { $0 == Array("2345".utf8) })
    #expect(source.transfer == TransferCount(requests: 4, bytes: 12, roundTrips: 1))

    let gone = try HostileServer([.text(busy)])
    let other = try HTTPObjectSource(gone.url, patience: HTTPObjectSourceFaultTests.patience)
    #expect(failure { _ = try other.readTogether(requests) }?.code == .io)
  }

  @Test("a 200 with the range that was asked for is that range") func ranged200() throws {
    func read(_ text: String) throws -> [UInt8] {
      let server = try HostileServer([.text(text)])
      let source = try HTTPObjectSource(
        server.url, patience: HTTPObjectSourceFaultTests.patience)
      return try source.read("x", range: 2..<6)
    }
    let good = HTTPObjectSourceFaultTests.answer(
      "200 OK", "Content-Range: bytes 2-5/10", "Content-Length: 4", body: "2345")
    #expect(try read(good) == Array("2345".utf8))
    let other = HTTPObjectSourceFaultTests.answer(
      "200 OK", "Content-Range: bytes 0-3/10", "Content-Length: 4", body: "0123")
    #expect(failure { _ = try read(other) }?.code == .malformed)
  }
}

@Suite("Work side by side") struct ConcurrentWorkTests {
  @Test("every item is worked on once, by no more than the width", arguments: [1, 3, 100])
  func items(width: Int) throws {
    let seen = Mutex((running: 0, most: 0, items: [Int]()))
    try ConcurrentWork.run(50, width: width) { item, _ throws(StorageError) in
      seen.withLock {
        $0.running += 1
        $0.most = max($0.most, $0.running)
        $0.items.append(item)
      }
      usleep(1000)
      seen.withLock { $0.running -= 1 }
    }
    seen.withLock {
      #expect($0.items.sorted() == Array(0..<50))
      #expect($0.most <= width)
    }
  }

  @Test("after a failure nothing new begins and the failure is thrown") func failures() {
    let begun = Mutex(0)
    let found = failure {
      try ConcurrentWork.run(1000, width: 4) { item, hasFailed throws(StorageError) in
        begun.withLock { $0 += 1 }
        if item == 2 { throw StorageError(.io, at: "item", "failed", remedy: "none") }
        for _ in 0..<2000 where !hasFailed() { usleep(1000) }
      }
    }
    #expect(found?.code == .io)
    #expect(begun.withLock { $0 } <= 8)
  }
}
