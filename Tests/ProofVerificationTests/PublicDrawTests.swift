import Cryptography
import Foundation
import MerkleTrees
import ProofPrimitives
import Testing

@testable import ProofArchive
@testable import ProofVerification
@testable import TransparencyLedger

@Suite("Public challenges (verification.md §6, statements.md §8)") struct PublicDrawTests {
  private let run: TestRun
  private let verifier: SigningKey
  private let nonce = SHA256.hash(Array("the verifier's nonce".utf8))

  init() throws {
    run = try TestRun()
    verifier = try RunPlan(name: "verifier").key
  }

  private func proofLeaf() throws -> Digest {
    try run.ledger.view().entry(try #require(run.receipt).index).leafHash
  }

  @discardableResult
  private func challenge(
    _ proof: Digest? = nil, nonce: Digest? = nil, by key: SigningKey? = nil
  ) throws -> LeafIndex {
    let key = key ?? verifier
    let (proof, raw) = (try proof ?? proofLeaf(), try TestRun.digest(of: key))
    let statement = ChallengeStatement(
      logOrigin: run.ledger.origin,
      nonceDigest: ChallengeStatement.nonceDigest(
        key: raw, proof: proof, nonce: nonce ?? self.nonce), proof: proof, proverKey: raw)
    return try run.log(statement.encoded, by: key).index
  }

  private func leaf(_ index: LeafIndex) throws -> Digest {
    try run.ledger.view().entry(index).leafHash
  }

  private func verdict(
    on challenge: Digest, nonce: Digest? = nil, by key: SigningKey? = nil, proof: Digest? = nil
  ) throws -> VerdictStatement {
    VerdictStatement(
      answer: .verified, challenge: challenge, executedCount: 1, logOrigin: run.ledger.origin,
      nonce: nonce ?? self.nonce, policyDigest: .zero, proof: try proof ?? proofLeaf(),
      proverKey: try TestRun.digest(of: key ?? verifier), reason: "", reportDigest: .zero,
      segmentCount: 80)
  }

  private func judge(
    _ index: LeafIndex, nonce: Digest?, disabled: Set<Defence> = []
  ) throws -> Verdict {
    var judge = Judge(isFull: false, disabled: disabled)
    judge.change = {
      $0.challenge = index
      $0.nonce = nonce?.bytes ?? []
    }
    return try judge.verdict(run)
  }

  @Test("the draw comes from proof, challenge, the first head over it, and the nonce")
  func drawn() throws {
    let index = try challenge()
    let first = try run.ledger.view().head
    // Later heads change nothing.
    try run.log(try verdict(on: leaf(index)).encoded, by: verifier)
    let verdict = try judge(index, nonce: nonce)
    #expect(verdict.answer == .verified, "\(verdict.summary)")
    #expect(verdict.coverage.drawName == "public")
    let expected = SegmentDraw.draw(
      verdict.coverage.drawn, of: 80,
      seed: SHA256.hash(
        .publicDraw, try proofLeaf().bytes, try leaf(index).bytes, first.root.bytes, nonce.bytes))
    #expect(Set(verdict.coverage.executedSegments) == Set(expected).union([0, 79]))
    #expect(verdict.coverage.publicDraw?.headSize == first.size.value)
    // Anybody draws the same once the verdict has revealed the nonce.
    let again = try judge(index, nonce: nil)
    #expect(again.coverage.executedSegments == verdict.coverage.executedSegments)
    #expect(again.coverage.nonce == nonce.bytes)
  }

  @Test("a nonce that was not promised, or is not known, draws nothing") func nonces() throws {
    let index = try challenge()
    for other in [SHA256.hash([1]), nil] {
      let verdict = try judge(index, nonce: other)
      #expect(verdict.answer == .undecided, "\(verdict.summary)")
      #expect(verdict[.segments]?.code == "challenge")
      #expect(verdict.coverage.executedSegments.isEmpty)
    }
    let blind = try judge(index, nonce: SHA256.hash([1]), disabled: [.challenge])
    #expect(blind.answer == .verified, "\(blind.summary)")
  }

  @Test("a challenge to another proof draws nothing here") func otherProof() throws {
    var statement = try run.statement()
    statement.location = "https://example.org/other"
    statement.sealDigest = SHA256.hash([4])
    statement.archiveRoot = SHA256.hash([5])
    let other = try run.log(statement.encoded, by: run.key).index
    let index = try challenge(leaf(other))
    let verdict = try judge(index, nonce: nonce)
    #expect(verdict[.segments]?.code == "challenge")
    #expect(try judge(index, nonce: nonce, disabled: [.challenge]).answer == .verified)
    #expect(
      try judge(try #require(run.receipt).index, nonce: nonce)[.segments]?.code == "challenge")
  }

  @Test("challenges are opened by their own verifier's verdict, and listed until then")
  func opened() throws {
    run.ledger.admission = .everything
    let thief = try RunPlan(name: "thief").key
    let (first, second) = (try challenge(), try challenge(nonce: SHA256.hash([2])))
    func list() throws -> [PublicChallenge] {
      PublicChallenge.all(
        in: try run.ledger.view().countedStatements().counting, logOrigin: run.ledger.origin)
    }
    #expect(try list().map(\.index) == [first, second])
    #expect(try list().allSatisfy { $0.verdict == nil })
    // Another's verdict, one with another nonce, one on another proof: none of them opens it.
    try run.log(try verdict(on: leaf(first), by: thief).encoded, by: thief)
    try run.log(try verdict(on: leaf(first), nonce: SHA256.hash([9])).encoded, by: verifier)
    try run.log(
      try verdict(on: leaf(first), proof: SHA256.hash([8])).encoded, by: verifier)
    #expect(try list().allSatisfy { $0.verdict == nil })
    let index = try run.log(try verdict(on: leaf(first)).encoded, by: verifier).index
    #expect(try list().map { $0.verdict?.entry.index } == [index, nil])
    // A challenge to what is no proof is none.
    try challenge(SHA256.hash([7]))
    #expect(try list().count == 2)
    // What a withdrawn key says after its withdrawal does not count.
    let withdrawal = WithdrawalStatement(
      keyID: verifier.verifyingKey.keyID, logOrigin: run.ledger.origin,
      proverKey: try TestRun.digest(of: verifier), reason: .retired)
    try run.log(withdrawal.encoded, by: verifier)
    try challenge(nonce: SHA256.hash([3]))
    try run.log(
      try verdict(on: leaf(second), nonce: SHA256.hash([2])).encoded, by: verifier)
    #expect(try list().map { $0.verdict?.entry.index } == [index, nil])
  }

  @Test("a nonce outlives the process, and is for one proof on one log") func draft() throws {
    let path = run.scratch.file("x.challenge")
    let draft = try ChallengeDraft.open(path, proof: proofLeaf(), logOrigin: "o")
    #expect(try ChallengeDraft.open(path, proof: proofLeaf(), logOrigin: "o").nonce == draft.nonce)
    #expect(try ChallengeDraft.read(path).nonce == draft.nonce)
    #expect(throws: (any Error).self) {
      try ChallengeDraft.open(path, proof: proofLeaf(), logOrigin: "other")
    }
    #expect(throws: (any Error).self) {
      try ChallengeDraft.open(path, proof: .zero, logOrigin: "o")
    }
    let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    #expect(mode == 0o600)
    try writeFile(Array("{}".utf8), path)
    #expect(throws: (any Error).self) { try ChallengeDraft.read(path) }
  }
}
