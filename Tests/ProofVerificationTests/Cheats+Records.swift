import Cryptography
import ProofPrimitives
import TransparencyLedger

@testable import ProofArchive
@testable import ProofVerification

extension Cheat {
  /// Records, tables and claims that say something else than what was trained. Array index s + 1 is
  /// the record that ends segment s.
  static let recordCheats: [Cheat] = [
    Cheat(
      name: "wrong norms in record and table", check: .segments, code: "false", forged: places,
      defences: [.norms],
      plan: {
        reseal { forgery in
          for place in places {
            forgery.records[place + 1] = Forgery.record(
              forgery.records[place + 1], norms: smaller(forgery.records[place + 1].norms))
          }
        }
      }),
    Cheat(
      name: "wrong norms in the table alone", check: .segments, code: "false", forged: places,
      defences: [.norms],
      plan: {
        reseal { forgery in
          forgery.norms = forgery.records.dropFirst().enumerated().map { segment, record in
            .init(
              endStep: record.step,
              norms: places.contains(segment) ? smaller(record.norms) : record.norms)
          }
        }
      }),
    Cheat(
      name: "a signature root over other data points", check: .segments, code: "false",
      forged: places, defences: [.signatureRoot],
      plan: {
        reseal { forgery in
          for place in places {
            forgery.records[place + 1] = Forgery.record(
              forgery.records[place + 1], signatureRoot: SHA256.hash([1]))
          }
        }
      }),
    Cheat(
      name: "a table with another step", check: .commitment, code: "false",
      defences: [.schedule, .continuity],
      plan: {
        reseal { forgery in
          forgery.norms = forgery.records.dropFirst().enumerated().map { segment, record in
            .init(endStep: segment == 41 ? record.step - 1 : record.step, norms: record.norms)
          }
        }
      }),
    Cheat(
      name: "a record dropped and the chain joined again", check: .commitment, code: "false",
      defences: execution.union([.schedule, .continuity]),
      plan: { reseal { $0.records.remove(at: 42) } }),
    Cheat(
      name: "a record dropped and its steps given to the next", check: .commitment, code: "false",
      defences: [.schedule, .norms],
      plan: {
        reseal { forgery in
          let dataset = DatasetManifest(points: RunPlan.points, secret: .open)
          let dropped = forgery.records.remove(at: 42)
          let steps = dropped.steps + forgery.records[42].steps
          forgery.records[42] = Forgery.record(
            forgery.records[42], steps: steps,
            signatureRoot: dataset.signatureRoot(of: steps.flatMap(\.batch)))
        }
      }),
    Cheat(
      name: "the last records dropped", check: .commitment, code: "false",
      defences: [.schedule, .accuracy],
      plan: {
        reseal { forgery in
          forgery.records.removeLast(20)
          let state = try forgery.reader().state(forgery.records.count)
          forgery.modelDigest = modelDigest(of: state.tensors) ?? .zero
        }
      }),
    Cheat(
      name: "a seal over another model", check: .model, code: "model", defences: [.finalModel],
      plan: { reseal { $0.modelDigest = SHA256.hash([2]) } }),
    Cheat(
      name: "a claimed accuracy that is too high", check: .accuracy, code: "accuracy",
      defences: [.accuracy],
      plan: { hooks { $0.claims = { _, count in TestRun.claims(count, count) } } }),
    Cheat(
      name: "a claimed accuracy over fewer points", check: .accuracy, code: "accuracy",
      defences: [.accuracy], plan: { hooks { $0.claims = { _, _ in TestRun.claims(5, 5) } } }),
    Cheat(
      name: "a claimed accuracy that the published statement leaves out", check: .accuracy,
      code: "accuracy", defences: [.accuracy],
      plan: {
        hooks {
          $0.claims = { _, count in TestRun.claims(count, count) }
          $0.statement = { $0.heldOut = .init(correct: 0, count: 0) }
        }
      }),
    Cheat(
      name: "a statement that lays claim to another model's tensors", check: .model,
      code: "false", defences: [.finalModel],
      plan: { hooks { $0.statement = { $0.tensors = [SHA256.hash([3])] } } }),
  ]

  private static func reseal(
    _ change: @escaping @Sendable (inout Forgery) throws -> Void
  ) -> RunPlan {
    hooks { $0.reseal = change }
  }

  /// A tenth of the update, which keeps the segment out of the largest.
  private static func smaller(_ norms: UpdateNorms) -> UpdateNorms {
    UpdateNorms(
      l1: norms.l1, l2: (Double(bitPattern: norms.l2) / 10).bitPattern, linf: norms.linf,
      weightL2: norms.weightL2)
  }

  /// Limits that the prover set for himself.
  static let policyCheats: [Cheat] = [
    Cheat(
      name: "a committed policy that allows anything", check: .commitment, answer: .undecided,
      code: "policy", defences: [.policy], plan: { loose { _ in } }),
    Cheat(
      name: "a learning rate that trains nothing, under a policy that allows it",
      check: .commitment, answer: .undecided, code: "policy", defences: [.policy],
      plan: { loose { $0.learningRate = "0.0000001" } }),
    Cheat(
      name: "a learning rate below the prover's own floor", check: .commitment, code: "false",
      defences: [.proverPolicy, .policy],
      plan: {
        var plan = RunPlan()
        plan.learningRate = "0.0000005"
        return plan
      }),
    Cheat(
      name: "a run of too few steps, under a policy that allows it", check: .commitment,
      answer: .undecided, code: "policy", defences: [.policy],
      plan: { loose { $0.segments = 10 } }),
    Cheat(
      name: "segments longer than the verifier accepts", check: .commitment, answer: .undecided,
      code: "policy", defences: [.policy],
      plan: {
        var plan = RunPlan()
        (plan.every, plan.segments) = (40, 6)
        return plan
      }),
    Cheat(
      name: "fewer passes than the prover committed to", check: .commitment, code: "false",
      defences: [.proverPolicy],
      plan: { promising { Policy(every: 3, passes: 21, like: $0) } }),
    Cheat(
      name: "fewer steps than the prover committed to", check: .commitment, code: "false",
      defences: [.proverPolicy],
      plan: { promising { Policy(every: 3, steps: 241, like: $0) } }),
    Cheat(
      name: "an algorithm that the prover's policy leaves out", check: .commitment, code: "false",
      defences: [.proverPolicy],
      plan: { promising { Policy(every: 3, algorithms: ["adam"], like: $0) } }),
    Cheat(
      name: "a dataset that the prover's policy leaves out", check: .commitment, code: "false",
      defences: [.proverPolicy],
      plan: { promising { Policy(every: 3, roots: [SHA256.hash([4])], like: $0) } }),
  ]

  private static func promising(_ policy: (Policy) -> Policy) -> RunPlan {
    var plan = RunPlan()
    plan.policy = policy(plan.proverPolicy)
    return plan
  }

  private static func loose(_ change: (inout RunPlan) -> Void) -> RunPlan {
    var plan = RunPlan()
    plan.policy = Policy(
      schedule: CheckpointSchedule(every: 3), algorithms: plan.proverPolicy.algorithms,
      learningRateFloor: 0, learningRateCeiling: 1e30, minimumSteps: 0, minimumPasses: 0,
      zeroUpdatePercent: 100)
    change(&plan)
    return plan
  }
}

extension Policy {
  /// `other` with some limits changed.
  init(
    every: Int, algorithms: [String]? = nil, roots: [Digest] = [], steps: Int? = nil,
    passes: Int? = nil, like other: Policy
  ) {
    self.init(
      schedule: CheckpointSchedule(every: every), algorithms: algorithms ?? other.algorithms,
      datasetRoots: roots, learningRateFloor: other.learningRateFloor,
      learningRateCeiling: other.learningRateCeiling, minimumSteps: steps ?? other.minimumSteps,
      minimumPasses: passes ?? other.minimumPasses, zeroUpdatePercent: other.zeroUpdatePercent)
  }
}
