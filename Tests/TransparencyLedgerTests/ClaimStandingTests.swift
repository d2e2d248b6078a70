import Cryptography
import MerkleTrees
import ProofPrimitives
import Testing

@testable import TransparencyLedger

@Suite("Hidden commitments and precedence (statements.md §3, §11)") struct ClaimStandingTests {
  private let scratch: ScratchFolder
  private let log: LocalLedger
  private let owner: SigningKey
  private let thief: SigningKey
  private let salt = testDigest(90)

  init() throws {
    scratch = try ScratchFolder()
    log = try newLedger(scratch)
    (owner, thief) = (try testKey(2), try testKey(3))
  }

  private func hiding(
    _ digest: Digest, by key: SigningKey, as maker: SigningKey? = nil
  ) throws -> [UInt8] {
    let statement = HiddenStatement(
      hidingDigest: HidingDigest.of(
        key: try keyDigest(maker ?? key), logOrigin: testOrigin, kind: ProofStatement.predicateType,
        salt: salt, digest: digest),
      logOrigin: testOrigin, proverKey: try keyDigest(key))
    return try LedgerEntry.signed(statement.encoded, by: key)
  }

  private func opened(
    _ statement: ProofStatement, hidden: [UInt8], by key: SigningKey
  ) throws -> [UInt8] {
    var statement = statement
    statement.opening = StatementOpening(hidden: MerkleTree.leafHash(of: hidden), salt: salt)
    return try LedgerEntry.signed(statement.encoded, by: key)
  }

  private func standing(_ index: LeafIndex) throws -> ClaimStanding {
    let located = try log.view().allEntries().compactMap { entry in
      LedgerEntry.parse(entry.bytes).signed.map {
        LocatedStatement(index: entry.index, leafHash: entry.leafHash, signed: $0)
      }
    }
    let claim = try #require(located.first { $0.index == index })
    return ClaimStanding(of: claim, logOrigin: testOrigin) { leafHash in
      located.first { $0.leafHash == leafHash }
    }
  }

  private func append(_ entry: [UInt8]) throws -> LeafIndex {
    try #require(try log.append([entry]).first).index
  }

  @Test("thief first: the owner's hidden entry is older than a statement that was seen in flight")
  func seenInFlight() throws {
    let statement = try proofStatement(model: 1, key: owner)
    let hidden = try hiding(statement.unopenedDigest, by: owner)
    let hiddenAt = try append(hidden)
    // He sees the owner's statement on its way, and is faster.
    let stolen = try append(
      LedgerEntry.signed(proofStatement(model: 1, key: thief).encoded, by: thief))
    let openedAt = try append(opened(statement, hidden: hidden, by: owner))
    #expect(stolen < openedAt)
    #expect(try standing(openedAt).opening == .valid(hiddenAt: hiddenAt))
    #expect(try standing(openedAt).committedAt < standing(stolen).committedAt)
  }

  @Test("a hidden entry that a thief copied opens to nothing under his key") func copied() throws {
    let statement = try proofStatement(model: 1, key: owner)
    let hidden = try hiding(statement.unopenedDigest, by: owner)
    _ = try append(hidden)
    let copy = try hiding(statement.unopenedDigest, by: thief, as: owner)
    let copiedAt = try append(copy)
    _ = try append(opened(statement, hidden: hidden, by: owner))
    // The salt is public by now.
    let his = try proofStatement(model: 1, key: thief)
    for (named, expected) in [(copy, "openingMismatch"), (hidden, "otherKey")] {
      let entry = try opened(his, hidden: named, by: thief)
      #expect(code { _ = try append(entry) } == expected)
    }
    // A log that takes it all the same changes nothing for whoever judges.
    let signed = try #require(
      LedgerEntry.parse(try opened(his, hidden: copy, by: thief)).signed)
    let entry = try log.view().entry(copiedAt)
    let found = LocatedStatement(
      index: copiedAt, leafHash: entry.leafHash,
      signed: try #require(LedgerEntry.parse(entry.bytes).signed))
    let judged = ClaimStanding(
      of: LocatedStatement(index: LeafIndex(9), leafHash: .zero, signed: signed),
      logOrigin: testOrigin
    ) { _ in found }
    #expect(judged.committedAt == LeafIndex(9))
    if case .invalid = judged.opening {} else { Issue.record("the copy opened") }
  }

  @Test(
    "an opening counts for nothing when its hidden entry is later, another's, or hides something else",
    arguments: ["later", "otherKey", "otherStatement", "otherOrigin", "none"])
  func invalid(fault: String) throws {
    let statement = try proofStatement(model: 1, key: owner)
    let hides = fault == "otherStatement" ? testDigest(1) : statement.unopenedDigest
    let hidden = try hiding(hides, by: fault == "otherKey" ? thief : owner)
    let signed = try #require(
      LedgerEntry.parse(try opened(statement, hidden: hidden, by: owner)).signed)
    let found = LocatedStatement(
      index: LeafIndex(fault == "later" ? 7 : 2), leafHash: MerkleTree.leafHash(of: hidden),
      signed: try #require(LedgerEntry.parse(hidden).signed))
    let judged = ClaimStanding(
      of: LocatedStatement(index: LeafIndex(5), leafHash: .zero, signed: signed),
      logOrigin: fault == "otherOrigin" ? "example.org/other" : testOrigin
    ) { $0 == found.leafHash && fault != "none" ? found : nil }
    #expect(judged.committedAt == LeafIndex(5))
    if case .invalid = judged.opening {} else { Issue.record("valid: \(fault)") }
  }

  @Test("a run commitment counts for its own key, and before the proof only") func runCommitment()
    throws
  {
    let mine = try commitmentEntry(1, key: owner)
    let his = try commitmentEntry(2, key: thief)
    _ = try log.append([mine, his])
    func claim(_ commitment: [UInt8], _ model: Int) throws -> LeafIndex {
      var statement = try proofStatement(model: model, key: owner)
      statement.commitment = MerkleTree.leafHash(of: commitment)
      return try append(LedgerEntry.signed(statement.encoded, by: owner))
    }
    #expect(try standing(claim(mine, 1)).runCommitment == LeafIndex(0))
    #expect(try standing(claim(his, 2)).runCommitment == nil)
    let late = try commitmentEntry(3, key: owner)
    let early = try claim(late, 3)
    _ = try append(late)
    #expect(try standing(early).runCommitment == nil)
  }

  @Test("nothing can be read from a hidden entry, and every part of it counts") func binding()
    throws
  {
    let (key, digest) = (try keyDigest(owner), testDigest(5))
    func made(
      _ key: Digest, _ origin: String, _ kind: String, _ salt: Digest, _ digest: Digest
    ) -> Digest {
      HidingDigest.of(key: key, logOrigin: origin, kind: kind, salt: salt, digest: digest)
    }
    let kind = ProofStatement.predicateType
    let all = [
      made(key, testOrigin, kind, salt, digest),
      made(try keyDigest(thief), testOrigin, kind, salt, digest),
      made(key, testOrigin + "x", kind, salt, digest),
      made(key, testOrigin, ProofPartStatement.predicateType, salt, digest),
      made(key, testOrigin, kind, testDigest(91), digest),
      made(key, testOrigin, kind, salt, testDigest(6)),
    ]
    #expect(Set(all).count == all.count)
    let entry = try hiding(digest, by: owner)
    let text = String(
      decoding: try #require(LedgerEntry.parse(entry).signed).envelope.payload, as: UTF8.self)
    #expect(!text.contains(digest.hex) && !text.contains("proof"))
  }

  @Test("statements about statements are found by what they name") func claims() throws {
    let statement = try proofStatement(model: 1, key: owner)
    let hidden = try hiding(statement.unopenedDigest, by: owner)
    _ = try append(hidden)
    let proof = try opened(statement, hidden: hidden, by: owner)
    _ = try append(proof)
    let leaf = MerkleTree.leafHash(of: proof)
    let key = try keyDigest(owner)
    let later: [[UInt8]] = [
      ProofPartStatement(
        logOrigin: testOrigin, proof: leaf, proverKey: key, tensors: [testDigest(800)]
      ).encoded,
      ChallengeStatement(
        logOrigin: testOrigin,
        nonceDigest: ChallengeStatement.nonceDigest(key: key, proof: leaf, nonce: .zero),
        proof: leaf, proverKey: key
      ).encoded,
      WithdrawalStatement(
        keyID: owner.verifyingKey.keyID, logOrigin: testOrigin, proverKey: key, reason: .retired
      ).encoded,
    ]
    for one in later { _ = try append(LedgerEntry.signed(one, by: owner)) }
    let questions: [(Claim, [UInt64])] = [
      (Claim(.opens, MerkleTree.leafHash(of: hidden)), [1]),
      (Claim(.seal, statement.sealDigest), [1]), (Claim(.proof, leaf), [2, 3]),
      (Claim(.tensor, testDigest(800)), [2]), (Claim(.withdrawal, key), [4]),
      (Claim(.proverKey, key), [0, 1, 2, 3, 4]),
    ]
    let (view, index) = (try log.view(), try ClaimIndex(directory: scratch.ledger))
    for (claim, expected) in questions {
      #expect(try view.lookup([claim]).map(\.index.value) == expected, "\(claim)")
      #expect(try index.lookup([claim], in: view).map(\.index.value) == expected, "\(claim)")
    }
    #expect(code { _ = try append(try commitmentEntry(1, key: owner)) } == "withdrawnKey")
    let batch = [
      try LedgerEntry.signed(
        WithdrawalStatement(
          keyID: thief.verifyingKey.keyID, logOrigin: testOrigin, proverKey: keyDigest(thief),
          reason: .compromised
        ).encoded, by: thief),
      try commitmentEntry(1, key: thief),
    ]
    #expect(code { _ = try log.append(batch) } == "withdrawnKey")
    #expect(try log.append([batch[1], batch[0]]).count == 2)
  }
}

@Suite("Overlap of claims (statements.md §11)") struct ClaimOverlapTests {
  /// The smallest digests of a run with these chunks.
  private func sketch(_ chunks: Range<Int>) -> [Digest] {
    Array(chunks.map { testDigest($0) }.sorted().prefix(ProofStatement.sketchLimit))
  }

  @Test(
    "the estimate's interval holds the true share",
    arguments: [(0, 5000), (2500, 7500), (4000, 9000), (0, 20_000), (5000, 10_000)])
  func estimate(other: (Int, Int)) throws {
    let share = try #require(SketchShare(of: sketch(0..<5000), in: sketch(other.0..<other.1)))
    let truth = Double(max(0, min(5000, other.1) - other.0)) / 5000
    #expect(share.interval.contains(truth), "\(share.interval) for \(truth)")
    #expect(!share.isExact && share.interval.upperBound - share.interval.lowerBound > 0.03)
  }

  @Test("a run that is a beginning of another has all its chunks there") func truncated() throws {
    let share = try #require(SketchShare(of: sketch(0..<500), in: sketch(0..<1000)))
    #expect(share.shared == share.compared && share.share == 1)
  }

  @Test("nearly all intervals hold the true share, whatever chance gives") func coverage() throws {
    let held = try (0..<40).count { trial in
      let start = 100_000 + trial * 1500
      let first = sketch(start..<start + 1000)
      let share = try #require(SketchShare(of: first, in: sketch(start + 500..<start + 1500)))
      return share.interval.contains(0.5)
    }
    // 38 of 40 are expected.
    #expect(held >= 34)
  }

  @Test("small runs are counted, and nothing is said of nothing") func exact() throws {
    let share = try #require(SketchShare(of: sketch(0..<10), in: sketch(5..<30)))
    #expect(share.isExact && share.shared == 5 && share.compared == 10)
    #expect(share.interval == 0.5...0.5)
    #expect(SketchShare(of: [], in: sketch(0..<5)) == nil)
    #expect(SketchShare(of: sketch(0..<5), in: []) == nil)
  }

  @Test("tensors, checkpoints, and a model that stands on another's way") func parts() {
    let d = testDigest
    let whole = ClaimedParts(
      model: d(3), checkpointWeights: [d(1), d(2), d(3)], tensors: [d(10), d(11), d(12)])
    let cut = ClaimedParts(model: d(2), checkpointWeights: [d(1), d(2)], tensors: [d(12), d(13)])
    let overlap = ClaimOverlap(of: cut, in: whole)
    #expect(overlap.tensorsShared == 1 && overlap.tensorCount == 2)
    #expect(overlap.checkpointsShared == 2)
    #expect(overlap.isIntermediateOfOther && !overlap.hasOthersModel)
    #expect(ClaimOverlap(of: whole, in: cut).hasOthersModel)
    #expect(!ClaimOverlap(of: whole, in: whole).isIntermediateOfOther)
    let stranger = ClaimedParts(model: d(99), tensors: [d(98)])
    #expect(ClaimOverlap(of: cut, in: stranger).isEmpty)
    #expect(cut.claims.contains(Claim(.checkpointWeights, d(2))))
  }
}
