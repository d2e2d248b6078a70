import ChunkStorage
import Cryptography
import ProofPrimitives
import Testing

@testable import ProofArchive
@testable import ProofVerification

/// Gaps that hide something (verification.md §5, §7). Array index s + 1 is the record that ends segment s.
extension Cheat {
  static let gapCheats: [Cheat] = [
    Cheat(
      name: "a missing checkpoint that no gap is marked for", check: .commitment, code: "false",
      defences: [.schedule], plan: { missing(gap: nil) }),
    Cheat(
      name: "a gap with a step that was never done, in a segment that the draw may miss",
      check: .segments, code: "reexecution", defences: execution,
      plan: {
        var plan = missing(gap: CheckpointRecord.Gap(lostSteps: 0, cause: "full disk"))
        plan.hooks.step = { step, _ in if step.number == 124 { step.isSkipped = true } }
        return plan
      }),
    Cheat(
      name: "segments called gaps to end off the schedule", check: .commitment, code: "false",
      defences: execution.union([.schedule]),
      plan: {
        hooks {
          $0.reseal = { forgery in
            let early = forgery.records[42]
            let next = forgery.records[43]
            guard let moved = early.steps.last else { throw TestFailure("no steps") }
            forgery.records[42] = try gapped(
              early, step: early.step - 1, steps: Array(early.steps.dropLast()))
            forgery.records[43] = try gapped(next, step: next.step, steps: [moved] + next.steps)
          }
        }
      }),
    Cheat(
      name: "a gap that claims no lost steps and lacks some", check: .commitment, code: "false",
      defences: execution.union([.schedule, .continuity, .batchOrder]),
      plan: {
        hooks {
          $0.reseal = { forgery in
            forgery.records.remove(at: 42)
            let next = forgery.records[42]
            forgery.records[42] = try gapped(next, step: next.step, steps: next.steps)
          }
        }
      }),
    Cheat(
      name: "steps that are said to be lost", check: .segments, answer: .undecided, code: "lost",
      defences: execution.union([.gaps, .continuity, .batchOrder]),
      plan: {
        hooks {
          $0.reseal = { forgery in
            forgery.records.remove(at: 42)
            let next = forgery.records[42]
            forgery.records[42] = try gapped(next, step: next.step, steps: next.steps, lost: 3)
          }
        }
      }),
    Cheat(
      name: "lost steps in a segment of the scheduled length", check: .segments,
      answer: .undecided, code: "lost", forged: [41],
      defences: execution.union([.gaps, .continuity, .batchOrder]),
      plan: {
        hooks {
          $0.reseal = { forgery in
            let old = forgery.records[42]
            forgery.records[42] = try gapped(
              old, step: old.step, steps: Array(old.steps.dropFirst()), lost: 1)
          }
        }
      }),
  ]

  /// A run whose checkpoint at the end of segment 41 is missing, with every other word true.
  static func missing(gap: CheckpointRecord.Gap?) -> RunPlan {
    hooks {
      $0.reseal = { forgery in
        let reader = try forgery.reader()
        let norms = UpdateNorms(from: try reader.state(42), to: try reader.state(44))
        let steps = forgery.records.remove(at: 42).steps + forgery.records[42].steps
        forgery.records[42] = Forgery.record(
          forgery.records[42], steps: steps, signatureRoot: signatureRoot(steps), norms: norms,
          gap: gap)
      }
    }
  }

  private static func gapped(
    _ old: CheckpointRecord, step: Int, steps: [CheckpointRecord.Step], lost: Int = 0
  ) throws -> CheckpointRecord {
    guard let gap = CheckpointRecord.Gap(lostSteps: lost, cause: "full disk") else {
      throw TestFailure("no gap")
    }
    return Forgery.record(
      old, step: step, steps: steps, signatureRoot: signatureRoot(steps), gap: gap)
  }

  private static func signatureRoot(_ steps: [CheckpointRecord.Step]) -> Digest {
    DatasetManifest(points: RunPlan.points, secret: .open)
      .signatureRoot(of: steps.flatMap(\.batch))
  }
}

@Suite("Gaps that say what is missing (verification.md §5)") struct GapTests {
  private func run(_ change: (inout RunPlan) -> Void = { _ in }) throws -> TestRun {
    var plan = Cheat.missing(gap: CheckpointRecord.Gap(lostSteps: 0, cause: "full disk"))
    change(&plan)
    return try TestRun(plan)
  }

  @Test("a run with a missed checkpoint is verified, and its gap is executed in any case")
  func verified() throws {
    let run = try run()
    let seal = try #require(try run.reader().seal)
    let missing = try #require((0..<100).first { !Judge.chosen(seal, nonce: $0).all.contains(41) })
    let verdict = try Judge(isFull: false, nonceNumber: missing).verdict(run)
    #expect(verdict.answer == .verified, "\(verdict.summary)")
    #expect(verdict.coverage.executedSegments.contains(41))
    #expect(try Judge().verdict(run).answer == .verified)
  }

  @Test("the verifier's own schedule bounds a gap") func bounded() throws {
    let run = try run()
    for (every, answer) in [(6, Answer.verified), (5, .undecided)] {
      var judge = Judge()
      judge.change = { $0.policy = Policy(every: every, like: RunPlan.verifierPolicy) }
      let verdict = try judge.verdict(run)
      #expect(verdict.answer == answer, "\(verdict.summary)")
      if answer == .undecided { #expect(verdict.decisive?.code == "policy") }
    }
  }

  @Test("an imported archive could not be decided, and the verdict says why") func imported() throws
  {
    let scratch = try Scratch()
    let key = try RunPlan().key
    let settings = Array(#"{"algorithm":"import/v1","files":["a","b"],"steps":7}"#.utf8)
    let policy = Policy.proverDefault(every: 100, algorithm: "import/v1", steps: 0, passes: 0)
    for count in 1...2 {
      let path = scratch.file("\(count).pol")
      let dataset = DatasetManifest(points: [], secret: .open)
      let opening = OpeningRecord(
        archiveID: .zero, proverKey: key.verifyingKey, datasetRoot: dataset.root, datasetCount: 0,
        settingsDigest: SHA256.hash(.settings, settings),
        policyDigest: SHA256.hash(.policy, policy.encoded), runSecret: .zero, salt: .zero,
        commitment: nil)
      let writer = try ArchiveWriter.create(
        at: path, opening: opening, settings: settings, policy: policy.encoded, dataset: dataset)
      let spec = try #require(TensorSpec(name: "w", role: .weight, type: .u8, shape: [1]))
      for step in 0..<count {
        let tensor = try #require(Tensor(spec, bytes: [UInt8(step)]))
        let state = try #require(TrainingState([tensor]))
        try writer.append(
          state, steps: [],
          gap: step == 0 ? nil : CheckpointRecord.Gap(lostSteps: 7, cause: "imported"))
      }
      _ = try writer.seal(with: key)
      var judge = Judge()
      judge.change = { $0.acceptsUnprovedStart = true }
      let verdict = try judge.verdict(try DirectoryObjectSource(path), nil)
      #expect(verdict.answer == .undecided, "\(verdict.summary)")
      #expect(verdict.decisive?.code == "imported")
      #expect(verdict.decisive?.evidence.first?.hasPrefix("an imported archive") == true)
    }
  }
}
