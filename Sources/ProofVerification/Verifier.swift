package import ChunkStorage
internal import Cryptography
internal import MerkleTrees
internal import ProofArchive
internal import ProofPrimitives
package import Reexecution
package import TransparencyLedger

/// Judges one archive: makes the checks of `spec/verification.md` §5 in order, fetches what they need
/// and no more, and says what was found.
///
/// Nothing is kept from one verification to the next but the head memory of the ledger's client.
package final class Verifier {
  let source: any ObjectSource
  let options: VerifierOptions
  let ledger: LedgerView?
  let headMemory: HeadMemory?
  /// Makes the executor for settings, or nil when their algorithm is not on the verifier's own list.
  let makeExecutor: ([UInt8]) throws(ReexecutionError) -> (any SegmentExecutor)?
  let progress: (Double, String) -> Void

  var reader: ArchiveReader?
  var executor: (any SegmentExecutor)?
  var norms: NormsTable?
  var policy: Policy?
  /// All that the prover published of this seal, the earliest first: each has to be true.
  var proofs: [ProofStatement] = []
  /// Where those stand.
  var proofEntries: [LocatedStatement] = []
  /// The parts of those proofs.
  var parts: [ProofPartStatement] = []
  var seen = SeenRecords()
  var proofIndex: UInt64?
  /// Every valid statement of the ledger, but what stands after its key's withdrawal.
  var entries: [LocatedStatement] = []
  /// The first of those with a leaf hash: how entries name each other.
  var entriesByLeaf: [Digest: LocatedStatement] = [:]
  /// Since when this claim stands on the ledger: where the hidden entry is that its statement opens, or
  /// the statement itself.
  var claimedAt: LeafIndex?
  /// Whether the ledger was read whole and goes on from what this client knows of it. What follows
  /// from a ledger that broke its promise is nobody's lie but the log's.
  var isLedgerSound = false
  /// Segments that do not end where the committed schedule has the next checkpoint. Each is executed:
  /// it is a gap, or a lie.
  var irregular: [Int] = []
  var coverage = Coverage()
  var assurance = Assurance.none
  /// Whether the structure check reached its end, so that a missing executor means what it says.
  var isStructureSound = false
  /// Whether the commitment on the ledger was found to be this run's, whatever the policies say.
  var isCommitted = false
  var finalState: TrainingState?
  /// What the draw is made from, when it is a public one.
  var challenge: PublicChallenge?
  /// The tensors that every state of the run has; nil for an executor that may add some.
  var startSpecs: [TensorSpec]?

  /// - Parameters:
  ///   - source: The archive.
  ///   - ledger: Nil verifies without one: then the start cannot be proved.
  ///   - headMemory: What this client remembers of ledgers; nil remembers nothing.
  package init(
    _ source: any ObjectSource, ledger: LedgerView?, headMemory: HeadMemory?,
    options: VerifierOptions,
    makeExecutor: @escaping ([UInt8]) throws(ReexecutionError) -> (any SegmentExecutor)? =
      acceptedExecutor,
    progress: @escaping (Double, String) -> Void = { _, _ in }
  ) {
    self.source = source
    self.ledger = ledger
    self.headMemory = headMemory
    self.options = options
    self.makeExecutor = makeExecutor
    self.progress = progress
    coverage.nonce = options.nonce.isEmpty ? randomBytes(32) : options.nonce
    coverage.isNonceFresh = options.nonce.isEmpty
    coverage.isFull = options.isFull
    coverage.forgedFraction = options.forgedFraction.value
  }

  func isOn(_ defence: Defence) -> Bool { !options.disabled.contains(defence) }

  /// Makes all checks. Stops at the first refutation; goes on past what cannot be decided, as far as
  /// later checks can still be made.
  package func verify() -> Verdict {
    var results: [CheckResult] = []
    var isOver = false
    for name in CheckName.allCases {
      if isOver {
        results.append(
          CheckResult(
            name: name, status: .notChecked, evidence: [Verdict.endedEarly],
            code: nil))
        continue
      }
      progress(Double(results.count) / Double(CheckName.allCases.count), name.title)
      let result = run(name)
      results.append(result)
      isOver = result.status == .refuted || (result.status == .undecided && reader == nil)
    }
    coverage.bytesFetched = source.transfer.bytes
    coverage.requests = source.transfer.requests
    let answer: Answer =
      results.contains { $0.status == .refuted }
      ? .refuted : results.contains { $0.status == .undecided } ? .undecided : .verified
    return Verdict(
      answer: answer, checks: results, coverage: coverage, assurance: assurance,
      archive: source.location, archiveRoot: reader?.seal?.archiveRoot,
      sealDigest: reader?.seal?.digest, modelDigest: reader?.seal?.modelDigest,
      proverKey: reader?.seal?.proverKey.keyID,
      treeHead: ledger.map { "\($0.head.origin) \($0.head.size) \($0.head.root.hex)" },
      ledgerIndex: proofIndex,
      policyDigest: SHA256.hash(.policy, options.policy.encoded),
      proofEntry: challenge.map(\.statement.proof) ?? proofEntries.first?.leafHash)
  }

  private func run(_ name: CheckName) -> CheckResult {
    do throws(CheckStop) {
      let evidence: [String]
      switch name {
      case .structure: evidence = try checkStructure()
      case .signature: evidence = try checkSignature()
      case .ledger: evidence = try checkLedger()
      case .claims: evidence = try checkClaims()
      case .commitment: evidence = try checkCommitment()
      case .anchors: evidence = try checkAnchors()
      case .start: evidence = try checkStart()
      case .dataset: evidence = try checkDataset()
      case .segments: evidence = try checkSegments()
      case .model: evidence = try checkModel()
      case .accuracy: evidence = try checkAccuracy()
      }
      return CheckResult(
        name: name, status: evidence.isEmpty ? .notChecked : .passed,
        evidence: evidence.isEmpty ? [notCheckedReason(name)] : evidence, code: nil)
    } catch {
      return CheckResult(
        name: name, status: error.isRefuted ? .refuted : .undecided,
        evidence: [error.message] + (error.remedy.isEmpty ? [] : ["to do: \(error.remedy)"]),
        code: error.code)
    }
  }

  private func notCheckedReason(_ name: CheckName) -> String {
    switch name {
    case .ledger, .claims, .commitment:
      ledger == nil ? "no ledger was given" : "the ledger cannot be relied on"
    case .anchors:
      ledger == nil
        ? "no ledger was given"
        : isLedgerSound
          ? "the run was not anchored while it trained" : "the ledger cannot be relied on"
    case .accuracy: "no held-out accuracy is claimed"
    default: "not asked for"
    }
  }

  /// What `checkStructure` opened. Later checks run only when it did.
  func opened() throws(CheckStop) -> ArchiveReader {
    guard let reader else {
      throw .undecided(
        "the archive was not opened", code: "missing", remedy: "see the structure check")
    }
    return reader
  }
}

/// The verifier's own list of algorithms: the built-in reference trainer.
package func acceptedExecutor(
  settings: [UInt8]
) throws(ReexecutionError) -> (any SegmentExecutor)? {
  let json = try? JSONValue(parsing: settings, form: .canonical)
  guard json?["algorithm"]?.stringValue == RunSettings.algorithm else { return nil }
  return ReferenceExecutor(settings: try RunSettings(parsing: settings))
}
