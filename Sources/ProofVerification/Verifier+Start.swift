internal import ProofArchive
internal import ProofPrimitives
internal import Reexecution
internal import TransparencyLedger

extension Verifier {
  /// The first state is the one that the run seed gives: weights, and the optimiser's own start.
  func checkStart() throws(CheckStop) -> [String] {
    let reader = try opened()
    let executor = try acceptedByVerifier()
    let expected: TrainingState
    do throws(ReexecutionError) {
      expected = try executor.initialState(runSeed: reader.opening.runSeed)
    } catch {
      throw CheckStop(error)
    }
    // Before anything that can fail: whatever is fetched later is bounded by them.
    if referenceSettings != nil { startSpecs = expected.tensors.map(\.spec) }
    let record = try reading { () throws(ArchiveError) in try reader.checkpoint(1) }
    guard record.step == 0, record.steps.isEmpty else {
      throw .refuted("record 1 is not the state before the first step")
    }
    if let different = mismatch(expected, record, .initialWeights, .initialOptimizer) {
      throw .refuted(
        "the first state is not the one that the run seed gives: \(different) differs",
        code: "start")
    }
    if isOn(.initialWeights) { note(1, record, expected) }
    guard isCommitted else {
      if options.acceptsUnprovedStart || !isOn(.commitment) {
        return ["equals what the run seed gives; that the seed was drawn first is not proved"]
      }
      let isClaimed = ledger != nil && reader.opening.commitment != nil
      throw .undecided(
        isClaimed
          ? "start not proved: the commitment check did not pass"
          : "start not proved: without a commitment on a ledger the run seed could have been "
            + "chosen after the fact", code: "unproved",
        remedy: isClaimed
          ? "see the commitment check"
          : "give the ledger, or take it as it is with --accept-unproved-start")
    }
    if assurance == .committed { assurance = .derived }
    return ["weights and optimiser state recomputed from the run seed, bit for bit"]
  }

  /// The executor for the committed settings.
  func acceptedByVerifier() throws(CheckStop) -> any SegmentExecutor {
    if let executor { return executor }
    guard isStructureSound else {
      throw .undecided(
        "not reached: the structure check could not be decided", code: "structure",
        remedy: "see the structure check")
    }
    throw .undecided(
      "the settings' algorithm is not on this verifier's list", code: "algorithm",
      remedy: "verify with a pol that has an executor for it")
  }

  /// The first tensor in which a state differs from a record; both defences on compares everything.
  func mismatch(
    _ state: TrainingState, _ record: CheckpointRecord, _ weights: Defence, _ others: Defence
  ) -> String? {
    if isOn(weights), isOn(others) { return state.firstMismatch(with: record) }
    let roles: Set<TensorRole> =
      isOn(weights)
      ? [.weight, .buffer]
      : isOn(others)
        ? [.optimizer, .random, .counter] : []
    return state.firstMismatch(with: record, roles: roles)
  }

  /// The dataset commitment is in record 0, and every point of a segment is proved against it before use.
  func checkDataset() throws(CheckStop) -> [String] {
    let reader = try opened()
    if isOn(.policy), let passes, passes < Double(options.policy.minimumPasses) {
      throw .undecided(
        "the run makes \(passes) passes over its data, accepted are at least "
          + "\(options.policy.minimumPasses)", code: "policy",
        remedy: "verify with a --policy that accepts it, if you do")
    }
    return [
      "\(reader.opening.datasetCount) points committed to, root \(reader.opening.datasetRoot.short)…; "
        + "each one used is proved before use"
    ]
  }

  var referenceSettings: RunSettings? { (executor as? ReferenceExecutor)?.settings }

  /// Passes over the training data; nil when there is no executor for the settings. The last batch of
  /// a pass may be short: batches are counted, not points.
  var passes: Double? {
    guard executor != nil else { return nil }
    return Double(coverage.trainedSteps) / Double(referenceSettings?.batchesPerEpoch ?? 1)
  }

  /// The final weights give the model digest that was sealed and published, and the file that was given.
  func checkModel() throws(CheckStop) -> [String] {
    let reader = try opened()
    guard let seal = reader.seal else { return [] }
    let last = reader.index.rows.count - 1
    guard isOn(.finalModel) else { return ["not required"] }
    var evidence: [String] = []
    if let model = options.model {
      let isSame = try reading { () throws(ArchiveError) in
        try reader.holds(model: model, at: last)
      }
      guard isSame, modelDigest(of: model) == seal.modelDigest else {
        throw .refuted("the model file is not the final model of this archive", code: "model")
      }
      evidence.append("the model file equals the last checkpoint, chunk by chunk")
    }
    let final = try lastState(reader, roles: [.weight, .buffer])
    guard modelDigest(of: final.tensors) == seal.modelDigest else {
      throw .refuted("the last checkpoint is not the model that was sealed", code: "model")
    }
    try checkStatements(final, last: last)
    evidence.append("model digest \(seal.modelDigest.short)… is that of the last checkpoint")
    return evidence
  }

  /// The last checkpoint: as it was re-executed, or else fetched. A record may claim more tensors than
  /// any memory holds, so that none is fetched whose size the settings do not bound.
  private func lastState(
    _ reader: ArchiveReader, roles: Set<TensorRole>
  ) throws(CheckStop) -> TrainingState {
    if let finalState { return finalState }
    let last = reader.index.rows.count - 1
    guard let startSpecs else {
      throw .undecided(
        "the last checkpoint was not re-executed, and what tensors it may have is not known",
        code: "algorithm", remedy: "see the checks before this one")
    }
    let record = try reading { () throws(ArchiveError) in try reader.checkpoint(last) }
    guard record.specs == startSpecs else {
      throw .refuted("the set of tensors is not that of the settings", code: "badState")
    }
    return try reading { () throws(ArchiveError) in try reader.state(last, roles: roles) }
  }

  /// The claimed accuracy, counted again on the held-out data points that the dataset root fixes.
  func checkAccuracy() throws(CheckStop) -> [String] {
    let reader = try opened()
    guard let executor, let heldOut = referenceSettings?.heldOut else { return [] }
    let claims = try heldOutClaims(reader)
    guard !claims.isEmpty else { return [] }
    guard Int(heldOut.first) + heldOut.count <= reader.opening.datasetCount else {
      throw .refuted("the settings' held-out split reaches beyond the dataset")
    }
    let correct = try countCorrect(heldOut, reader, executor)
    for claim in claims where isOn(.accuracy) {
      guard claim.correct == correct, claim.count == heldOut.count else {
        throw .refuted(
          "claimed are \(claim.correct) of \(claim.count) right, counted \(correct) of "
            + "\(heldOut.count)", code: "accuracy")
      }
    }
    guard heldOut.count > 0 else { return [] }
    return [
      "\(correct) of \(heldOut.count) held-out points right "
        + "(\(percent(Double(correct) / Double(heldOut.count)))), as claimed"
    ]
  }

  /// In blocks: the settings may name 2^32 points that nobody has.
  private func countCorrect(
    _ heldOut: RunSettings.IndexRange, _ reader: ArchiveReader, _ executor: any SegmentExecutor
  ) throws(CheckStop) -> Int {
    guard heldOut.count > 0 else { return 0 }
    let state = try lastState(reader, roles: Set(TensorRole.allCases))
    var correct = 0
    for start in stride(from: 0, to: heldOut.count, by: Verifier.heldOutBlock) {
      let indices = (start..<min(start + Verifier.heldOutBlock, heldOut.count)).map {
        heldOut.first + UInt32($0)
      }
      let points = try reading { () throws(ArchiveError) in
        try reader.dataset.points(at: indices)
      }
      do throws(ReexecutionError) {
        correct += try executor.countCorrect(
          state: state, points: indices.compactMap { points[$0]?.point })
      } catch {
        throw CheckStop(error)
      }
    }
    return correct
  }

  /// 65,536 points: of the digits, 8 MiB.
  private static let heldOutBlock = 1 << 16

  /// What is claimed on the ledger and in the archive: both are signed, so each has to be true.
  private func heldOutClaims(
    _ reader: ArchiveReader
  ) throws(CheckStop) -> [(correct: Int, count: Int)] {
    var found: [(correct: Int, count: Int)] = []
    for proof in proofs where proof.heldOut.count > 0 {
      found.append((proof.heldOut.correct, proof.heldOut.count))
    }
    let claims = try reading { () throws(ArchiveError) in try reader.claims() }
    if let heldOut = claims?["heldOut"] {
      // Said in another form it would be read by people and judged by nobody.
      guard heldOut.members?.map(\.key) == ["correct", "count"],
        let correct = heldOut["correct"]?.countValue, let count = heldOut["count"]?.countValue
      else {
        throw .refuted("claims.json: heldOut is not correct and count", code: "malformed")
      }
      found.append((correct, count))
    }
    return found
  }
}
