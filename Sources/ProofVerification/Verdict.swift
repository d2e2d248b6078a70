package import ProofPrimitives

/// The three answers, which stay apart everywhere (`spec/verification.md` §2).
package enum Answer: String, Sendable {
  case verified
  /// Something that the prover signed is false.
  case refuted
  /// Bytes damaged or withheld, a claim contested, a start unproved, an algorithm not accepted.
  case undecided = "could not decide"

  /// 0, 2, 1: an unforeseen error also exits 1, so that it can never be read as "refuted".
  package var exitStatus: Int32 {
    switch self {
    case .verified: 0
    case .refuted: 2
    case .undecided: 1
    }
  }
}

/// The checks, in the order in which they are made (`spec/verification.md` §5).
package enum CheckName: String, CaseIterable, Sendable {
  case structure
  case signature
  case ledger
  case claims
  case commitment
  case anchors
  case start
  case dataset
  case segments
  case model
  case accuracy

  package var title: String {
    switch self {
    case .structure: "structure"
    case .signature: "prover's signature"
    case .ledger: "ledger inclusion"
    case .claims: "first claim"
    case .commitment: "commitment"
    case .anchors: "anchors"
    case .start: "start"
    case .dataset: "dataset"
    case .segments: "training steps"
    case .model: "final model"
    case .accuracy: "held-out accuracy"
    }
  }
}

/// What one check found, with its evidence.
package struct CheckResult: Sendable {
  package enum Status: String, Sendable {
    case passed
    case refuted
    case undecided
    case notChecked = "not checked"
  }

  package let name: CheckName
  package let status: Status
  /// Sentences for people, the most important first.
  package let evidence: [String]
  /// The error's own name when there was one, such as `damaged`.
  package let code: String?
}

/// How much of the proof was looked at, and what that means.
package struct Coverage: Sendable {
  /// Segments of the whole run.
  package var segments = 0
  package var trainedSteps = 0
  /// Drawn uniformly: the part that carries the guarantee.
  package var drawn = 0
  /// First, last, largest and smallest updates: extra, without a guarantee.
  package var targeted = 0
  package var executedSegments: [Int] = []
  package var executedSteps = 0
  /// What the guarantee is stated against.
  package var forgedFraction = 0.0
  package var forgedSegments = 0
  /// Chance that at least one of `forgedSegments` would have been drawn.
  package var probability = 0.0
  /// The most steps that this many segments can hold, of all.
  package var forgedStepShare = 0.0
  package var bytesFetched = 0
  package var requests = 0
  package var archiveBytes = 0
  package var nonce: [UInt8] = []
  /// False for a nonce that was given, which the prover may have known before he sealed.
  package var isNonceFresh = true
  package var isFull = false
  /// The challenge that fixed the nonce before anybody could know the draw; nil for a private draw.
  package var publicDraw: PublicDraw?
}

/// What a public draw was made from, beside the nonce: anybody makes it again.
package struct PublicDraw: Hashable, Sendable {
  package let proof: Digest
  package let challenge: Digest
  package let challengeIndex: UInt64
  /// Of the verifier who challenged.
  package let keyID: Digest
  /// The first published head that covers the challenge.
  package let headSize: UInt64
  package let headRoot: Digest
}

/// How far the evidence reaches, weakest first.
package enum Assurance: String, Sendable {
  case none = "nothing is proved"
  case signed = "signed"
  case ledgered = "ledgered"
  case committed = "committed before training"
  case derived = "derived randomness"
}

/// The verifier's judgement of one archive.
package struct Verdict: Sendable {
  package let answer: Answer
  package let checks: [CheckResult]
  package let coverage: Coverage
  package let assurance: Assurance
  package let archive: String
  package let archiveRoot: Digest?
  package let sealDigest: Digest?
  package let modelDigest: Digest?
  package let proverKey: Digest?
  /// The tree head that the ledger checks were made against.
  package let treeHead: String?
  /// Where the proof stands on the ledger, if it does.
  package let ledgerIndex: UInt64?
  package let policyDigest: Digest
  /// Leaf hash of the proof on the ledger that was judged; nil where none was found.
  package let proofEntry: Digest?

  /// What a check says that was not made because an earlier one had decided.
  package static let endedEarly = "an earlier check ended the verification"

  /// The check that decided, when the answer is not "verified".
  package var decisive: CheckResult? {
    checks.first { $0.status == .refuted } ?? checks.first { $0.status == .undecided }
  }

  /// The document that `--json` prints; schema `pol-verdict/1` (`spec/verification.md` §8).
  package var json: JSONValue {
    func optional(_ digest: Digest?) -> JSONValue { .string(digest?.hex ?? "") }
    return .object([
      .init("schema", .string("pol-verdict/1")),
      .init("answer", .string(answer.rawValue)),
      .init("exitStatus", .int(answer.exitStatus)),
      .init("assurance", .string(assurance.rawValue)),
      .init("archive", .string(archive)),
      .init("archiveRoot", optional(archiveRoot)),
      .init("sealDigest", optional(sealDigest)),
      .init("modelDigest", optional(modelDigest)),
      .init("proverKey", optional(proverKey)),
      .init("policyDigest", .string(policyDigest.hex)),
      .init("treeHead", .string(treeHead ?? "")),
      .init(
        "checks",
        .array(
          checks.map { check in
            .object([
              .init("name", .string(check.name.rawValue)),
              .init("status", .string(check.status.rawValue)),
              .init("code", .string(check.code ?? "")),
              .init("evidence", .array(check.evidence.map { .string($0) })),
            ])
          })),
      .init("coverage", coverageJSON),
    ])
  }

  private var coverageJSON: JSONValue {
    let trained = Double(max(1, coverage.trainedSteps))
    return .object(
      [
        .init("segments", .int(coverage.segments)),
        .init("drawnUniformly", .int(coverage.drawn)),
        .init("targeted", .int(coverage.targeted)),
        .init("executedSegments", .array(coverage.executedSegments.map { .int($0) })),
        .init("executedSteps", .int(coverage.executedSteps)),
        .init("trainedSteps", .int(coverage.trainedSteps)),
        .init("stepsShare", .double(Double(coverage.executedSteps) / trained)),
        .init("forgedFraction", .double(coverage.forgedFraction)),
        .init("forgedSegments", .int(coverage.forgedSegments)),
        .init("forgedStepShare", .double(coverage.forgedStepShare)),
        .init("probabilityCaught", .double(coverage.probability)),
        .init("bytesFetched", .int(coverage.bytesFetched)),
        .init("requests", .int(coverage.requests)),
        .init("archiveBytes", .int(coverage.archiveBytes)),
        .init(
          "bytesShare",
          .double(Double(coverage.bytesFetched) / Double(max(1, coverage.archiveBytes)))),
        .init("full", .bool(coverage.isFull)),
        .init("challenge", .string(coverage.drawName)),
        .init("nonce", .string(Hex.encode(coverage.nonce))),
      ] + publicDrawMembers)
  }

  private var publicDrawMembers: [JSONValue.Member] {
    guard let draw = coverage.publicDraw else { return [] }
    return [
      .init(
        "publicDraw",
        .object([
          .init("proof", .string(draw.proof.hex)), .init("challenge", .string(draw.challenge.hex)),
          .init("challengeIndex", .int(draw.challengeIndex)),
          .init("challengerKeyID", .string(draw.keyID.hex)),
          .init("headSize", .int(draw.headSize)), .init("headRoot", .string(draw.headRoot.hex)),
        ]))
    ]
  }
}

extension Coverage {
  /// `public`, `private`, or `given` for a nonce that somebody else chose.
  package var drawName: String {
    publicDraw != nil ? "public" : isNonceFresh ? "private" : "given"
  }
}
