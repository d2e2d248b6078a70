internal import Cryptography
internal import MerkleTrees
internal import ProofArchive
internal import ProofPrimitives
internal import TransparencyLedger

extension Verifier {
  /// What the segments are drawn from (`spec/verification.md` §6): the nonce alone, or the challenge that the
  /// options name.
  func drawSeed(_ seal: Seal) throws(CheckStop) -> Digest {
    guard let index = options.challenge else {
      return SegmentDraw.seed(
        archiveRoot: seal.archiveRoot, sealDigest: seal.digest, nonce: coverage.nonce)
    }
    let (challenge, nonce) = try challenge(at: index)
    guard let ledger else { throw badChallenge("there is no ledger", "give --ledger") }
    let first = try asking { () throws(LedgerError) in try ledger.firstHead(covering: index) }
    self.challenge = challenge
    coverage.nonce = nonce.bytes
    coverage.publicDraw = PublicDraw(
      proof: challenge.statement.proof, challenge: challenge.entry.leafHash,
      challengeIndex: index.value, keyID: challenge.entry.signed.key.keyID,
      headSize: first.head.size.value, headRoot: first.head.root)
    return SegmentDraw.publicSeed(
      proof: challenge.statement.proof, challenge: challenge.entry.leafHash,
      headRoot: first.head.root, nonce: nonce.bytes)
  }

  /// The challenge, which is to this archive's own proof, and the nonce that it promised.
  private func challenge(
    at index: LeafIndex
  ) throws(CheckStop) -> (challenge: PublicChallenge, nonce: Digest) {
    guard isLedgerSound, let ledger else {
      throw badChallenge("the ledger cannot be relied on", "see the ledger check")
    }
    let all = PublicChallenge.all(in: entries, logOrigin: ledger.head.origin)
    guard let challenge = all.first(where: { $0.index == index }) else {
      throw badChallenge(
        "entry \(index) is no challenge that counts", "find them with `pol ledger challenges`")
    }
    if isOn(.challenge), !proofEntries.contains(where: { $0.leafHash == challenge.statement.proof })
    {
      throw badChallenge(
        "the challenge at index \(index) is to another proof, not to this archive's",
        "verify the archive whose proof was challenged")
    }
    guard let nonce = Digest(options.nonce) ?? challenge.verdict?.statement.nonce else {
      throw badChallenge(
        "nobody has revealed the nonce of the challenge at index \(index)",
        "give it with --nonce, if the challenge is yours")
    }
    if isOn(.challenge), !challenge.opens(with: nonce) {
      throw badChallenge(
        "the nonce is not the one that the challenge at index \(index) promised",
        "give the file that `pol challenge` wrote")
    }
    return (challenge, nonce)
  }

  private func badChallenge(_ message: String, _ remedy: String) -> CheckStop {
    .undecided(message, code: "challenge", remedy: remedy)
  }
}
