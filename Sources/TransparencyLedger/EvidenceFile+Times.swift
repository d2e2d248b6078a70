import Cryptography
import MerkleTrees
import ProofPrimitives

extension LedgerView {
  /// Tokens that the ledger keeps for an entry, oldest of each series first, with what they are judged by; and the
  /// receipts under the heads that they are over.
  ///
  /// Nothing is judged. What cannot be read, or is over something else, is left out: readers would refuse the file.
  func keptTimes(
    of index: LeafIndex, leafHash: Digest, limit: Int
  ) throws(LedgerError) -> (times: [EvidenceFile.Time], receipts: [LogProof]) {
    guard let kept = try source.timeIndex() else { return ([], []) }
    var times: [EvidenceFile.Time] = []
    for token in kept.tokens(of: .entry(index)) {
      times += series(token, over: leafHash, kept, limit: limit - times.count)
    }
    // The smallest head says the most.
    guard let size = kept.heads(covering: index).first, size <= head.size else {
      return (times, [])
    }
    var receipts: [LogProof] = []
    var stamped = signedHead
    if size < head.size {
      guard let line = try history().first(where: { $0.size == size }) else { return (times, []) }
      stamped = try line.signedHead(by: verifierKey)
      receipts = [
        try LedgerView(source: source, verifierKey: verifierKey, signedHead: stamped).receipt(index)
      ]
    }
    let count = times.count
    for token in kept.tokens(of: .head(size)) {
      times += series(
        token, over: SHA256.hash(stamped.note.text), kept, limit: limit - times.count)
    }
    return (times, times.count > count ? receipts : [])
  }

  /// A token and those that renew it, each over the one before.
  private func series(
    _ first: Digest, over imprint: Digest, _ kept: TimeIndex, limit: Int
  ) -> [EvidenceFile.Time] {
    var times: [EvidenceFile.Time] = []
    var next: Digest? = first
    var imprint = imprint
    while let digest = next, times.count < limit,
      let bytes = file(.token(digest), TimestampToken.byteLimit),
      let token = try? TimestampToken(der: bytes), token.imprint == imprint
    {
      let attachments = EvidenceFile.attachmentLimit
      times.append(
        EvidenceFile.Time(
          token: bytes,
          certificates: kept.certificates(of: digest).prefix(attachments).compactMap {
            file(.certificate($0), TimestampToken.byteLimit)
          },
          revocationLists: kept.revocationLists(of: digest).prefix(attachments).compactMap {
            file(.revocationList($0), EvidenceFile.Time.listByteLimit)
          }))
      imprint = digest
      next = kept.tokens(of: .token(digest)).first
    }
    return times
  }

  /// The bytes that a digest names; nil when they are not to be had.
  private func file(_ path: TimePath, _ limit: Int) -> [UInt8]? {
    let digest: Digest =
      switch path {
      case .token(let digest), .certificate(let digest), .revocationList(let digest): digest
      }
    guard let bytes = (try? source.read(path: path.path, limit: limit)) ?? nil,
      SHA256.hash(bytes) == digest
    else { return nil }
    return bytes
  }
}
