import NIOCore
import Testing

@testable import LedgerService

@Suite("Deadlines of a connection (ledger-service.md §9)") struct ConnectionClockTests {
  private func at(_ seconds: Int64) -> NIODeadline { .uptimeNanoseconds(0) + .seconds(seconds) }

  @Test("a reader that takes nothing is cut; each piece taken starts the time again") func stall() {
    var clock = ConnectionClock(now: at(0))
    clock.head(now: at(0))
    clock.bodyEnded()
    clock.answerBegan()
    clock.writeBegan(now: at(100))
    #expect(clock.deadline?.at == at(120))
    #expect(clock.deadline?.limit == .stall)
    clock.writeBegan(now: at(110))
    #expect(clock.deadline?.at == at(120))
    clock.writeEnded(now: at(115))
    #expect(clock.deadline?.at == at(135))
    clock.writeEnded(now: at(116))
    #expect(clock.deadline?.limit == .ceiling)
    #expect(clock.deadline?.at == at(600))
  }

  @Test("the body's time grows with what has come") func body() {
    var clock = ConnectionClock(now: at(0))
    clock.head(now: at(5))
    #expect(clock.deadline?.at == at(15))
    clock.body(10 * 1024)
    #expect(clock.deadline?.at == at(25))
    clock.bodyEnded()
    #expect(clock.deadline?.at == at(605))
  }

  @Test("a request behind another does not make its body look unread") func pipelined() {
    var clock = ConnectionClock(now: at(0))
    clock.head(now: at(0))
    clock.bodyEnded()
    clock.head(now: at(1))
    #expect(!clock.isBodyUnread)
    clock.answerEnded(now: at(2))
    #expect(clock.isBodyUnread)
    clock.bodyEnded()
    #expect(!clock.isBodyUnread)
  }
}
