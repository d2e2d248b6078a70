import ChunkStorage
import Cryptography
import MerkleTrees
import ProofPrimitives
import Reexecution
import Testing

@testable import ProofArchive
@testable import ProofVerification
@testable import TransparencyLedger

/// What stood beside the checks once: signed words that nobody judged, and others' words that counted.
@Suite("Nothing signed goes unjudged", .timeLimit(.minutes(2))) struct UnjudgedTests {
  // MARK: Held-out accuracy

  @Test("an accuracy is claimed and the settings have no held-out split")
  func accuracyWithoutSplit() throws {
    var plan = RunPlan()
    plan.heldOut = .init(first: 0, count: 0)
    let verdict = try Judge().verdict(try TestRun(plan))
    #expect(verdict.answer == .refuted, "\(verdict.summary)")
    #expect(verdict.decisive?.name == .accuracy)
    let blind = try Judge(disabled: [.accuracy]).verdict(try TestRun(plan))
    #expect(blind.answer == .verified, "\(blind.summary)")
    plan.hooks.claims = { _, _ in TestRun.claims(0, 0) }
    let none = try Judge().verdict(try TestRun(plan))
    #expect(none.answer == .verified, "\(none.summary)")
    #expect(none[.accuracy]?.status == .notChecked)
  }

  @Test(
    "an accuracy is claimed in a form that people read and no check does",
    arguments: [
      .map([("correct", .string("24")), ("count", .string("24"))]),
      .map([("accuracy", .string("100 %"))]), .string("24 of 24"),
      .map([("correct", .int(24)), ("count", .int(24)), ("loss", .int(0))]),
    ] as [JSONValue])
  func accuracyInAnotherForm(claim: JSONValue) throws {
    var plan = RunPlan()
    plan.hooks.claims = { _, _ in .map([("heldOut", claim)]) }
    let verdict = try Judge().verdict(try TestRun(plan))
    #expect(verdict.answer == .refuted, "\(verdict.summary)")
    #expect(verdict.decisive?.name == .accuracy)
  }

  @Test("a held-out split of more points than the dataset has costs no memory")
  func hugeSplit() throws {
    var plan = RunPlan()
    plan.heldOut = .init(first: plan.heldOut.first, count: 600_000_000)
    let verdict = try Judge().verdict(try TestRun(plan))
    #expect(verdict.answer == .refuted, "\(verdict.summary)")
    #expect(verdict.decisive?.name == .accuracy)
    #expect(try peakMemory() < 2 << 30)
  }

  // MARK: Statements

  @Test("a second statement of the same seal is judged too, whichever came first", arguments: 0..<2)
  func secondStatement(order: Int) throws {
    let run = try TestRun(publishes: false)
    let honest = try run.statement()
    var lie = honest
    lie.heldOut = .init(correct: 24, count: 24)
    let receipts = try (order == 0 ? [honest, lie] : [lie, honest]).map {
      try run.log($0.encoded, by: run.key).proof
    }
    for receipt in receipts {
      var judge = Judge(isFull: false)
      judge.change = { $0.receipt = receipt }
      let verdict = try judge.verdict(run)
      #expect(verdict.answer == .refuted, "\(verdict.summary)")
      #expect(verdict.decisive?.name == .accuracy)
    }
  }

  @Test("a second statement that gives the seal another archive root is refuted")
  func secondRoot() throws {
    let run = try TestRun()
    var lie = try run.statement()
    lie.archiveRoot = SHA256.hash([1])
    try run.log(lie.encoded, by: run.key)
    let verdict = try Judge(isFull: false).verdict(run)
    #expect(verdict.answer == .refuted, "\(verdict.summary)")
    #expect(verdict.decisive?.name == .ledger)
  }

  @Test("a statement about another seal of the same records does not speak for this one")
  func earlierSeal() throws {
    let run = try TestRun(publishes: false)
    var earlier = try run.statement()
    earlier.sealDigest = SHA256.hash([1])
    try run.log(earlier.encoded, by: run.key)
    try run.publish()
    let verdict = try Judge(isFull: false).verdict(run)
    #expect(verdict.answer == .verified, "\(verdict.summary)")
  }

  @Test(
    "a statement that lists somebody else's checkpoints or chunks is refuted",
    arguments: ["checkpoint", "fewer", "chunk", "instead"])
  func foreignDigests(kind: String) throws {
    var plan = RunPlan()
    plan.hooks.statement = { statement in
      let other = SHA256.hash([1])
      switch kind {
      case "checkpoint": statement.checkpointWeights[30] = other
      case "fewer": statement.checkpointWeights.removeFirst()
      case "chunk":
        statement.sketch = Array((statement.sketch + [other]).sorted().prefix(64))
      default: statement.sketch = [other]
      }
    }
    let verdict = try Judge().verdict(try TestRun(plan))
    #expect(verdict.answer == .refuted, "\(verdict.summary)")
    #expect(verdict.decisive?.name == .model)
    let blind = try Judge(disabled: [.finalModel]).verdict(try TestRun(plan))
    #expect(blind.answer == .verified, "\(blind.summary)")
  }

  // MARK: Policy

  @Test("the verifier's own list of algorithms is kept")
  func algorithms() throws {
    var judge = Judge(isFull: false)
    judge.change = {
      $0.policy = Policy(every: 20, algorithms: ["other/v1"], like: RunPlan.verifierPolicy)
    }
    let verdict = try judge.verdict(try TestRun())
    #expect(verdict.answer == .undecided, "\(verdict.summary)")
    #expect(verdict.decisive?.code == "policy")
  }

  @Test("a short last batch counts no points twice")
  func passes() throws {
    var plan = RunPlan()
    // Two batches a pass, of 60 and 36 points: 240 steps are 120 passes, not 150.
    plan.batchSize = 60
    let run = try TestRun(plan)
    for (passes, answer) in [(120, Answer.verified), (121, .undecided)] {
      var judge = Judge(isFull: false)
      judge.change = {
        $0.policy = Policy(every: 20, passes: passes, like: RunPlan.verifierPolicy)
      }
      let verdict = try judge.verdict(run)
      #expect(verdict.answer == answer, "\(verdict.summary)")
    }
  }

  @Test("a learning rate outside the policy is noticed in segments that are not executed")
  func peakRate() throws {
    var plan = RunPlan()
    // Rises to a peak in mid-run and falls: the first and the last segment are harmless.
    plan.learningRate = "0.4"
    plan.warmUpSteps = 240
    plan.schedule = .cosine(minimum: try #require(SettingsDecimal("0.001")))
    let run = try TestRun(plan)
    var judge = Judge(isFull: false)
    func policy(_ ceiling: Float) -> Policy {
      let own = RunPlan.verifierPolicy
      return Policy(
        schedule: own.schedule, algorithms: own.algorithms, learningRateFloor: 1e-6,
        learningRateCeiling: ceiling, minimumSteps: 60, minimumPasses: 1, zeroUpdatePercent: 1)
    }
    judge.change = {
      $0.confidence = 0.01
      $0.policy = policy(0.08)
    }
    let verdict = try judge.verdict(run)
    #expect(verdict.answer == .undecided, "\(verdict.summary)")
    #expect(verdict.decisive?.evidence.first?.contains("the learning rate of step") == true)
    plan.policy = policy(0.08)
    judge.change = { $0.confidence = 0.01 }
    let promised = try judge.verdict(try TestRun(plan))
    #expect(promised.answer == .refuted, "\(promised.summary)")
    #expect(promised.decisive?.name == .commitment)
  }

  @Test("a segment longer than the verifier accepts keeps nobody busy")
  func longSegments() throws {
    var plan = RunPlan()
    (plan.every, plan.segments) = (40, 6)
    let run = try TestRun(plan)
    let verdict = try Judge().verdict(run)
    #expect(verdict.answer == .undecided, "\(verdict.summary)")
    #expect(verdict[.segments]?.code == "policy")
    #expect(verdict.coverage.executedSegments.isEmpty)
    #expect(verdict[.model]?.status == .passed)
    #expect(try Judge(disabled: [.policy]).verdict(run).answer == .verified)
  }

  // MARK: What the verifier says of itself

  @Test("a nonce that was given is not called private")
  func givenNonce() throws {
    let run = try TestRun()
    #expect(try Judge(isFull: false).verdict(run).challenge == "given")
    var judge = Judge(isFull: false)
    judge.change = { $0.nonce = [] }
    #expect(try judge.verdict(run).challenge == "private")
  }

  @Test("an algorithm that is not known bounds nothing, so that no state is fetched")
  func unknownAlgorithm() throws {
    var plan = RunPlan()
    plan.hooks.reseal = { forgery in
      let count = 1 << 14  // 4 GiB in chunks of the few digests that its envelope names.
      let old = forgery.records[forgery.records.count - 1]
      guard
        let spec = TensorSpec(name: "w", role: .weight, type: .f32, shape: [count * 65_536]),
        let layout = ChunkLayout([spec], sizes: forgery.opening.sizes),
        let record = CheckpointRecord(
          sequence: old.sequence, previous: old.previous, step: old.step, steps: old.steps,
          signatureRoot: old.signatureRoot, norms: old.norms, layout: layout,
          chunks: old.chunks
            + [Digest](repeating: old.chunks[0], count: count - old.chunks.count))
      else { throw TestFailure("no record") }
      forgery.records[forgery.records.count - 1] = record
    }
    let run = try TestRun(plan, publishes: false)
    let verdict = Verifier(
      try DirectoryObjectSource(run.archive), ledger: nil, headMemory: nil,
      options: Judge().options, makeExecutor: { _ in nil }
    ).verify()
    #expect(verdict.answer == .undecided, "\(verdict.summary)")
    #expect(verdict[.model]?.status == .undecided)
    #expect(try peakMemory() < 2 << 30)
  }
}

extension Verdict {
  var challenge: String? { json["coverage"]?["challenge"]?.stringValue }
}
