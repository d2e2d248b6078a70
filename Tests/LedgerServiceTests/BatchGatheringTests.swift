import Testing

@testable import LedgerService

struct BatchGatheringTests {
  private static func begun(writers: Int, waiting: Int, cost: Double = 0.008) -> BatchGathering {
    var gathering = BatchGathering()
    gathering.begin(writers: writers, waiting: waiting, cost: cost, now: 100)
    return gathering
  }

  @Test func oneWriterNeverWaits() {
    var gathering = BatchGatheringTests.begun(writers: 1, waiting: 0)
    #expect(gathering.pause(now: 100, waiting: 0) == nil)
  }

  @Test func waitsUntilAllWritersAreBack() {
    var gathering = BatchGatheringTests.begun(writers: 8, waiting: 3)
    #expect(gathering.pause(now: 100, waiting: 3) == 0.001)
    #expect(gathering.pause(now: 100.001, waiting: 6) == 0.001)
    #expect(gathering.pause(now: 100.002, waiting: 8) == nil)
  }

  @Test func takesWhatThereIsOnceNothingMoreComes() {
    var gathering = BatchGatheringTests.begun(writers: 8, waiting: 3)
    // Those that were answered have not sent again yet: one pause is theirs.
    #expect(gathering.pause(now: 100, waiting: 3) != nil)
    #expect(gathering.pause(now: 100.001, waiting: 3) == nil)
  }

  @Test func waitsNoLongerThanTheLastBatchTook() {
    var gathering = BatchGatheringTests.begun(writers: 32, waiting: 1)
    #expect(gathering.pause(now: 100.0079, waiting: 2) != nil)
    #expect(gathering.pause(now: 100.008, waiting: 3) == nil)
  }

  @Test func manyAreNotWaitedFor() {
    var gathering = BatchGatheringTests.begun(writers: 33, waiting: 1)
    #expect(gathering.pause(now: 100, waiting: 1) == nil)
  }

  @Test func nobodyIsWaitedForOnceTheServiceCloses() {
    var gathering = BatchGatheringTests.begun(writers: 8, waiting: 3)
    #expect(gathering.pause(now: 100, waiting: nil) == nil)
  }

  @Test(arguments: [(0.000_1, 0.000_25), (10.0, 0.008)])
  func pausesHaveBounds(cost: Double, pause: Double) {
    var gathering = BatchGatheringTests.begun(writers: 8, waiting: 3, cost: cost)
    #expect(gathering.pause(now: 100, waiting: 3) == pause)
  }
}
