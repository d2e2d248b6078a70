import ChunkStorage
import Cryptography
import ProofPrimitives
import Testing
import TransparencyLedger

@testable import ProofArchive
@testable import ProofVerification

/// How a test verifies; the small runs need a policy that fits them.
struct Judge {
  /// A quarter or so of the segments: enough to catch, few enough to miss.
  static let confidence: Share = 0.5
  static let forgedFraction: Share = 0.05

  var isFull = true
  var nonceNumber = 0
  var disabled: Set<Defence> = []
  var usesLedger = true
  var memory: HeadMemory?
  var change: (inout VerifierOptions) -> Void = { _ in }

  static func nonce(_ number: Int) -> [UInt8] {
    SHA256.hash(Array("nonce \(number)".utf8)).bytes
  }

  var options: VerifierOptions {
    var options = VerifierOptions()
    options.isFull = isFull
    options.confidence = Judge.confidence
    options.forgedFraction = Judge.forgedFraction
    options.largest = 0
    options.smallest = 0
    options.nonce = Judge.nonce(nonceNumber)
    options.policy = RunPlan.verifierPolicy
    options.disabled = disabled
    change(&options)
    return options
  }

  func verdict(
    _ run: TestRun, at path: String? = nil, view: LedgerView? = nil
  ) throws -> Verdict {
    let ledger = usesLedger && run.plan.usesLedger ? try view ?? run.ledger.view() : nil
    return try verdict(try DirectoryObjectSource(path ?? run.archive), ledger)
  }

  func verdict(_ source: any ObjectSource, _ ledger: LedgerView?) throws -> Verdict {
    Verifier(source, ledger: ledger, headMemory: memory, options: options).verify()
  }

  /// The segments that a sampling verifier executes, computed without one.
  static func chosen(_ seal: Seal, nonce number: Int) -> (drawn: Set<Int>, all: Set<Int>) {
    let segments = seal.segmentCount
    let count = SegmentDraw.count(
      segments: segments, fraction: forgedFraction, confidence: confidence)
    let drawn = Set(
      SegmentDraw.draw(
        count, of: segments,
        seed: SegmentDraw.seed(
          archiveRoot: seal.archiveRoot, sealDigest: seal.digest, nonce: nonce(number))))
    return (drawn, drawn.union([0, segments - 1]))
  }
}

extension Verdict {
  /// One line that says what decided, for messages of tests.
  var summary: String {
    let reason = decisive.map {
      "\($0.name.rawValue)/\($0.code ?? "-"): \($0.evidence.first ?? "")"
    }
    return "\(answer.rawValue) \(reason ?? "")"
  }

  subscript(name: CheckName) -> CheckResult? { checks.first { $0.name == name } }
}
