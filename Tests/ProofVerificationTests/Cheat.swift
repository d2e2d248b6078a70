import ProofArchive
import ProofPrimitives
import Testing

@testable import ProofVerification

/// A lie in an otherwise perfect archive, and what has to find it.
struct Cheat: Sendable, CustomTestStringConvertible {
  let name: String
  /// The check that decides against it when every segment is executed.
  let check: CheckName
  var answer = Answer.refuted
  var code: String?
  /// Segments whose execution shows the lie; nil when it shows whatever is drawn.
  var forged: Set<Int>?
  /// Without these it is accepted: the lie is real, and these are what stops it.
  let defences: Set<Defence>
  let plan: @Sendable () throws -> RunPlan

  var testDescription: String { name }

  /// Three forged segments of 80, neither the first nor the last.
  static let places: Set<Int> = [20, 41, 63]
  /// Everything that compares a re-executed segment with its record.
  static let execution: Set<Defence> = [.weightsMatch, .optimizerMatch, .loss, .norms]

  /// Whether a step is the second of one of the forged segments of three steps each.
  static func isForged(_ step: Int) -> Bool { step % 3 == 1 && places.contains(step / 3) }

  static func hooks(_ change: (inout RunHooks) -> Void) -> RunPlan {
    var hooks = RunHooks()
    change(&hooks)
    return RunPlan(hooks: hooks)
  }

  static func step(
    _ change: @escaping @Sendable (inout PlannedStep, RunContext) -> Void
  ) -> RunPlan {
    hooks {
      $0.step = { step, context in if isForged(step.number) { change(&step, context) } }
    }
  }

  static let all =
    stepCheats + batchCheats + stateCheats + recordCheats + policyCheats + gapCheats
}

extension TrainingState {
  /// The same state with some tensors' bytes changed.
  func changing(
    _ role: TensorRole, _ change: (String, inout [UInt8]) -> Void
  ) throws -> TrainingState {
    let changed = tensors.map { tensor in
      var copy = tensor
      if tensor.spec.role == role { change(tensor.spec.name, &copy.bytes) }
      return copy
    }
    guard let state = TrainingState(changed) else { throw TestFailure("no state") }
    return state
  }

  /// All float32 elements of a role, in record order.
  func floats(_ role: TensorRole) -> [Float] {
    tensors(in: role).flatMap { tensor in
      tensor.bytes.withUnsafeBytes { bytes in
        (0..<bytes.count / 4).map {
          Float(
            bitPattern: UInt32(
              littleEndian: bytes.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self)))
        }
      }
    }
  }

  /// The same state with other elements in a role.
  func setting(_ role: TensorRole, _ values: [Float]) throws -> TrainingState {
    var cursor = 0
    return try changing(role) { _, bytes in
      for place in 0..<bytes.count / 4 {
        bytes.replaceSubrange(
          place * 4..<place * 4 + 4,
          with: (0..<4).map { UInt8(truncatingIfNeeded: values[cursor].bitPattern >> ($0 * 8)) })
        cursor += 1
      }
    }
  }
}
