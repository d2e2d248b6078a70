import Cryptography
import Foundation
import ProofArchive
import ProofPrimitives
import Testing

@testable import ProofVerification

/// More repetitions for a machine with time.
let isFullTier = ProcessInfo.processInfo.environment["POL_TEST_FULL"] == "1"

@Suite("Cheats that the cheat re-signed, with every hash in order") struct CheatTests {
  @Test(
    "is found when everything is executed, and accepted without its defences", arguments: Cheat.all)
  func isFoundAndIsReal(cheat: Cheat) throws {
    let run = try TestRun(try cheat.plan())
    let verdict = try Judge().verdict(run)
    #expect(verdict.answer == cheat.answer, "\(verdict.summary)")
    #expect(verdict.answer.exitStatus == (cheat.answer == .refuted ? 2 : 1))
    #expect(verdict.decisive?.name == cheat.check, "\(verdict.summary)")
    if let code = cheat.code { #expect(verdict.decisive?.code == code, "\(verdict.summary)") }
    let defenceless = try Judge(disabled: cheat.defences).verdict(run)
    #expect(defenceless.answer == .verified, "\(defenceless.summary)")
    #expect(defenceless.coverage.executedSegments.count == defenceless.coverage.segments)
    // Every other byte is as a real writer leaves it.
    let report = try ArchiveChecker.check(run.archive)
    #expect(report.findings.allSatisfy { $0.error.isSigned }, "\(report.findings)")
  }

  @Test(
    "is found by sampling as often as the hypergeometric distribution says", arguments: Cheat.all)
  func isSampledAsOften(cheat: Cheat) throws {
    let run = try TestRun(try cheat.plan())
    let seal = try #require(try run.reader().seal)
    if let forged = cheat.forged {
      let rounds = isFullTier ? 20_000 : 2_000
      let segments = seal.segmentCount
      let caught = (0..<rounds).count {
        !Judge.chosen(seal, nonce: $0).all.isDisjoint(with: forged)
      }
      // Neither the first nor the last segment is forged, so the draw alone can hit.
      let exact = SegmentDraw.probability(
        segments: segments, forged: forged.count,
        drawn: Judge.chosen(seal, nonce: 0).drawn.count)
      let deviation = (Double(rounds) * exact * (1 - exact)).squareRoot()
      #expect(
        abs(Double(caught) - Double(rounds) * exact) <= 4 * deviation, "\(caught) of \(rounds)")
    }
    for nonce in 0..<(isFullTier ? 250 : 25) {
      let chosen = Judge.chosen(seal, nonce: nonce).all
      let isHit = cheat.forged.map { !$0.isDisjoint(with: chosen) } ?? true
      let verdict = try Judge(isFull: false, nonceNumber: nonce).verdict(run)
      #expect(
        verdict.answer == (isHit ? cheat.answer : .verified), "nonce \(nonce): \(verdict.summary)")
    }
  }

  @Test("forged segments are found by their size when the draw misses them")
  func largestUpdates() throws {
    let stolen = try Cheat.stolenWeights()
    let plan = Cheat.hooks {
      $0.checkpoint = { segment, recorded, continued, _ in
        guard segment == 41 else { return }
        recorded = try recorded.setting(.weight, stolen)
        continued = recorded
      }
    }
    let run = try TestRun(plan)
    let seal = try #require(try run.reader().seal)
    let missing = try #require((0..<100).first { !Judge.chosen(seal, nonce: $0).all.contains(41) })
    var judge = Judge(isFull: false, nonceNumber: missing)
    #expect(try judge.verdict(run).answer == .verified)
    judge.change = { $0.largest = 8 }
    let verdict = try judge.verdict(run)
    #expect(verdict.answer == .refuted, "\(verdict.summary)")
  }

  @Test("a few long forged segments among many short ones are outside the policy")
  func longAmongShort() throws {
    var plan = Cheat.hooks {
      $0.step = { step, _ in if step.number == 125 { step.isSkipped = true } }
    }
    plan.stepsOverride = 160
    let schedule = try #require(
      CheckpointSchedule([.init(from: 0, every: 1), .init(from: 100, every: 20)]))
    plan.policy = Policy(
      schedule: schedule, algorithms: plan.proverPolicy.algorithms, learningRateFloor: 1e-6,
      learningRateCeiling: 10, minimumSteps: 60, minimumPasses: 1, zeroUpdatePercent: 1)
    let run = try TestRun(plan)
    let seal = try #require(try run.reader().seal)
    #expect(seal.segmentCount == 103)
    #expect(try Judge().verdict(run).answer == .refuted)
    let missing = try #require((0..<100).first { !Judge.chosen(seal, nonce: $0).all.contains(101) })
    let verdict = try Judge(isFull: false, nonceNumber: missing).verdict(run)
    #expect(verdict.answer == .undecided, "\(verdict.summary)")
    #expect(verdict.decisive?.code == "policy")
    #expect(verdict.coverage.forgedStepShare > 0.35)
    let fooled = try Judge(isFull: false, nonceNumber: missing, disabled: [.policy]).verdict(run)
    #expect(fooled.answer == .verified, "\(fooled.summary)")
  }

  @Test("a released data point other than the committed one is damage, not a lie")
  func swappedPoint() throws {
    let plan = Cheat.hooks {
      $0.files = { path in
        var points = try readFile("\(path)/dataset/points")
        // Behind the salt, the type, the rank and one dimension stand the elements.
        points[32 + 2 + 4] ^= 1
        try writeFile(points, "\(path)/dataset/points")
      }
    }
    let run = try TestRun(plan)
    let verdict = try Judge().verdict(run)
    #expect(verdict.answer == .undecided)
    #expect(verdict.decisive?.name == .segments)
    #expect(verdict.decisive?.code == "damaged")
    #expect(verdict.answer.exitStatus == 1)
  }
}
