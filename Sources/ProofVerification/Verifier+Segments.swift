internal import ProofArchive
internal import ProofPrimitives
internal import Reexecution

extension Verifier {
  /// Chooses segments, re-executes each, and compares the whole end state with the record.
  func checkSegments() throws(CheckStop) -> [String] {
    let reader = try opened()
    let executor = try acceptedByVerifier()
    guard let norms, let seal = reader.seal else {
      throw .undecided(
        "not reached: the structure check could not be decided", code: "structure",
        remedy: "see the structure check")
    }
    let seed = try drawSeed(seal)
    let count = norms.rows.count
    coverage.drawn =
      options.isFull
      ? count
      : SegmentDraw.count(
        segments: count, fraction: options.forgedFraction, confidence: options.confidence)
    let drawn = SegmentDraw.draw(coverage.drawn, of: count, seed: seed)
    var chosen = Set(drawn)
    chosen.formUnion([0, count - 1])
    chosen.formUnion(
      SegmentDraw.targeted(
        relativeSizes: norms.rows.map(\.norms.relativeSize), largest: options.largest,
        smallest: options.smallest))
    let lost = try lostSegments(reader, norms)
    if isOn(.gaps) { chosen.formUnion(irregular) }
    coverage.targeted = chosen.count - drawn.count
    coverage.probability = SegmentDraw.probability(
      segments: count, forged: coverage.forgedSegments, drawn: coverage.drawn)
    let ordered = chosen.filter { lost[$0] == nil }.sorted()
    if let refusal = reader.partial?.lacking(ordered) {
      // Drawn anew, others would be lacking.
      throw .undecided(
        refusal.message, code: "notHeld",
        remedy: "\(refusal.remedy); then verify with \(sameDraw)")
    }
    if let closed = reader.ungranted(ordered) {
      throw .undecided(
        "the draw needs segments \(closed) too, which the grant does not open",
        code: "outsideGrant",
        remedy: "ask the prover for one with `pol grant --segments "
          + "\(RangeSet(numbers: ordered).list) --held-out`, then verify with it and with "
          + sameDraw)
    }
    try checkLengths(ordered, norms)
    for (done, segment) in ordered.enumerated() {
      progress(Double(done) / Double(chosen.count), "re-executing segment \(segment)")
      try execute(segment, reader, executor, norms)
    }
    // Last: what is refuted elsewhere is refuted, whatever was lost here.
    if let (segment, gap) = lost.min(by: { $0.key < $1.key }) {
      throw lostSteps(segment, gap, norms, others: lost.count - 1)
    }
    return [
      "\(coverage.executedSegments.count) of \(count) segments re-executed "
        + "(\(coverage.executedSteps) of \(coverage.trainedSteps) steps); every end state agrees in "
        + "every tensor"
    ]
  }

  /// The options that make this draw again.
  private var sameDraw: String {
    (options.challenge.map { "--challenge \($0) " } ?? "") + "--nonce \(Hex.encode(coverage.nonce))"
  }

  /// The gaps of which the prover himself says that steps are lost. All of them: such a segment spans
  /// checkpoints that are missing, or else it is as good as a forged one and the draw finds it as such.
  private func lostSegments(
    _ reader: ArchiveReader, _ norms: NormsTable
  ) throws(CheckStop) -> [Int: CheckpointRecord.Gap] {
    guard isOn(.gaps) else { return [:] }
    var lost: [Int: CheckpointRecord.Gap] = [:]
    for segment in irregular {
      let record = try reading { () throws(ArchiveError) in try reader.checkpoint(segment + 2) }
      if let gap = record.gap, gap.lostSteps > 0 { lost[segment] = gap }
    }
    return lost
  }

  private func lostSteps(
    _ segment: Int, _ gap: CheckpointRecord.Gap, _ norms: NormsTable, others: Int
  ) -> CheckStop {
    let start = segment == 0 ? 0 : norms.rows[segment - 1].endStep
    return .undecided(
      "segment \(segment) (steps \(start) to \(norms.rows[segment].endStep)) lost \(gap.lostSteps) "
        + "steps, says the prover (\(printable(gap.cause))): nothing can show that they were done"
        + (others > 0 ? "; so with \(others) more segments" : ""),
      code: "lost", remedy: "no verification can make up for it: train again, or accept the rest")
  }

  /// A segment that the verifier's policy refuses is not executed either: one may hold as many steps as
  /// a record has room for, and keep a verifier busy for weeks.
  private func checkLengths(_ segments: [Int], _ norms: NormsTable) throws(CheckStop) {
    guard isOn(.policy) else { return }
    for segment in segments {
      let start = segment == 0 ? 0 : norms.rows[segment - 1].endStep
      let length = norms.rows[segment].endStep - start
      guard length <= options.policy.schedule.longest(at: start) else {
        throw .undecided(
          "segment \(segment) has \(length) steps, more than this verifier's policy accepts: not "
            + "executed", code: "policy",
          remedy: "verify with a --policy that accepts it, if you do")
      }
    }
  }

  private func execute(
    _ segment: Int, _ reader: ArchiveReader, _ executor: any SegmentExecutor, _ norms: NormsTable
  ) throws(CheckStop) {
    let material = try reading { () throws(ArchiveError) in try reader.segment(segment) }
    let (before, after) = (material.before, material.after)
    let place = "segment \(segment) (steps \(after.firstStep) to \(after.step))"
    // In a segment of the scheduled length, so that only those who draw it find it.
    if isOn(.gaps), let gap = after.gap, gap.lostSteps > 0 {
      throw lostSteps(segment, gap, norms, others: 0)
    }
    try checkPlace(segment, before, after, norms, place)
    try checkSteps(after, reader, executor, place)
    // Before anything is fetched: a record may claim tensors that no memory holds.
    if let expected = startSpecs, before.specs != expected || after.specs != expected {
      throw .refuted("\(place): the set of tensors is not that of the settings", code: "badState")
    }
    let points = try reading { () throws(ArchiveError) in try material.points() }
    let used = after.steps.flatMap(\.batch).compactMap { points[$0]?.signature }
    if isOn(.signatureRoot), signatureRoot(of: used) != after.signatureRoot {
      throw .refuted("\(place): the dataset signatures are not those of the data points used")
    }
    let start = try reading { () throws(ArchiveError) in try material.startState() }
    if isOn(.finite), let name = start.firstNotFinite {
      throw .refuted("\(place): \(name) holds a value that is not finite", code: "notFinite")
    }
    let result: SegmentResult
    do throws(ReexecutionError) {
      result = try executor.execute(
        from: start, firstStep: after.firstStep, batches: after.steps.map(\.batch),
        learningRates: after.steps.map { Float(bitPattern: $0.learningRate) },
        points: points.mapValues(\.point))
    } catch {
      // The state, batches and points are all the prover's signed word by now.
      if [.badState, .badBatch, .badStep, .badDataPoint].contains(error.code) {
        throw .refuted("\(place): \(error.message)", code: error.code.name)
      }
      throw CheckStop(error)
    }
    coverage.executedSegments.append(segment)
    coverage.executedSteps += after.steps.count
    try compare(result, start, after, norms.rows[segment].norms, place)
    if isOn(.weightsMatch) { note(segment + 2, after, result.endState) }
    if segment == norms.rows.count - 1 { finalState = result.endState }
  }

  /// Steps follow on without a gap, and table and records tell the same story.
  private func checkPlace(
    _ segment: Int, _ before: CheckpointRecord, _ after: CheckpointRecord, _ norms: NormsTable,
    _ place: String
  ) throws(CheckStop) {
    if isOn(.continuity), after.firstStep != before.step {
      throw .refuted(
        "\(place): the record goes on from step \(after.firstStep), the one before it ends at "
          + "\(before.step)")
    }
    if isOn(.continuity), after.step != norms.rows[segment].endStep {
      throw .refuted("\(place): the norms table names another step")
    }
  }

  /// Batches and learning rates are those that settings and run seed demand.
  private func checkSteps(
    _ after: CheckpointRecord, _ reader: ArchiveReader, _ executor: any SegmentExecutor,
    _ place: String
  ) throws(CheckStop) {
    for (offset, recorded) in after.steps.enumerated() {
      let step = after.firstStep + offset
      let rate = Float(bitPattern: recorded.learningRate)
      if isOn(.finite), !rate.isFinite {
        throw .refuted("\(place): the learning rate of step \(step) is not finite")
      }
      if isOn(.learningRate), rate.bitPattern != executor.learningRate(ofStep: step).bitPattern {
        throw .refuted(
          "\(place): the learning rate of step \(step) is \(rate), the settings give "
            + "\(executor.learningRate(ofStep: step))")
      }
      if isOn(.proverPolicy), let policy, !policy.allows(rate) {
        throw .refuted(
          "\(place): the learning rate \(rate) is outside the policy that the prover committed to")
      }
      if isOn(.policy), !options.policy.allows(rate) {
        throw .undecided(
          "\(place): the learning rate \(rate) is outside this verifier's policy", code: "policy",
          remedy: "verify with a --policy that accepts it, if you do")
      }
      guard isOn(.batchOrder) else { continue }
      let derived: [UInt32]
      do throws(ReexecutionError) {
        derived = try executor.batch(ofStep: step, runSeed: reader.opening.runSeed)
      } catch {
        throw .refuted("\(place): \(error.message)", code: error.code.name)
      }
      guard derived == recorded.batch else {
        throw .refuted(
          "\(place): the batch of step \(step) is not the one that the run seed gives")
      }
    }
  }

  /// Whole state, losses, norms.
  private func compare(
    _ result: SegmentResult, _ start: TrainingState, _ after: CheckpointRecord,
    _ claimed: UpdateNorms, _ place: String
  ) throws(CheckStop) {
    if let different = mismatch(result.endState, after, .weightsMatch, .optimizerMatch) {
      throw .refuted(
        "\(place): re-execution gives another state than the record: \(different) differs",
        code: "reexecution")
    }
    if isOn(.finite), let name = result.endState.firstNotFinite {
      throw .refuted("\(place): \(name) ends in a value that is not finite", code: "notFinite")
    }
    if isOn(.loss), result.losses.map(\.bitPattern) != after.steps.map(\.loss) {
      throw .refuted("\(place): the recorded losses are not those of the steps")
    }
    guard isOn(.norms) else { return }
    // Against the record's own end state: the executed one equals it, or comparing was switched off.
    guard let norms = UpdateNorms(from: start, to: result.endState), norms == after.norms,
      norms == claimed
    else { throw .refuted("\(place): the claimed norms are not those of the update") }
  }
}

extension Policy {
  /// False for NaN.
  func allows(_ rate: Float) -> Bool {
    rate >= learningRateFloor && rate <= learningRateCeiling
  }
}

extension TrainingState {
  /// The first tensor with a NaN or an infinity.
  var firstNotFinite: String? {
    for tensor in tensors where !tensor.isFinite {
      return "\(tensor.spec.role.name) \(printable(tensor.spec.name))"
    }
    return nil
  }
}

extension Tensor {
  /// Whether no element is NaN or infinite: all exponent bits set means one of them.
  var isFinite: Bool {
    func none<T: FixedWidthInteger>(_ type: T.Type, exponent mask: T) -> Bool {
      bytes.withUnsafeBytes { buffer in
        for offset in stride(from: 0, to: buffer.count, by: T.bitWidth / 8)
        where T(littleEndian: buffer.loadUnaligned(fromByteOffset: offset, as: T.self)) & mask
          == mask
        {
          return false
        }
        return true
      }
    }
    switch spec.type {
    case .f32: return none(UInt32.self, exponent: 0x7f80_0000)
    case .f64: return none(UInt64.self, exponent: 0x7ff0_0000_0000_0000)
    case .f16: return none(UInt16.self, exponent: 0x7c00)
    case .bf16: return none(UInt16.self, exponent: 0x7f80)
    default: return true
    }
  }
}
