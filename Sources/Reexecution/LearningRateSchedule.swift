internal import CKernels
internal import ProofPrimitives

/// The learning rate as a function of the step alone (`spec/training-arithmetic.md` §8).
package struct LearningRateSchedule: Equatable, Sendable {
  package enum Kind: Equatable, Sendable {
    case constant
    /// Times `factor` after each `every` steps.
    case step(every: Int, factor: SettingsDecimal)
    /// Half a cosine from the base to `minimum` over the whole run.
    case cosine(minimum: SettingsDecimal)
  }

  package let base: SettingsDecimal
  package let kind: Kind
  /// Steps over which the rate rises linearly from base / warmUpSteps; 0 for none.
  package let warmUpSteps: Int

  package init(base: SettingsDecimal, kind: Kind, warmUpSteps: Int) {
    self.base = base
    self.kind = kind
    self.warmUpSteps = warmUpSteps
  }

  /// - Parameter step: From 0 to `steps` - 1.
  func rate(ofStep step: Int, steps: Int) -> Float {
    // One operation a line: the order is the specification's.
    var rate = base.value
    switch kind {
    case .constant: break
    case .step(let every, let factor):
      rate = rate * LearningRateSchedule.power(factor.value, step / every)
    case .cosine(let minimum):
      let turns = (Float(step) / Float(steps)) * 0.5
      let share = (1 + pol_cos_turns(turns)) * 0.5
      let above = (base.value - minimum.value) * share
      rate = minimum.value + above
    }
    if step < warmUpSteps {
      rate = rate * (Float(step + 1) / Float(warmUpSteps))
    }
    return rate
  }

  /// Powers by repeated squaring from the lowest bit: a loop of `exponent` products would let
  /// settings ask for 10^9 of them at each step.
  private static func power(_ base: Float, _ exponent: Int) -> Float {
    var result: Float = 1
    var square = base
    var left = exponent
    while left > 0 {
      if left & 1 == 1 { result = result * square }
      square = square * square
      left >>= 1
    }
    return result
  }

  func check(steps: Int) throws(ReexecutionError) {
    func require(_ holds: Bool, _ message: String) throws(ReexecutionError) {
      guard holds else { throw RunSettings.refusal(message) }
    }
    try require(base.value > 0, "schedule.base is zero")
    try require(
      warmUpSteps >= 0 && warmUpSteps <= steps,
      "schedule.warmUpSteps \(warmUpSteps) is outside 0 to \(steps)")
    switch kind {
    case .constant: break
    case .step(let every, let factor):
      try require(
        every >= 1 && every <= RunSettings.stepLimit,
        "schedule.every \(every) is outside 1 to \(RunSettings.stepLimit)")
      try require(
        factor.value > 0 && factor.value <= 1, "schedule.factor \(factor.text) is outside 0 to 1")
    case .cosine(let minimum):
      try require(
        minimum.value <= base.value, "schedule.minimum \(minimum.text) is above schedule.base")
    }
  }
}

extension LearningRateSchedule {
  init(reading object: inout SettingsObject) throws(ReexecutionError) {
    base = try object.decimal("base")
    warmUpSteps = try object.count("warmUpSteps")
    let name = try object.string("kind")
    switch name {
    case "constant": kind = .constant
    case "step":
      kind = .step(every: try object.count("every"), factor: try object.decimal("factor"))
    case "cosine": kind = .cosine(minimum: try object.decimal("minimum"))
    default:
      throw RunSettings.refusal(
        "schedule.kind is \"\(printable(name, limit: 40))\", known are constant, cosine, step")
    }
  }

  var json: JSONValue {
    var members: [(String, JSONValue)] = [
      ("base", .string(base.text)), ("warmUpSteps", .int(warmUpSteps)),
    ]
    switch kind {
    case .constant: members.append(("kind", .string("constant")))
    case .step(let every, let factor):
      members += [
        ("every", .int(every)), ("factor", .string(factor.text)), ("kind", .string("step")),
      ]
    case .cosine(let minimum):
      members += [("kind", .string("cosine")), ("minimum", .string(minimum.text))]
    }
    return .map(members)
  }
}
