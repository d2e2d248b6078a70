import ProofArchive
import ProofPrimitives
import Reexecution

@testable import ProofVerification

extension Cheat {
  /// Steps that were not done as recorded, or not as the settings want them.
  static let stepCheats: [Cheat] = [
    Cheat(
      name: "a training step skipped", check: .segments, code: "reexecution", forged: places,
      defences: execution, plan: { step { step, _ in step.isSkipped = true } }),
    Cheat(
      name: "a skipped step recorded with its neighbour's loss", check: .segments,
      code: "reexecution", forged: places, defences: execution,
      plan: {
        step { step, _ in
          step.isSkipped = true
          step.reportedLoss = 0.25
        }
      }),
    Cheat(
      name: "two steps swapped, recorded as if they were not", check: .segments,
      code: "reexecution", forged: places, defences: execution,
      plan: { swapped(records: false) }),
    Cheat(
      name: "two steps swapped, recorded as they were done", check: .segments, code: "false",
      forged: places, defences: [.batchOrder], plan: { swapped(records: true) }),
    Cheat(
      name: "a learning rate of 1 % more, recorded and used", check: .segments, code: "false",
      forged: places, defences: [.learningRate],
      plan: {
        step { step, _ in
          step.trainedRate *= 1.01
          step.recordedRate = step.trainedRate
        }
      }),
    Cheat(
      name: "a learning rate of 1 % more, used and not recorded", check: .segments,
      code: "reexecution", forged: places, defences: execution,
      plan: { step { step, _ in step.trainedRate *= 1.01 } }),
    Cheat(
      name: "a learning rate of 1 % more, recorded and not used", check: .segments, code: "false",
      forged: places, defences: execution.union([.learningRate]),
      plan: { step { step, _ in step.recordedRate *= 1.01 } }),
    Cheat(
      name: "a learning rate that is not a number", check: .segments, code: "false",
      // From the first such step on, all weights are NaN: the last segment shows it too.
      forged: nil, defences: [.finite, .learningRate, .policy, .proverPolicy],
      plan: {
        hooks {
          $0.step = { step, _ in
            guard step.number == 181 else { return }
            step.trainedRate = .nan
            step.recordedRate = .nan
          }
        }
      }),
    Cheat(
      name: "a loss that looks better", check: .segments, code: "false", forged: places,
      defences: [.loss], plan: { step { step, _ in step.reportedLoss = 0.001 } }),
  ]

  /// The second and third step of the forged segments in each other's place.
  private static func swapped(records: Bool) -> RunPlan {
    hooks {
      $0.step = { step, context in
        let place = step.number % 3
        guard places.contains(step.number / 3), place > 0,
          let other = try? context.executor.batch(
            ofStep: step.number + (place == 1 ? 1 : -1), runSeed: context.runSeed)
        else { return }
        step.trained = other
        if records { step.recorded = other }
      }
    }
  }

  /// Data that is not what was committed to, or not in the order that the run seed gives.
  static let batchCheats: [Cheat] = [
    Cheat(
      name: "one sample of a batch replaced and recorded", check: .segments, code: "false",
      forged: places, defences: [.batchOrder],
      plan: {
        step { step, _ in
          step.trained[2] = (step.trained[2] + 1) % 96
          step.recorded = step.trained
        }
      }),
    Cheat(
      name: "one sample of a batch replaced and not recorded", check: .segments,
      code: "reexecution", forged: places, defences: execution,
      plan: { step { step, _ in step.trained[2] = (step.trained[2] + 1) % 96 } }),
    Cheat(
      name: "the indices of a batch changed in the record alone", check: .segments, code: "false",
      forged: places, defences: execution.union([.batchOrder]),
      plan: { step { step, _ in step.recorded[0] = (step.recorded[0] + 7) % 96 } }),
    Cheat(
      name: "a batch in another order", check: .segments, code: "false", forged: places,
      defences: [.batchOrder],
      plan: {
        step { step, _ in
          step.trained.reverse()
          step.recorded = step.trained
        }
      }),
    Cheat(
      name: "a smaller batch", check: .segments, code: "false", forged: places,
      defences: [.batchOrder],
      plan: {
        step { step, _ in
          step.trained.removeLast()
          step.recorded = step.trained
        }
      }),
    Cheat(
      name: "held-out points trained on", check: .segments, code: "false", forged: places,
      defences: [.batchOrder],
      plan: {
        step { step, _ in
          step.trained = Array(96..<104)
          step.recorded = step.trained
        }
      }),
    Cheat(
      name: "a data point other than the committed one", check: .segments, code: "reexecution",
      forged: places, defences: execution,
      plan: {
        step { step, context in
          let index = step.trained[3]
          guard let old = context.points[index] else { return }
          step.points[index] = DataPoint(
            type: old.type, shape: old.shape, bytes: [1] + old.bytes.dropFirst(),
            label: old.label)
        }
      }),
    Cheat(
      name: "another label than the committed one", check: .segments, code: "reexecution",
      forged: places, defences: execution,
      plan: {
        step { step, context in
          let index = step.trained[3]
          guard let old = context.points[index] else { return }
          step.points[index] = DataPoint(
            type: old.type, shape: old.shape, bytes: old.bytes, label: (old.label + 1) % 4)
        }
      }),
  ]
}
