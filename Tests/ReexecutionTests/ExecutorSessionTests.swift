import ProofArchive
import ProofPrimitives
import Testing

@testable import Reexecution

@Suite("Executor session (executor.md)") struct ExecutorSessionTests {
  /// Files in memory. Only one test at a time uses an instance.
  private final class Memory {
    var states: [String: TrainingState] = [:]
    var bytes: [String: [UInt8]] = [:]

    var files: ExecutorSession.Files {
      .init(
        loadState: { path throws(ReexecutionError) in
          guard let state = self.states[path] else { throw self.missing(path) }
          return state
        },
        storeState: { state, path throws(ReexecutionError) in self.states[path] = state },
        loadBytes: { path, limit throws(ReexecutionError) in
          guard let bytes = self.bytes[path], bytes.count <= limit else { throw self.missing(path) }
          return bytes
        })
    }

    func missing(_ path: String) -> ReexecutionError {
      ReexecutionError(.badFile, "\(path) is not there", remedy: "write it first")
    }
  }

  private let memory = Memory()
  private let executor: ReferenceExecutor
  private let session: ExecutorSession
  private let seed = testSeed.hex

  init() throws {
    executor = ReferenceExecutor(settings: try smallSettings())
    session = ExecutorSession(executor: executor, files: memory.files)
  }

  private func reply(_ line: String) throws -> JSONValue {
    try JSONValue(parsing: session.reply(to: Array(line.utf8)), form: .canonical)
  }

  @Test("a session gives what the executor gives")
  func wholeSession() throws {
    #expect(
      try reply(#"{"id":1,"request":"hello","protocol":"pol/executor/v1"}"#).encodedText
        == #"{"id":1,"protocol":"pol/executor/v1","reply":"hello"}"#)
    #expect(
      try reply(#" {"request":"describe", "id": 2}"#).encodedText
        == #"{"algorithm":"pol/mlp-sgd/v1","id":2,"platformFacts":[],"platformIndependent":true,"#
        + #""reply":"describe"}"#)
    #expect(
      try reply(#"{"id":3,"request":"initialState","runSeed":"\#(seed)","endState":"/s0"}"#)
        .encodedText == #"{"id":3,"reply":"initialState"}"#)
    let start = try executor.initialState(runSeed: testSeed)
    #expect(memory.states["/s0"] == start)
    let batch = try executor.batch(ofStep: 7, runSeed: testSeed)
    let answer = try reply(#"{"id":4,"request":"batch","runSeed":"\#(seed)","step":7}"#)
    #expect(try answer.items("indices").compactMap(\.countValue) == batch.map(Int.init))
    let rate = try reply(#"{"id":5,"request":"learningRate","step":7}"#).text("learningRate")
    #expect(rate == "3d4ccccd")

    let points = indexed(try smallPoints(23))
    memory.bytes["/points"] = PointFile.encode(points)
    let executed = try reply(
      #"{"id":6,"request":"execute","startState":"/s0","endState":"/s1","points":"/points","#
        + #""firstStep":7,"batches":[\#(batch)],"learningRates":["\#(rate)"]}"#)
    let expected = try executor.execute(
      from: start, firstStep: 7, batches: [batch],
      learningRates: [executor.learningRate(ofStep: 7)],
      points: points)
    #expect(memory.states["/s1"] == expected.endState)
    #expect(try executed.strings("losses") == expected.losses.map(\.bitPatternHex))

    let counted = try reply(
      #"{"id":7,"request":"countCorrect","startState":"/s1","points":"/points"}"#)
    let correct = try executor.countCorrect(state: expected.endState, points: smallPoints(23))
    #expect(
      counted
        == .map([
          ("correct", .int(correct)), ("id", .int(7)), ("reply", .string("countCorrect")),
          ("total", .int(23)),
        ]))
  }

  static let zeroSeed = String(repeating: "0", count: 64)
  static let refusals: [(String, String)] = [
    ("", "badMessage"), ("[]", "badMessage"), ("{}", "badMessage"), ("{\"id\":1}", "badMessage"),
    (#"{"id":-1,"request":"describe"}"#, "badMessage"),
    (#"{"id":"1","request":"describe"}"#, "badMessage"),
    (#"{"id":1,"request":"describe","more":1}"#, "badMessage"),
    (#"{"id":1,"id":1,"request":"describe"}"#, "badMessage"),
    (#"{"id":1,"request":"erase"}"#, "badMessage"),
    (#"{"id":1,"request":"hello","protocol":"pol/executor/v2"}"#, "badMessage"),
    (#"{"id":1,"request":"batch","runSeed":"00","step":0}"#, "badMessage"),
    (#"{"id":1,"request":"batch","runSeed":"\#(zeroSeed)","step":20}"#, "badStep"),
    (#"{"id":1,"request":"batch","runSeed":"\#(zeroSeed)","step":1.5}"#, "badMessage"),
    (#"{"id":1,"request":"initialState","runSeed":"\#(zeroSeed)","endState":"s"}"#, "badMessage"),
    (
      #"{"id":1,"request":"initialState","runSeed":"\#(zeroSeed)","endState":"/\u0000"}"#,
      "badMessage"
    ),
    (#"{"id":1,"request":"countCorrect","startState":"/none","points":"/none"}"#, "badFile"),
    (execute(batches: "[[1]]", rates: #"["3f80000"]"#), "badMessage"),
    (execute(batches: "[[1]]", rates: #"["3F800000"]"#), "badMessage"),
    (execute(batches: "[[1]]", rates: "[1]"), "badMessage"),
    (execute(batches: "[[4294967296]]", rates: #"["3f800000"]"#), "badMessage"),
    (execute(batches: "[[-1]]", rates: #"["3f800000"]"#), "badMessage"),
    (execute(batches: "[1]", rates: #"["3f800000"]"#), "badMessage"),
    (execute(batches: "[[]]", rates: #"["3f800000"]"#), "badFile"),
  ]

  private static func execute(batches: String, rates: String) -> String {
    #"{"id":1,"request":"execute","startState":"/a","endState":"/b","points":"/c","firstStep":0,"#
      + #""batches":\#(batches),"learningRates":\#(rates)}"#
  }

  @Test("a request that breaks the protocol gets an error, and the session goes on")
  func refused() throws {
    for (line, code) in Self.refusals {
      let answer = try reply(line)
      #expect(answer["reply"] == .string("error") && answer["code"] == .string(code), "\(line)")
    }
    #expect(try reply(#"{"id":9,"request":"erase"}"#)["id"] == .int(9))
    #expect(try reply(#"{"id":2,"request":"describe"}"#)["reply"] == .string("describe"))
    #expect(memory.states.isEmpty)
  }

  @Test("a line above the limit is refused unread")
  func longLine() throws {
    let room = ExecutorSession.lineByteLimit
    let request = #"{"id":2,"request":"describe"}"#
    let padding = String(repeating: " ", count: room - request.utf8.count)
    #expect(try reply(padding + request)["reply"] == .string("describe"))
    #expect(try reply(padding + request + " ")["code"] == .string("badMessage"))
  }

  @Test("a points file reads back, and its faults are refused")
  func pointFile() throws {
    let points = indexed(try smallPoints(3), first: 7)
    let bytes = PointFile.encode(points)
    #expect(try PointFile.parse(bytes) == points)
    #expect(try PointFile.parse([]).isEmpty)
    let size = bytes.count / 3
    for count in 1..<bytes.count where count % size != 0 {
      #expect(throws: ReexecutionError.self) { try PointFile.parse(Array(bytes[..<count])) }
    }
    let swapped = Array(bytes[size..<2 * size] + bytes[..<size])
    #expect(throws: ReexecutionError.self) { try PointFile.parse(swapped) }
    let twice = Array(bytes[..<size] + bytes[..<size])
    #expect(throws: ReexecutionError.self) { try PointFile.parse(twice) }
  }
}
