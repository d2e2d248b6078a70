import ProofArchive
import ProofPrimitives
import Reexecution

@testable import ProofVerification

extension Cheat {
  /// States that no training led to.
  static let stateCheats: [Cheat] = [
    Cheat(
      name: "initial weights that the run seed does not give", check: .start, code: "start",
      defences: [.initialWeights],
      plan: {
        hooks {
          $0.initial = { state, _ in
            state = try state.changing(.weight) { _, bytes in bytes[0] ^= 1 }
          }
        }
      }),
    Cheat(
      name: "stolen weights as the initial ones", check: .start, code: "start",
      defences: [.initialWeights],
      plan: {
        let stolen = try stolenWeights()
        return hooks {
          $0.initial = { state, _ in state = try state.setting(.weight, stolen) }
        }
      }),
    Cheat(
      name: "a momentum invented at step 0 that jumps to stolen weights", check: .start,
      code: "start", defences: [.initialOptimizer],
      plan: {
        let stolen = try stolenWeights()
        return hooks {
          $0.initial = { state, context in
            state = try jump(from: state, to: stolen, step: 0, context)
          }
        }
      }),
    Cheat(
      name: "a momentum invented in mid-run that jumps to stolen weights", check: .segments,
      code: "reexecution", forged: [41], defences: [.optimizerMatch],
      plan: {
        let stolen = try stolenWeights()
        return hooks {
          $0.checkpoint = { segment, recorded, continued, context in
            guard segment == 41 else { return }
            recorded = try jump(from: recorded, to: stolen, step: 126, context)
            continued = recorded
          }
        }
      }),
    Cheat(
      name: "weights replaced in mid-run", check: .segments, code: "reexecution", forged: [41],
      defences: [.weightsMatch, .norms],
      plan: {
        let stolen = try stolenWeights()
        return hooks {
          $0.checkpoint = { segment, recorded, continued, _ in
            guard segment == 41 else { return }
            recorded = try recorded.setting(.weight, stolen)
            continued = recorded
          }
        }
      }),
    Cheat(
      name: "one bit of one weight changed", check: .segments, code: "reexecution", forged: places,
      defences: [.weightsMatch, .norms],
      plan: {
        hooks {
          $0.checkpoint = { segment, recorded, continued, _ in
            guard places.contains(segment) else { return }
            recorded = try recorded.changing(.weight) { name, bytes in
              if name == "layers.1.weight" { bytes[8] ^= 1 }
            }
            continued = recorded
          }
        }
      }),
    Cheat(
      name: "the final weights edited", check: .segments, code: "reexecution", forged: nil,
      defences: [.weightsMatch, .norms, .finalModel, .accuracy],
      plan: {
        hooks {
          $0.checkpoint = { segment, recorded, _, _ in
            guard segment == 79 else { return }
            recorded = try recorded.changing(.weight) { _, bytes in bytes[4] ^= 1 }
          }
        }
      }),
    Cheat(
      name: "weights that are not a number in one record", check: .segments, code: "reexecution",
      // The segment that ends there and the one that starts there.
      forged: [41, 42], defences: execution.union([.finite]),
      plan: { notANumber(.weight) }),
    Cheat(
      name: "a momentum that is not a number in one record", check: .segments,
      code: "reexecution", forged: [41, 42], defences: execution.union([.finite]),
      plan: { notANumber(.optimizer) }),
    Cheat(
      name: "a start that is not a number, and stays so", check: .start, code: "start",
      defences: [.initialOptimizer, .finite],
      plan: {
        hooks {
          $0.initial = { state, _ in state = try broken(state, .optimizer) }
        }
      }),
  ]

  /// What a thief has: the final weights of somebody's honest run.
  static func stolenWeights() throws -> [Float] {
    let victim = try TestRun(RunPlan(name: "victim"))
    guard let reader = try? victim.reader() else { throw TestFailure("no victim") }
    return try reader.state(reader.index.rows.count - 1).floats(.weight)
  }

  /// A state with the weights of `state` and a momentum that makes the next honest step end at
  /// `wanted`, as closely as float32 allows: w - rate (mu v + g') = wanted, solved for v.
  static func jump(
    from state: TrainingState, to wanted: [Float], step: Int, _ context: RunContext
  ) throws -> TrainingState {
    let weights = state.floats(.weight)
    let still = try state.setting(.optimizer, [Float](repeating: 0, count: weights.count))
    // With no momentum before it, a step leaves the decayed gradient itself as momentum.
    let gradient = try context.train(still, step: step).floats(.optimizer)
    let rate = context.settings.learningRate(ofStep: step)
    let momentum = zip(weights, zip(wanted, gradient)).map { weight, pair in
      ((weight - pair.0) / rate - pair.1) / context.settings.momentum.value
    }
    let forged = try state.setting(.optimizer, momentum)
    let landed = try context.train(forged, step: step).floats(.weight)
    let error = zip(landed, wanted).map { abs($0 - $1) }.max() ?? .infinity
    guard error < 1e-5 else { throw TestFailure("the jump misses by \(error)") }
    return forged
  }

  private static func broken(
    _ state: TrainingState, _ role: TensorRole
  ) throws -> TrainingState {
    var values = state.floats(role)
    values[5] = .nan
    return try state.setting(role, values)
  }

  private static func notANumber(_ role: TensorRole) -> RunPlan {
    hooks {
      $0.checkpoint = { segment, recorded, _, _ in
        if segment == 41 { recorded = try broken(recorded, role) }
      }
    }
  }
}
