import ChunkStorage
import Cryptography
import Foundation
import MerkleTrees
import ProofPrimitives
import Testing

@testable import ProofArchive
@testable import ProofVerification
@testable import TransparencyLedger

@Suite("Stolen proofs and models") struct StolenTests {
  let owner: TestRun
  let thief: SigningKey

  init() throws {
    owner = try TestRun()
    thief = try RunPlan(name: "thief").key
  }

  /// A copy of the owner's archive, changed and signed by the thief.
  private func stolen(_ change: @escaping (inout Forgery) throws -> Void = { _ in }) throws
    -> String
  {
    let path = owner.scratch.file("stolen.pol")
    try copyFolder(owner.archive, path)
    try Forgery.reseal(path, by: thief, change)
    return path
  }

  /// Publishes what lies at `path` under the thief's key, as `pol publish` would.
  private func publish(_ path: String) throws {
    let reader = try ArchiveReader(try DirectoryObjectSource(path))
    try owner.log(try Publication.proof(of: reader, location: "").encoded, by: thief)
  }

  private func opening(
    commitment: OpeningRecord.Commitment?, secret: Digest? = nil
  ) -> OpeningRecord {
    let old = owner.opening
    return OpeningRecord(
      archiveID: old.archiveID, proverKey: thief.verifyingKey, datasetRoot: old.datasetRoot,
      datasetCount: old.datasetCount, settingsDigest: old.settingsDigest,
      policyDigest: old.policyDigest, runSecret: secret ?? old.runSecret, salt: old.salt,
      commitment: commitment)
  }

  private func commit(
    by key: SigningKey, secret: Digest, origin: String = TestRun.origin
  ) throws -> OpeningRecord.Commitment {
    let old = owner.opening
    let statement = TestRun.commitment(
      datasetRoot: old.datasetRoot, policyDigest: old.policyDigest,
      settingsDigest: old.settingsDigest, runSecret: secret,
      proverKey: try TestRun.digest(of: key), logOrigin: origin)
    let entry = try LedgerEntry.signed(statement.encoded, by: key)
    let index = try TestRun.first(try owner.ledger.append([entry])).index
    return try Publication.opening(entry: entry, at: index, in: try owner.ledger.view())
  }

  @Test("a seal signed by another key is a replay claim")
  func resealed() throws {
    let path = try stolen()
    try publish(path)
    let verdict = try Judge().verdict(owner, at: path)
    #expect(verdict.answer == .refuted)
    #expect(verdict.decisive?.name == .signature)
    #expect(verdict.decisive?.code == "replayClaim")
    let blind = try Judge(disabled: [.proverBinding]).verdict(owner, at: path)
    #expect(blind.answer == .verified, "\(blind.summary)")
    // The owner's own verdict names the attempt and stands.
    let own = try Judge().verdict(owner)
    #expect(own.answer == .verified, "\(own.summary)")
    #expect(own[.claims]?.evidence.first?.contains("replay claim") == true)
  }

  @Test("with the thief's key in record 0, the run seed is another and the start is false")
  func rebound() throws {
    let commitment = try commit(by: thief, secret: owner.opening.runSecret)
    let path = try stolen { $0.opening = opening(commitment: commitment) }
    try publish(path)
    let verdict = try Judge().verdict(owner, at: path)
    #expect(verdict.answer == .refuted, "\(verdict.summary)")
    #expect(verdict.decisive?.name == .start)
    #expect(verdict.decisive?.code == "start")
    let blind = try Judge(disabled: [.initialWeights, .batchOrder, .contested]).verdict(
      owner, at: path)
    #expect(blind.answer == .verified, "\(blind.summary)")
  }

  @Test("without a ledger, the thief's key in record 0 changes the run seed all the same")
  func reboundWithoutLedger() throws {
    let path = try stolen { $0.opening = opening(commitment: nil) }
    var judge = Judge(usesLedger: false)
    judge.change = { $0.acceptsUnprovedStart = true }
    let verdict = try judge.verdict(owner, at: path)
    #expect(verdict.answer == .refuted)
    #expect(verdict.decisive?.name == .start)
  }

  @Test("a prefix of the run under the thief's late commitment is refuted", arguments: [30, 79])
  func prefix(kept: Int) throws {
    let commitment = try commit(by: thief, secret: owner.opening.runSecret)
    let path = try stolen { forgery in
      forgery.opening = opening(commitment: commitment)
      forgery.records.removeLast(forgery.records.count - 1 - kept)
      let state = try forgery.reader().state(forgery.records.count)
      forgery.modelDigest = modelDigest(of: state.tensors) ?? .zero
    }
    try publish(path)
    let verdict = try Judge().verdict(owner, at: path)
    #expect(verdict.answer == .refuted, "\(verdict.summary)")
    // The committed settings want more steps; without that promise, the run seed is wrong.
    #expect(verdict.decisive?.name == .commitment)
    let later = try Judge(disabled: [.schedule]).verdict(owner, at: path)
    #expect(later.decisive?.name == .start, "\(later.summary)")
  }

  @Test("another party's commitment is no commitment of the thief's")
  func borrowedCommitment() throws {
    let path = try stolen { $0.opening = opening(commitment: owner.opening.commitment) }
    try publish(path)
    let verdict = try Judge().verdict(owner, at: path)
    #expect(verdict.answer == .refuted)
    #expect(verdict.decisive?.name == .commitment)
    #expect(verdict.decisive?.code == "replayClaim")
  }

  @Test("a commitment meant for another log is not this run's")
  func foreignCommitment() throws {
    let key = try RunPlan(name: "other").key
    let commitment = try commit(by: key, secret: .zero, origin: "example.org/elsewhere")
    let old = owner.opening
    let path = owner.scratch.file("foreign.pol")
    try copyFolder(owner.archive, path)
    try Forgery.reseal(path, by: key) {
      $0.opening = OpeningRecord(
        archiveID: old.archiveID, proverKey: key.verifyingKey, datasetRoot: old.datasetRoot,
        datasetCount: old.datasetCount, settingsDigest: old.settingsDigest,
        policyDigest: old.policyDigest, runSecret: .zero, salt: old.salt, commitment: commitment)
    }
    let reader = try ArchiveReader(try DirectoryObjectSource(path))
    try owner.log(try Publication.proof(of: reader, location: "").encoded, by: key)
    let verdict = try Judge().verdict(owner, at: path)
    #expect(verdict.decisive?.name == .commitment)
    #expect(verdict.decisive?.evidence.first?.contains("log") == true)
  }

  @Test("a commitment that says something else than the archive is refuted", arguments: 0..<3)
  func differentCommitment(field: Int) throws {
    let old = owner.opening
    let other = SHA256.hash([UInt8(field)])
    let statement = TestRun.commitment(
      datasetRoot: field == 0 ? other : old.datasetRoot,
      policyDigest: field == 1 ? other : old.policyDigest, settingsDigest: old.settingsDigest,
      runSecret: field == 2 ? other : old.runSecret, proverKey: try TestRun.digest(of: thief),
      logOrigin: TestRun.origin)
    let entry = try LedgerEntry.signed(statement.encoded, by: thief)
    let index = try TestRun.first(try owner.ledger.append([entry])).index
    let commitment = try Publication.opening(
      entry: entry, at: index, in: try owner.ledger.view())
    let path = try stolen { $0.opening = opening(commitment: commitment) }
    try publish(path)
    let verdict = try Judge().verdict(owner, at: path)
    #expect(verdict.answer == .refuted)
    #expect(verdict.decisive?.name == .commitment)
  }

  // MARK: Who was first

  /// A statement of the thief's that names the owner's model.
  private func claim(_ commitment: Digest) throws -> ProofStatement {
    var statement = try owner.statement()
    statement.archiveID = SHA256.hash([1])
    statement.archiveRoot = SHA256.hash([2])
    statement.sealDigest = SHA256.hash([3])
    statement.commitment = commitment
    statement.proverKey = try TestRun.digest(of: thief)
    return statement
  }

  @Test("a thief who claims the model first without a commitment changes nothing")
  func firstWithoutCommitment() throws {
    let run = try TestRun(RunPlan(name: "late"), publishes: false)
    var claim = try claim(.zero)
    claim.modelDigest = try #require(try run.reader().seal?.modelDigest)
    try run.log(claim.encoded, by: thief)
    try run.publish()
    let verdict = try Judge().verdict(run)
    #expect(verdict.answer == .verified, "\(verdict.summary)")
    #expect(verdict[.claims]?.evidence.first?.contains("no commitment of its own") == true)
  }

  /// Logs a statement as `pol publish` does; `between` comes after its hidden entry is public.
  private func publishHidden(
    _ statement: ProofStatement, by key: SigningKey, on run: TestRun,
    between: () throws -> Void = {}
  ) throws {
    let plan = try PublicationPlan(
      statement, parts: [], salts: [SHA256.hash([7])], logOrigin: run.ledger.origin, by: key)
    _ = try run.ledger.append(plan.hidden)
    try between()
    _ = try run.ledger.append(plan.statements)
  }

  @Test(
    "where neither run has a commitment, the claim that was fixed first stands",
    arguments: [true, false])
  func neitherCommitted(isHidden: Bool) throws {
    var plan = RunPlan(name: "bare")
    plan.usesLedger = false
    let run = try TestRun(plan, in: owner.scratch, on: owner.ledger)
    let statement = try run.statement()
    // The thief sees the statement on its way and is faster.
    func steal() throws {
      var claim = try claim(.zero)
      claim.modelDigest = statement.modelDigest
      try run.log(claim.encoded, by: thief)
    }
    if isHidden {
      try publishHidden(statement, by: run.key, on: run, between: steal)
    } else {
      try steal()
      try run.log(statement.encoded, by: run.key)
    }
    var judge = Judge()
    judge.change = { $0.acceptsUnprovedStart = true }
    let source = try DirectoryObjectSource(run.archive)
    let verdict = try judge.verdict(source, try run.ledger.view())
    #expect(verdict[.claims]?.status == (isHidden ? .passed : .undecided), "\(verdict.summary)")
    #expect(verdict[.claims]?.code == (isHidden ? nil : "contested"))
    if isHidden {
      #expect(verdict[.ledger]?.evidence.contains { $0.contains("hidden entry") } == true)
    }
  }

  @Test("a thief who copied the owner's hidden entry is as late as his statement")
  func copiedHidden() throws {
    var plan = RunPlan(name: "bare")
    plan.usesLedger = false
    let run = try TestRun(plan, in: owner.scratch, on: owner.ledger)
    let statement = try run.statement()
    let salt = SHA256.hash([7])
    let opening = try PublicationPlan(
      statement, parts: [], salts: [salt], logOrigin: run.ledger.origin, by: run.key)
    let seen = try #require(LedgerEntry.parse(try TestRun.first(opening.hidden)).signed)
    guard case .hidden(let original) = seen.statement else { throw TestFailure("not hidden") }
    // He is even the first to log it; the log keeps no rules.
    let copy = try LedgerEntry.signed(
      HiddenStatement(
        hidingDigest: original.hidingDigest, logOrigin: original.logOrigin,
        proverKey: try TestRun.digest(of: thief)
      ).encoded, by: thief)
    run.ledger.admission = .everything
    _ = try run.ledger.append([copy])
    _ = try run.ledger.append(opening.hidden)
    var his = try claim(.zero)
    his.modelDigest = statement.modelDigest
    his.opening = StatementOpening(hidden: MerkleTree.leafHash(of: copy), salt: salt)
    try run.log(his.encoded, by: thief)
    _ = try run.ledger.append(opening.statements)
    var judge = Judge()
    judge.change = { $0.acceptsUnprovedStart = true }
    let source = try DirectoryObjectSource(run.archive)
    let verdict = try judge.verdict(source, try run.ledger.view())
    // The start stays unproved; the thief changes nothing.
    #expect(verdict[.claims]?.status == .passed, "\(verdict.summary)")
    #expect(verdict[.claims]?.evidence.first?.contains("no commitment of its own") == true)
  }

  @Test("a thief's claim on a checkpoint of the run is named and changes nothing")
  func truncatedClaim() throws {
    var claim = try claim(.zero)
    claim.checkpointWeights = Array(claim.checkpointWeights.prefix(2))
    claim.modelDigest = try #require(claim.checkpointWeights.last)
    try owner.log(claim.encoded, by: thief)
    let verdict = try Judge().verdict(owner)
    #expect(verdict.answer == .verified, "\(verdict.summary)")
    #expect(verdict[.claims]?.evidence.first?.contains("a checkpoint of this run") == true)
  }

  @Test("an older claim that lists the model on its way contests it")
  func listedOnTheWay() throws {
    let scratch = try Scratch()
    let first = try TestRun(RunPlan(name: "owner"), in: scratch)
    let run = try TestRun(RunPlan(name: "cutter"), in: scratch, on: first.ledger)
    var longer = try first.statement()
    longer.checkpointWeights[0] = try #require(try run.reader().seal?.modelDigest)
    longer.archiveID = SHA256.hash([8])
    longer.archiveRoot = SHA256.hash([9])
    try first.log(longer.encoded, by: first.key)
    let verdict = try Judge(isFull: false).verdict(run)
    #expect(verdict.decisive?.code == "contested", "\(verdict.summary)")
  }

  @Test(
    "a part of the proof with tensors that are not the model's is refuted",
    arguments: [true, false])
  func foreignPart(isOwn: Bool) throws {
    let key = isOwn ? owner.key : thief
    let proof = try #require(try owner.ledger.view().allEntries().last)
    let part = ProofPartStatement(
      logOrigin: owner.ledger.origin, proof: proof.leafHash,
      proverKey: try TestRun.digest(of: key), tensors: [SHA256.hash([3])])
    owner.ledger.admission = .everything
    try owner.log(part.encoded, by: key)
    let verdict = try Judge().verdict(owner)
    // Another key's part is no word of the prover's.
    #expect(verdict.answer == (isOwn ? .refuted : .verified), "\(verdict.summary)")
    if isOwn { #expect(verdict.decisive?.name == .model) }
  }

  @Test("what was published after the key's withdrawal does not count", arguments: [true, false])
  func withdrawn(isBefore: Bool) throws {
    let run = try TestRun(RunPlan(name: "withdrawn"), publishes: !isBefore)
    run.ledger.admission = .everything
    let withdrawal = WithdrawalStatement(
      keyID: run.key.verifyingKey.keyID, logOrigin: run.ledger.origin,
      proverKey: try TestRun.digest(of: run.key), reason: .compromised)
    try run.log(withdrawal.encoded, by: run.key)
    if isBefore { try run.publish() }
    let verdict = try Judge().verdict(run)
    #expect(verdict.answer == (isBefore ? .undecided : .verified), "\(verdict.summary)")
    #expect(verdict.decisive?.code == (isBefore ? "withdrawnKey" : nil))
    #expect(try Judge(disabled: [.withdrawal]).verdict(run).answer == .verified)
  }

  @Test("a thief who claims the model on a later commitment changes nothing")
  func laterCommitment() throws {
    let commitment = try commit(by: thief, secret: .zero)
    try owner.log(try claim(commitment.leafHash).encoded, by: thief)
    let verdict = try Judge().verdict(owner)
    #expect(verdict.answer == .verified, "\(verdict.summary)")
    #expect(verdict[.claims]?.evidence.first?.contains("a later commitment") == true)
  }

  @Test("an older dummy commitment contests, until the rival's proof is found not to hold")
  func olderCommitment() throws {
    let scratch = try Scratch()
    let first = try TestRun(RunPlan(name: "thief"), in: scratch)
    let run = try TestRun(RunPlan(name: "owner2"), in: scratch, on: first.ledger)
    // The thief's own run, committed to earlier, now said to be of the owner's model.
    var lie = try first.statement()
    lie.modelDigest = try #require(try run.reader().seal?.modelDigest)
    lie.archiveRoot = SHA256.hash([9])
    lie.archiveID = SHA256.hash([8])
    try run.log(lie.encoded, by: thief)
    let contested = try Judge().verdict(run)
    #expect(contested.answer == .undecided)
    #expect(contested.decisive?.name == .claims)
    #expect(contested.decisive?.code == "contested")
    #expect(contested[.segments]?.status == .passed)
    var judge = Judge()
    judge.change = {
      $0.refutedRivals = [
        RefutedRival(keyID: thief.verifyingKey.keyID, archiveRoot: lie.archiveRoot)
      ]
    }
    let resolved = try judge.verdict(run)
    #expect(resolved.answer == .verified, "\(resolved.summary)")
    #expect(resolved[.claims]?.evidence.first?.contains("does not hold") == true)
    #expect(try Judge(disabled: [.contested]).verdict(run).answer == .verified)
  }

  @Test("only what the rival's own key sealed, and what is refuted, speaks against a rival")
  func rivalNotRefuted() throws {
    let scratch = try Scratch()
    let first = try TestRun(RunPlan(name: "owner"), in: scratch, publishes: false)
    let run = try TestRun(RunPlan(name: "copier"), in: scratch, on: first.ledger)
    // The owner's claim is the older one; the copier would have it set aside.
    var claim = try first.statement()
    claim.modelDigest = try #require(try run.reader().seal?.modelDigest)
    try run.log(claim.encoded, by: first.key)
    func judged(_ path: String, afterRival verdict: Verdict) throws -> Verdict {
      var judge = Judge(isFull: false)
      if let refuted = RefutedRival(verdict) { judge.change = { $0.refutedRivals = [refuted] } }
      return try judge.verdict(run)
    }
    // The owner's records under a seal of the copier's are refuted, and are not the owner's archive.
    let resealed = scratch.file("resealed.pol")
    try copyFolder(first.archive, resealed)
    try Forgery.reseal(resealed, by: run.key)
    let replayed = try Judge(isFull: false, usesLedger: false).verdict(first, at: resealed)
    #expect(replayed.answer == .refuted)
    #expect(replayed.archiveRoot == claim.archiveRoot)
    #expect(try judged(resealed, afterRival: replayed).decisive?.code == "contested")
    // The owner's own archive with a file withheld is not refuted.
    let withheld = scratch.file("withheld.pol")
    try copyFolder(first.archive, withheld)
    try FileManager.default.removeItem(atPath: "\(withheld)/norms")
    let undecided = try Judge(isFull: false, usesLedger: false).verdict(first, at: withheld)
    #expect(undecided.answer == .undecided)
    #expect(RefutedRival(undecided) == nil)
    // What the owner sealed and is false does speak against his claim.
    let own = try Judge(isFull: false).verdict(first)
    #expect(own.answer == .refuted, "\(own.summary)")
    #expect(try judged(first.archive, afterRival: own).answer == .verified)
  }

  @Test("an archive id copied from an older claim does not silence it")
  func copiedArchiveID() throws {
    let scratch = try Scratch()
    let first = try TestRun(RunPlan(name: "owner"), in: scratch)
    let copier = try TestRun(RunPlan(name: "copier"), in: scratch, on: first.ledger)
    var claim = try first.statement()
    claim.modelDigest = try #require(try copier.reader().seal?.modelDigest)
    claim.archiveID = copier.opening.archiveID
    try first.log(claim.encoded, by: first.key)
    let verdict = try Judge(isFull: false).verdict(copier)
    #expect(verdict.decisive?.code == "contested", "\(verdict.summary)")
    #expect(verdict[.claims]?.evidence.contains { $0.contains("replay") } == false)
  }

  @Test("the thief's archive over an older commitment never verifies")
  func thiefNeverVerifies() throws {
    let scratch = try Scratch()
    let first = try TestRun(RunPlan(name: "thief"), in: scratch)
    let run = try TestRun(RunPlan(name: "owner2"), in: scratch, on: first.ledger)
    let path = scratch.file("stolen.pol")
    try copyFolder(run.archive, path)
    // His own opening, committed to before the owner's, over the owner's records.
    let opening = first.opening
    try Forgery.reseal(path, by: thief) {
      $0.opening = OpeningRecord(
        archiveID: run.opening.archiveID, proverKey: opening.proverKey,
        datasetRoot: opening.datasetRoot, datasetCount: opening.datasetCount,
        settingsDigest: opening.settingsDigest, policyDigest: opening.policyDigest,
        runSecret: opening.runSecret, salt: opening.salt, commitment: opening.commitment)
    }
    let reader = try ArchiveReader(try DirectoryObjectSource(path))
    try run.log(try Publication.proof(of: reader, location: "").encoded, by: thief)
    let verdict = try Judge().verdict(run, at: path)
    #expect(verdict.answer == .refuted, "\(verdict.summary)")
    #expect(verdict.decisive?.name == .start)
    for nonce in 0..<10 {
      #expect(
        try Judge(isFull: false, nonceNumber: nonce).verdict(run, at: path).answer == .refuted)
    }
  }

  @Test("a commitment published after the training does not give its run seed")
  func lateCommitment() throws {
    // Trained without a ledger, then committed to and re-bound by the same key.
    var plan = RunPlan(name: "hasty")
    plan.usesLedger = false
    let run = try TestRun(plan, in: owner.scratch, on: owner.ledger)
    let old = run.opening
    let statement = TestRun.commitment(
      datasetRoot: old.datasetRoot, policyDigest: old.policyDigest,
      settingsDigest: old.settingsDigest, runSecret: old.runSecret,
      proverKey: try TestRun.digest(of: run.key), logOrigin: TestRun.origin)
    let entry = try LedgerEntry.signed(statement.encoded, by: run.key)
    let index = try TestRun.first(try owner.ledger.append([entry])).index
    let commitment = try Publication.opening(
      entry: entry, at: index, in: try owner.ledger.view())
    try Forgery.reseal(run.archive, by: run.key) {
      $0.opening = OpeningRecord(
        archiveID: old.archiveID, proverKey: old.proverKey, datasetRoot: old.datasetRoot,
        datasetCount: old.datasetCount, settingsDigest: old.settingsDigest,
        policyDigest: old.policyDigest, runSecret: old.runSecret, salt: old.salt,
        commitment: commitment)
    }
    try run.publish()
    let verdict = try Judge().verdict(owner, at: run.archive)
    #expect(verdict.answer == .refuted, "\(verdict.summary)")
    #expect(verdict.decisive?.name == .start)
  }

  @Test("a proof entry that stands before its commitment is refuted")
  func proofBeforeCommitment() throws {
    // The head that the seed is made from is chosen by the prover's claim; the order is checked apart.
    let run = try TestRun(RunPlan(name: "eager"), publishes: false)
    let later = try TestRun.first(try run.ledger.append([Array("filler".utf8)])).index
    let old = run.opening
    let commitment = try #require(old.commitment)
    try Forgery.reseal(run.archive, by: run.key) {
      $0.opening = OpeningRecord(
        archiveID: old.archiveID, proverKey: old.proverKey, datasetRoot: old.datasetRoot,
        datasetCount: old.datasetCount, settingsDigest: old.settingsDigest,
        policyDigest: old.policyDigest, runSecret: old.runSecret, salt: old.salt,
        commitment: .init(
          logOrigin: commitment.logOrigin, leafHash: commitment.leafHash, index: later.value,
          headSize: later.value + 1, headRoot: try run.ledger.view().head.root))
    }
    try run.publish()
    let verdict = try Judge().verdict(run)
    #expect(verdict.answer == .refuted)
    #expect(verdict.decisive?.name == .commitment)
  }
}
