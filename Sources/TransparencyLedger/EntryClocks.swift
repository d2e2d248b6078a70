package import Cryptography
package import MerkleTrees
package import ProofPrimitives

/// What one token says, and what of it holds.
package struct TokenFinding: Sendable {
  package enum Outcome: Sendable {
    /// No roots were chosen: it is named, and not judged.
    case named
    /// It holds, with the renewals that hold.
    case holds(Held)
    case refused(TimestampError)
  }

  package struct Held: Sendable {
    /// The first token's.
    package let authority: String
    /// When the newest token's certificates end: until then it can be renewed.
    package let validUntil: Int64
    /// Of the newest one; nil where lists do not say.
    package let notRevokedUntil: Int64?
    package let renewals: Int
    /// What a further renewal is over.
    package let newest: TimestampToken
  }

  /// Of a token that lies nowhere in the ledger: nil.
  package let subject: TimeSubject?
  package let digest: Digest
  /// Nil when the token cannot be read.
  package let token: TimestampToken?
  package let outcome: Outcome

  package var holds: Bool { if case .holds = outcome { true } else { false } }
}

extension TokenFinding {
  /// Judges tokens that are at hand.
  ///
  /// - Parameter tokens: The oldest first, each next a renewal of the one before; at least one.
  package init(
    judging tokens: [TimestampToken], over imprint: Digest, _ trust: TimestampTrust?,
    subject: TimeSubject? = nil
  ) {
    let first = tokens.first
    self.subject = subject
    digest = SHA256.hash(first?.der ?? [])
    token = first
    do throws(TimestampError) {
      guard let first else { throw .badToken("there is no token") }
      guard first.imprint == imprint else { throw .otherImprint(first, imprint) }
      guard let trust else {
        outcome = .named
        return
      }
      var series = try TimestampSeries(first, over: imprint, trust)
      for token in tokens.dropFirst() { try series.renew(by: token, trust) }
      outcome = TokenFinding.outcome(series)
    } catch {
      outcome = .refused(error)
    }
  }

  fileprivate static func outcome(_ series: TimestampSeries) -> Outcome {
    .holds(
      Held(
        authority: series.first.standing.authority, validUntil: series.validUntil,
        notRevokedUntil: series.newest.standing.notRevokedUntil,
        renewals: series.links.count - 1, newest: series.newest.token))
  }
}

/// What the three clocks say of one entry (`spec/time.md` §1).
package struct EntryClocks: Sendable {
  package struct Witnessed: Sendable {
    /// As the reader's policy calls it.
    package let name: String
    /// Seconds since 1970, on the witness's clock.
    package let time: Int64
    package let headSize: TreeSize
  }

  package let index: LeafIndex
  /// The first published head that covers the entry; nil where the log's history does not say.
  package let firstHeadSize: TreeSize?
  package let witnesses: [Witnessed]
  package let tokens: [TokenFinding]
}

/// Reads what a ledger keeps about time. Everything is checked under the view's head and the reader's roots; what
/// the ledger withholds only makes the answer poorer.
package final class TimeEvidence {
  /// Tokens that are read for one entry: whoever serves the ledger may list any number.
  static let tokenLimit = 16

  private let view: LedgerView
  private let trust: TimestampTrust?
  private let index: TimeIndex
  private let history: [PublishedHead]?
  private var files: [TimePath: [UInt8]] = [:]
  private var headDigests: [TreeSize: Digest] = [:]

  /// - Parameter trust: Whom the reader believes; nil names tokens without judging them.
  package init(_ view: LedgerView, trust: TimestampTrust?) throws(LedgerError) {
    self.view = view
    self.trust = trust
    index = try view.source.timeIndex() ?? TimeIndex()
    history = try? view.history()
  }

  /// - Parameter notes: Further heads that cover the entry, such as a receipt's: their cosignatures count too. Their
  ///   signatures were checked.
  package func clocks(
    of entry: LeafIndex, leafHash: Digest, notes: [SignedTreeHead] = []
  ) throws(LedgerError) -> EntryClocks {
    EntryClocks(
      index: entry, firstHeadSize: history?.first { $0.size.contains(entry) }?.size,
      witnesses: try witnesses(notes + [view.signedHead]),
      tokens: try tokens(of: entry, leafHash))
  }

  /// Every token of a head or an entry under the view, judged.
  package func all() throws(LedgerError) -> [TokenFinding] {
    var found: [TokenFinding] = []
    for case .token(let subject, let digest) in index.lines {
      switch subject {
      case .head(let size):
        guard size <= view.head.size else { continue }
        found.append(try judge(digest, subject, over: try headDigest(size)))
      case .entry(let entry):
        guard view.head.size.contains(entry) else { continue }
        let (leafHash, _) = try view.inclusionProof(index: entry, size: view.head.size)
        found.append(try judge(digest, subject, over: leafHash))
      case .token: continue
      }
    }
    return found
  }

  /// Of each witness the earliest time under any of the heads.
  private func witnesses(
    _ heads: [SignedTreeHead]
  ) throws(LedgerError) -> [EntryClocks.Witnessed] {
    guard let policy = view.policy else { return [] }
    var found: [Int: EntryClocks.Witnessed] = [:]
    for head in heads {
      for line in try policy.evaluate(head.note).cosigned {
        let time = Int64(line.time)
        if let earlier = found[line.witness], earlier.time <= time { continue }
        found[line.witness] = .init(
          name: String(decoding: policy.witnesses[line.witness].name, as: UTF8.self), time: time,
          headSize: head.head.size)
      }
    }
    return found.sorted { $0.key < $1.key }.map(\.value)
  }

  /// The entry's own tokens, and those of the smallest head over it that has one that holds.
  private func tokens(
    of entry: LeafIndex, _ leafHash: Digest
  ) throws(LedgerError) -> [TokenFinding] {
    var left = TimeEvidence.tokenLimit
    var found: [TokenFinding] = []
    for token in index.tokens(of: .entry(entry)).prefix(left) {
      found.append(try judge(token, .entry(entry), over: leafHash))
    }
    left -= found.count
    for size in index.heads(covering: entry) where size <= view.head.size {
      let tokens = index.tokens(of: .head(size)).prefix(left)
      if tokens.isEmpty { break }
      var isDated = false
      for token in tokens {
        let finding = try judge(token, .head(size), over: try headDigest(size))
        found.append(finding)
        isDated = isDated || finding.holds || trust == nil
      }
      left -= tokens.count
      if isDated { break }
    }
    return found
  }

  /// SHA-256 of the text of the head of this size, its root computed under the view's own head.
  private func headDigest(_ size: TreeSize) throws(LedgerError) -> Digest {
    if let known = headDigests[size] { return known }
    let digest =
      view.head.size == size
      ? view.head.textDigest
      : TreeHead(origin: view.head.origin, size: size, root: try view.root(at: size)).textDigest
    headDigests[size] = digest
    return digest
  }

  /// Judges a token of the ledger, with its renewals.
  private func judge(
    _ digest: Digest, _ subject: TimeSubject, over imprint: Digest
  ) throws(LedgerError) -> TokenFinding {
    var token: TimestampToken?
    do throws(TimestampError) {
      let read = try TimestampToken(der: try bytes(.token(digest), TimestampToken.byteLimit))
      token = read
      guard read.imprint == imprint else { throw .otherImprint(read, imprint) }
      guard trust != nil else {
        return TokenFinding(subject: subject, digest: digest, token: read, outcome: .named)
      }
      var series = try TimestampSeries(read, over: imprint, trust(for: digest))
      renew(&series, digest)
      return TokenFinding(
        subject: subject, digest: digest, token: read, outcome: TokenFinding.outcome(series))
    } catch {
      return TokenFinding(
        subject: subject, digest: digest, token: token, outcome: .refused(error))
    }
  }

  /// Follows the renewals that hold; one that does not is as if it were not there.
  private func renew(_ series: inout TimestampSeries, _ digest: Digest) {
    var digest = digest
    while series.links.count < TimeEvidence.tokenLimit {
      let next = index.tokens(of: .token(digest)).prefix(4).first { candidate in
        guard let der = try? bytes(.token(candidate), TimestampToken.byteLimit),
          let token = try? TimestampToken(der: der)
        else { return false }
        do throws(TimestampError) {
          try series.renew(by: token, trust(for: candidate))
          return true
        } catch {
          return false
        }
      }
      guard let next else { return }
      digest = next
    }
  }

  /// The reader's roots, and what the ledger keeps for this token: certificates between, which are no roots, and
  /// revocation lists, which their issuers signed. A file that cannot be read says nothing.
  private func trust(for token: Digest) -> TimestampTrust {
    var trust = trust ?? TimestampTrust(roots: [])
    for file in index.certificates(of: token).prefix(TimeEvidence.tokenLimit) {
      guard let der = try? bytes(.certificate(file), TimestampToken.byteLimit),
        (try? CertificateFile.parse(der, .certificates)) != nil
      else { continue }
      trust.intermediates.append(der)
    }
    for file in index.revocationLists(of: token).prefix(TimeEvidence.tokenLimit) {
      guard let der = try? bytes(.revocationList(file), CertificateFile.byteLimit),
        (try? CertificateFile.parse(der, .revocationLists)) != nil
      else { continue }
      trust.revocationLists.append(der)
    }
    return trust
  }

  /// Judges a token that somebody else kept, such as beside a receipt.
  package func judge(_ token: TimestampToken, over imprint: Digest) -> TokenFinding {
    TokenFinding(judging: [token], over: imprint, trust)
  }

  /// The file, if its bytes are those that its name says.
  private func bytes(_ path: TimePath, _ limit: Int) throws(TimestampError) -> [UInt8] {
    if let known = files[path] { return known }
    let read: [UInt8]?
    do throws(LedgerError) { read = try view.source.read(path: path.path, limit: limit) } catch {
      throw TimestampError(.unanswered, error.message, remedy: error.remedy)
    }
    let bytes = read ?? []
    let isSame =
      switch path {
      case .token(let digest), .certificate(let digest), .revocationList(let digest):
        SHA256.hash(bytes) == digest
      }
    guard isSame else {
      throw TimestampError(
        .badToken, "the ledger does not serve \(path.path), or not as it was",
        remedy: "try again later; the log's owner can restore it")
    }
    files[path] = bytes
    return bytes
  }
}

extension TreeHead {
  /// What a token over the head is over: SHA-256 of the note's text, final newline included.
  package var textDigest: Digest { SHA256.hash(text) }
}
