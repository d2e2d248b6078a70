import Foundation
import ProofTestSupport
import Testing

@testable import ChunkStorage

@Suite("What is asked for ahead") struct StagedObjectSourceTests {
  let directory: TemporaryDirectory
  let source: StagedObjectSource

  init() throws {
    directory = try TemporaryDirectory()
    try directory.file("top", pattern(1000))
    try directory.file("tail", pattern(10))
    source = StagedObjectSource(try DirectoryObjectSource(directory.path))
  }

  @Test("is given without asking again: a whole object once, ranges until they are discarded")
  func given() throws {
    try source.stage([
      ObjectRequest("tail", .whole(limit: 10)), ObjectRequest("absent", .whole(limit: 10)),
      ObjectRequest("top", .range(500..<600)), ObjectRequest("top", .range(100..<200)),
    ])
    #expect(source.transfer.requests == 4)
    for _ in 0..<2 {
      #expect(try source.read("top", range: 100..<200) == Array(pattern(1000)[100..<200]))
      #expect(try source.read("top", range: 599..<600) == Array(pattern(1000)[599..<600]))
    }
    let together = try source.readTogether([
      ObjectRequest("tail", .whole(limit: 10)), ObjectRequest("absent", .whole(limit: 10)),
      ObjectRequest("top", .range(510..<520)),
    ])
    #expect(together == [pattern(10), nil, Array(pattern(1000)[510..<520])])
    #expect(source.transfer.requests == 4)
    try source.stage([ObjectRequest("top", .range(150..<160))])
    #expect(source.transfer.requests == 4)
    #expect(try source.read("top", range: 199..<201) == Array(pattern(1000)[199..<201]))
    #expect(try source.readWhole("tail", limit: 10) == pattern(10))
    #expect(source.transfer.requests == 6)
    source.discard("to")
    #expect(try source.read("top", range: 100..<200) == Array(pattern(1000)[100..<200]))
    #expect(source.transfer.requests == 7)
  }

  @Test("decides nothing: what fails is found by whoever reads it") func failing() throws {
    try source.stage([
      ObjectRequest("tail", .whole(limit: 10)), ObjectRequest("top", .range(900..<1100)),
    ])
    #expect(try source.readWhole("tail", limit: 10) == pattern(10))
    #expect(failure { _ = try source.read("top", range: 900..<1100) }?.code == .missing)
    try source.stage([ObjectRequest("tail", .whole(limit: 10))])
    #expect(failure { _ = try source.readWhole("tail", limit: 9) }?.code == .limit)
  }
}

@Suite("Ranges asked for as one") struct RangeRunsTests {
  private func join(
    _ ranges: [Range<Int>], gap: Int = 100, longest: Int = 1000, spare: Int = 100
  ) -> [Range<Int>] {
    RangeRuns.join(ranges.map { (0, $0) }, gap: gap, longest: longest, spare: spare)
  }

  @Test("small gaps are joined first, as far as the spare bytes go") func gaps() {
    let ranges = [0..<10, 10..<20, 25..<30, 70..<80, 140..<150]
    #expect(join(ranges) == [0..<4, 4..<5])
    #expect(join(ranges, spare: 200) == [0..<5])
    #expect(join(ranges, spare: 4) == [0..<2, 2..<3, 3..<4, 4..<5])
    #expect(join(ranges, gap: 50, spare: 1000) == [0..<4, 4..<5])
    #expect(join([0..<1, 11..<12, 22..<23], spare: 19) == [0..<1, 1..<2, 2..<3])
    #expect(join([]) == [])
  }

  @Test("no run is too long, goes back, or leaves its object") func bounds() {
    #expect(join([0..<600, 600..<1000, 1000..<1001]) == [0..<2, 2..<3])
    #expect(join([0..<5000, 5000..<5001]) == [0..<1, 1..<2])
    #expect(join([10..<20, 5..<8, 8..<30]) == [0..<1, 1..<3])
    #expect(join([0..<50, 10..<20, 50..<60]) == [0..<3])
    let two = RangeRuns.join(
      [(object: 0, range: 0..<10), (object: 1, range: 10..<20)], gap: 9, longest: 99, spare: 99)
    #expect(two == [0..<1, 1..<2])
    let far = [0..<1, Int.max - 1..<Int.max]
    #expect(join(far, gap: Int.max, longest: Int.max, spare: Int.max) == [0..<2])
  }
}
