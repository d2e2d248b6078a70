internal import ChunkStorage
internal import Cryptography
internal import ProofArchive
internal import ProofPrimitives
internal import Reexecution

extension Verifier {
  /// The archive opens, its tables agree, its settings and policy parse, and both policies are kept.
  func checkStructure() throws(CheckStop) -> [String] {
    let reader: ArchiveReader
    do throws(ArchiveError) {
      reader = try ArchiveReader(source, access: options.access, ahead: .tables)
    } catch {
      // Whoever can write a file can sign a malformed seal: say whose word this is.
      guard error.isSigned, let seal = try? ArchiveReader.seal(in: source) else {
        throw CheckStop(error)
      }
      throw .refuted(
        "\(error.place): \(error.message); signed by key \(seal.proverKey.keyID.short)…",
        code: error.code.description)
    }
    self.reader = reader
    let json = try? JSONValue(parsing: reader.settings, form: .canonical)
    guard json?["algorithm"]?.stringValue != ImportedArchive.algorithm else {
      throw .undecided(
        "an imported archive: its checkpoints came from files, and nothing is known of the training "
          + "between them", code: "imported",
        remedy: "check its bytes with `pol check`; a proof needs a training that was recorded")
    }
    let table = try reading { () throws(ArchiveError) in try reader.normsTable() }
    norms = table
    coverage.segments = reader.segmentCount
    coverage.trainedSteps = reader.seal?.stepCount ?? 0
    coverage.archiveBytes = try reading { () throws(ArchiveError) in try reader.storedByteCount() }
    guard reader.segmentCount >= 1 else { throw .refuted("the archive holds no training step") }
    guard table.rows.last?.endStep == reader.seal?.stepCount else {
      throw .refuted("the seal's step count is not that of the last segment")
    }
    // Before any sum over segment lengths: a table that falls would make one overflow.
    guard zip(table.rows, table.rows.dropFirst()).allSatisfy({ $0.endStep < $1.endStep }),
      table.rows[0].endStep > 0
    else { throw .refuted("the steps in the norms table do not rise") }
    let policy: Policy
    do throws(ParsingError) {
      policy = try Policy(parsing: reader.policy)
    } catch {
      throw .refuted("policy.json, which the prover committed to, is not valid: \(error.reason)")
    }
    self.policy = policy
    let starts = [0] + table.rows.map(\.endStep)
    irregular = table.rows.indices.filter {
      policy.schedule.next(after: starts[$0], total: coverage.trainedSteps)
        != table.rows[$0].endStep
    }
    coverage.forgedSegments = SegmentDraw.forgedCount(
      segments: table.rows.count, fraction: options.forgedFraction)
    let longest = longestSteps(of: coverage.forgedSegments, in: table)
    coverage.forgedStepShare = Double(longest) / Double(max(1, coverage.trainedSteps))
    do throws(ReexecutionError) {
      executor = try makeExecutor(reader.settings)
    } catch {
      throw .refuted(
        "settings.json, which the prover committed to, is not valid: \(error.message)")
    }
    isStructureSound = true
    return [
      "\(table.rows.count) segments, \(coverage.trainedSteps) steps; the record hashes give the "
        + "signed archive root"
    ]
  }

  /// The seal is signed by the key that record 0 has bound since before the training.
  func checkSignature() throws(CheckStop) -> [String] {
    let reader = try opened()
    guard let seal = reader.seal else {
      throw .undecided("there is no seal", code: "missing", remedy: "seal the archive")
    }
    if isOn(.proverBinding), seal.proverKey != reader.opening.proverKey {
      throw .refuted(
        "a replay claim: the seal is signed by \(seal.proverKey.keyID.short)…, and the training "
          + "was begun by \(reader.opening.proverKey.keyID.short)…", code: "replayClaim")
    }
    assurance = .signed
    return ["Ed25519 by key \(seal.proverKey.keyID.short)…, bound in record 0"]
  }

  /// The steps of the run against the schedule, floors and ceilings of both policies.
  func checkPolicies() throws(CheckStop) {
    guard let policy, let norms else { return }
    if isOn(.proverPolicy) { try keep(policy, norms) }
    guard isOn(.policy) else { return }
    func outside(_ limit: String, _ found: String, _ wanted: String) -> CheckStop {
      .undecided(
        "the committed policy is outside this verifier's: \(limit) is \(found), accepted is "
          + "\(wanted)", code: "policy",
        remedy: "verify with a --policy that accepts it, if you do")
    }
    let own = options.policy
    if let executor, !own.algorithms.contains(executor.algorithm) {
      throw outside(
        "the algorithm", printable(executor.algorithm),
        "one of \(own.algorithms.map { printable($0) }.joined(separator: ", "))")
    }
    var step = 0
    for row in norms.rows {
      let longest = own.schedule.longest(at: step)
      guard row.endStep - step <= longest else {
        throw outside(
          "the segment length at step \(step)", "\(row.endStep - step)", "at most \(longest)")
      }
      step = row.endStep
    }
    if let found = rate(outside: own, norms) {
      throw outside(
        "the learning rate of step \(found.step)", "\(found.rate)",
        "\(own.learningRateFloor) to \(own.learningRateCeiling)")
    }
    guard policy.learningRateFloor >= own.learningRateFloor else {
      throw outside(
        "the learning-rate floor", "\(policy.learningRateFloor)",
        "at least \(own.learningRateFloor)")
    }
    guard policy.learningRateCeiling <= own.learningRateCeiling else {
      throw outside(
        "the learning-rate ceiling", "\(policy.learningRateCeiling)",
        "at most \(own.learningRateCeiling)")
    }
    guard coverage.trainedSteps >= own.minimumSteps else {
      throw outside(
        "the number of steps", "\(coverage.trainedSteps)", "at least \(own.minimumSteps)")
    }
    if let root = reader?.opening.datasetRoot, !own.datasetRoots.isEmpty,
      !own.datasetRoots.contains(root)
    {
      throw outside("the dataset root", "\(root.short)…", "one of \(own.datasetRoots.count)")
    }
    let zero = norms.rows.count { $0.norms.l2 == 0 }
    guard zero * 100 <= own.zeroUpdatePercent * norms.rows.count else {
      throw outside(
        "the share of segments without any update", "\(zero) of \(norms.rows.count)",
        "at most \(own.zeroUpdatePercent) %")
    }
    // A few long segments among many short ones would make the guarantee, which counts segments, say
    // little about steps.
    guard
      SegmentDraw.allows(
        longest: longestSteps(of: coverage.forgedSegments, in: norms),
        of: coverage.trainedSteps, segments: norms.rows.count, fraction: options.forgedFraction)
    else {
      throw outside(
        "the share of steps in the longest \(coverage.forgedSegments) segments",
        "\(percent(coverage.forgedStepShare))", "at most twice their share of segments")
    }
  }

  /// The first learning rate, at a segment's first or last step, that the settings put outside of a
  /// policy: they say it of every segment, executed or not.
  private func rate(outside policy: Policy, _ norms: NormsTable) -> (step: Int, rate: Float)? {
    guard let executor else { return nil }
    var start = 0
    for row in norms.rows {
      for step in [start, row.endStep - 1] {
        let rate = executor.learningRate(ofStep: step)
        if !policy.allows(rate) { return (step, rate) }
      }
      start = row.endStep
    }
    return nil
  }

  /// The most steps that `count` segments can hold, without those that are executed in any case.
  private func longestSteps(of count: Int, in norms: NormsTable) -> Int {
    let ends = [0] + norms.rows.map(\.endStep)
    let executed = isOn(.gaps) ? Set(irregular) : []
    let lengths = norms.rows.indices.filter { !executed.contains($0) }
      .map { ends[$0 + 1] - ends[$0] }.sorted(by: >)
    return lengths.prefix(count).reduce(0, +)
  }

  /// A segment that ends at another step than the next due one: checkpoints may be missing before it,
  /// which its record has to say, and it still ends where one was due.
  private func checkGap(
    _ segment: Int, _ policy: Policy, _ norms: NormsTable
  ) throws(CheckStop) {
    let start = segment == 0 ? 0 : norms.rows[segment - 1].endStep
    let end = norms.rows[segment].endStep
    let due = policy.schedule.next(after: start, total: coverage.trainedSteps)
    let wanted = "the committed schedule has the next checkpoint at \(due)"
    guard policy.schedule.reaches(end, from: start, total: coverage.trainedSteps) else {
      throw .refuted("segment \(segment) ends at step \(end); \(wanted)")
    }
    let reader = try opened()
    let record = try reading { () throws(ArchiveError) in try reader.checkpoint(segment + 2) }
    guard record.gap != nil else {
      throw .refuted("segment \(segment) ends at step \(end) and is not marked as a gap; \(wanted)")
    }
    if isOn(.continuity), record.firstStep != start || record.step != end {
      throw .refuted(
        "segment \(segment), a gap, says that it goes from step \(record.firstStep) to "
          + "\(record.step), and goes from \(start) to \(end)")
    }
  }

  /// The run against what the prover himself committed to: a difference is a broken promise.
  private func keep(_ policy: Policy, _ norms: NormsTable) throws(CheckStop) {
    guard executor.map({ policy.algorithms.contains($0.algorithm) }) ?? true else {
      throw .refuted("the algorithm is not in the policy that the prover committed to")
    }
    guard isOn(.schedule) else { return }
    for segment in irregular { try checkGap(segment, policy, norms) }
    // A run cut short is not the committed one: whoever may stop anywhere may choose among endings.
    if let steps = referenceSettings?.steps, coverage.trainedSteps != steps {
      throw .refuted(
        "the run has \(coverage.trainedSteps) steps, the committed settings have \(steps)")
    }
    if let found = rate(outside: policy, norms) {
      throw .refuted(
        "the learning rate \(found.rate) of step \(found.step) is outside the policy that the prover "
          + "committed to")
    }
    guard coverage.trainedSteps >= policy.minimumSteps else {
      throw .refuted("fewer steps than the committed policy's \(policy.minimumSteps)")
    }
    if let passes, passes < Double(policy.minimumPasses) {
      throw .refuted(
        "fewer passes over the data than the committed policy's \(policy.minimumPasses)")
    }
    if let root = reader?.opening.datasetRoot, !policy.datasetRoots.isEmpty,
      !policy.datasetRoots.contains(root)
    {
      throw .refuted("the dataset is not in the policy that the prover committed to")
    }
    let zero = norms.rows.count { $0.norms.l2 == 0 }
    guard zero * 100 <= policy.zeroUpdatePercent * norms.rows.count else {
      throw .refuted("\(zero) segments have no update, more than the committed policy allows")
    }
  }
}

func percent(_ share: Double) -> String {
  let text = String(Int((share * 1000).rounded()))
  let padded = text.count < 2 ? "0" + text : text
  return "\(padded.dropLast()).\(padded.suffix(1)) %"
}
