import Cryptography
import Foundation
import MerkleTrees
import ProofPrimitives
import Testing

@testable import ProofArchive
@testable import ProofVerification
@testable import TransparencyLedger

@Suite("A ledger that breaks its promises") struct LedgerFaultTests {
  let run: TestRun

  init() throws { run = try TestRun() }

  private func judge(receipt: Bool = false, remembers: Bool = false) -> Judge {
    var judge = Judge(isFull: false)
    if remembers { judge.memory = HeadMemory(directory: run.scratch.file("memory")) }
    if receipt { judge.change = { [proof = run.receipt] in $0.receipt = proof } }
    return judge
  }

  private func view(_ folder: String) throws -> LedgerView {
    try LedgerView(
      source: DirectoryLedgerSource(directory: run.scratch.file(folder)),
      verifierKey: run.ledger.verifierKey)
  }

  /// A second log with the same key and origin that holds the same run and other entries.
  private func fork(entries: Int) throws -> LedgerView {
    let log = try LocalLedger.create(
      at: run.scratch.file("fork"), origin: TestRun.origin,
      key: try SigningKey(seed: [UInt8](repeating: 7, count: 32)))
    _ = try log.append([Array("somebody else's entry".utf8)])
    _ = try log.append([try #require(run.commitmentEntry)])
    _ = try log.append([Array("an entry that the other tree does not have".utf8)])
    _ = try log.append([
      try LedgerEntry.signed(try run.statement().encoded, by: run.key)
    ])
    for number in 0..<entries { _ = try log.append([[UInt8(number)]]) }
    return try view("fork")
  }

  @Test("entries taken back are noticed by who looked before")
  func rolledBack() throws {
    try copyFolder(run.scratch.file("log"), run.scratch.file("old"))
    _ = try run.ledger.append([Array("one more".utf8)])
    let judge = judge(remembers: true)
    #expect(try judge.verdict(run).answer == .verified)
    let verdict = try judge.verdict(run, view: try view("old"))
    #expect(verdict.answer == .undecided)
    #expect(verdict.answer.exitStatus == 1)
    #expect(verdict.decisive?.name == .ledger)
    #expect(verdict.decisive?.code == "rolledBack")
    let blind = try Judge(isFull: false, disabled: [.headMemory], memory: judge.memory)
      .verdict(run, view: try view("old"))
    #expect(blind.answer == .verified, "\(blind.summary)")
  }

  @Test("a log that claims more entries than anybody reads is left after its head")
  func endless() throws {
    struct Endless: LedgerSource {
      // What a hostile server would serve: a full bundle of empty entries for any path.
      func read(path: String, limit: Int) -> [UInt8]? { [UInt8](repeating: 0, count: 512) }
    }
    let key = try SigningKey(seed: [UInt8](repeating: 7, count: 32))
    let head = TreeHead(origin: TestRun.origin, size: TreeSize(UInt64(1) << 62), root: .zero)
    let signer = try NoteSigner(name: TestRun.origin, key: key)
    let view = LedgerView(
      source: Endless(), verifierKey: signer.verifierKey,
      signedHead: try SignedTreeHead(signing: head, by: signer))
    let verdict = try Judge(isFull: false).verdict(run, view: view)
    #expect(verdict.answer == .undecided, "\(verdict.summary)")
    #expect(verdict.decisive?.code == "tooLarge")
  }

  @Test("another tree is noticed by who looked before", arguments: [0, 5])
  func forked(more: Int) throws {
    _ = try run.ledger.append([Array("one more".utf8)])
    let judge = judge(remembers: true)
    #expect(try judge.verdict(run).answer == .verified)
    let verdict = try judge.verdict(run, view: try fork(entries: more))
    #expect(verdict.answer == .undecided, "\(verdict.summary)")
    #expect(verdict.decisive?.code == "forked")
    let blind = try Judge(isFull: false, disabled: [.headMemory], memory: judge.memory)
      .verdict(run, view: try view("fork"))
    #expect(blind.answer == .verified, "\(blind.summary)")
  }

  @Test("another tree is noticed by who holds the receipt")
  func forkedByReceipt() throws {
    let other = try fork(entries: 2)
    let verdict = try judge(receipt: true).verdict(run, view: other)
    #expect(verdict.answer == .undecided, "\(verdict.summary)")
    #expect(verdict.decisive?.name == .ledger)
    #expect(try judge().verdict(run, view: other).answer == .verified)
  }

  @Test("a tree that goes on from another one than the receipt's is a fork")
  func forkedBelowReceipt() throws {
    // The proof stands at the same index in both trees, and an entry before it differs.
    let log = try LocalLedger.create(
      at: run.scratch.file("fork"), origin: TestRun.origin,
      key: try SigningKey(seed: [UInt8](repeating: 7, count: 32)))
    _ = try log.append([Array("another first entry".utf8)])
    _ = try log.append([try #require(run.commitmentEntry)])
    _ = try log.append([try LedgerEntry.signed(try run.statement().encoded, by: run.key)])
    let verdict = try judge(receipt: true).verdict(run, view: try view("fork"))
    #expect(verdict.answer != .verified)
    #expect(verdict[.ledger]?.code == "forked")
  }

  @Test("a log that forked below the commitment refutes nobody, even who has no memory")
  func forkedBelowCommitment() throws {
    let log = try LocalLedger.create(
      at: run.scratch.file("fork"), origin: TestRun.origin,
      key: try SigningKey(seed: [UInt8](repeating: 7, count: 32)))
    // The run's own entries, and nothing at the place that record 0 names.
    for text in ["another first entry", "another second entry"] {
      _ = try log.append([Array(text.utf8)])
    }
    for isPublished in [false, true] {
      if isPublished {
        _ = try log.append([try #require(run.commitmentEntry)])
        _ = try log.append([try LedgerEntry.signed(try run.statement().encoded, by: run.key)])
      }
      let verdict = try judge().verdict(run, view: try view("fork"))
      #expect(verdict.answer == .undecided, "\(verdict.summary)")
      #expect(verdict[.commitment]?.code == "forked")
    }
  }

  @Test("entries taken back from under a receipt are noticed without a memory")
  func rolledBackBelowReceipt() throws {
    let old = try TestRun(RunPlan(name: "other"), publishes: false)
    // The receipt is of a head that this smaller log never reached.
    var judge = judge()
    judge.change = { [proof = run.receipt] in $0.receipt = proof }
    let verdict = try judge.verdict(run, view: try old.ledger.view())
    #expect(verdict.answer == .undecided)
    #expect(verdict.decisive?.name == .ledger)
  }

  @Test("the receipt of another entry proves nothing")
  func foreignReceipt() throws {
    var judge = Judge(isFull: false)
    let foreign = try run.ledger.view().receipt(LeafIndex(1))
    judge.change = { $0.receipt = foreign }
    let verdict = try judge.verdict(run)
    #expect(verdict.answer == .undecided)
    #expect(verdict.decisive?.code == "receipt")
    judge.disabled = [.receipt]
    #expect(try judge.verdict(run).answer == .verified)
  }

  @Test(
    "a published statement that differs from the archive is refuted",
    arguments: ["seal", "model", "steps", "dataset", "policy", "settings", "commitment", "log"])
  func statement(field: String) throws {
    var plan = RunPlan(name: "liar")
    plan.hooks.statement = { statement in
      let other = SHA256.hash([1])
      switch field {
      case "seal": statement.sealDigest = other
      case "model": statement.modelDigest = other
      case "steps": statement.steps += 1
      case "dataset": statement.datasetRoot = other
      case "policy": statement.policyDigest = other
      case "settings": statement.settingsDigest = other
      case "commitment": statement.commitment = other
      default: statement.logOrigin = "example.org/elsewhere"
      }
    }
    let verdict = try Judge(isFull: false).verdict(try TestRun(plan))
    // Another seal over the same records is what a repack has, and nothing false.
    #expect(verdict.answer == (field == "seal" ? .undecided : .refuted), "\(verdict.summary)")
    #expect(verdict.decisive?.name == .ledger)
  }
}
