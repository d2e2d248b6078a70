import Cryptography
import Glibc
import MerkleTrees
import ProofPrimitives
import TransparencyLedger

/// Reads what the clocks say for a command; what cannot be read is told, and changes no other answer.
struct ClocksReport {
  /// Entries of one answer whose clocks are read: each may take some requests.
  static let entryLimit = 8

  private let evidence: TimeEvidence?
  private let output: Output

  init(_ view: LedgerView, _ trust: TimestampTrust?, _ output: Output) {
    self.output = output
    do {
      evidence = try TimeEvidence(view, trust: trust)
    } catch {
      evidence = nil
      ClocksReport.tell(error, output)
    }
  }

  /// - Parameters:
  ///   - heads: Further heads over the entry, whose cosignatures count.
  ///   - tokens: Kept elsewhere; over the entry's leaf hash or one of the heads.
  func clocks(
    of index: LeafIndex, _ leafHash: Digest, heads: [SignedTreeHead] = [],
    tokens: [TimestampToken] = []
  ) -> ClocksText? {
    guard let evidence else { return nil }
    do throws(LedgerError) {
      let clocks = try evidence.clocks(of: index, leafHash: leafHash, notes: heads)
      let own = tokens.map { token in
        let head = heads.first { $0.head.textDigest == token.imprint }
        return evidence.judge(token, over: head?.head.textDigest ?? leafHash)
      }
      return ClocksText(clocks, own)
    } catch {
      ClocksReport.tell(error, output)
      return nil
    }
  }

  private static func tell(_ error: any Error, _ output: Output) {
    let failure = CommandFailure(error)
    output.hint("what the ledger keeps about time cannot be read: \(failure.message)")
  }
}

/// Three clocks of one entry, for people and machines (`spec/time.md` §1).
struct ClocksText {
  private let clocks: EntryClocks
  private let tokens: [TokenFinding]

  /// - Parameter own: Tokens that the ledger does not keep.
  init(_ clocks: EntryClocks, _ own: [TokenFinding]) {
    self.clocks = clocks
    tokens = clocks.tokens + own
  }

  var index: LeafIndex { clocks.index }

  private static let indent = 11
  private static let width = 70

  var lines: [String] {
    var lines = ClocksText.row(
      "order",
      clocks.firstHeadSize.map { "index \(clocks.index), under the head of \($0) entries" }
        ?? "index \(clocks.index); the ledger does not list its first head")
    if clocks.witnesses.isEmpty { lines += ClocksText.row("witnesses", "none was asked for") }
    for witness in clocks.witnesses {
      lines += ClocksText.row(
        "witness",
        "\(clockText(witness.time)) by \(printable(witness.name)), over the head of "
          + "\(witness.headSize) entries")
    }
    if tokens.isEmpty { lines += ClocksText.row("tokens", "none") }
    for token in tokens { lines += ClocksText.row("token", TokenText(token).sentence) }
    return lines
  }

  private static func row(_ name: String, _ text: String) -> [String] {
    wrapped(text, width: width - indent).enumerated().map { position, line in
      let start = position == 0 ? name : ""
      return start + String(repeating: " ", count: indent - start.count) + line
    }
  }

  /// What each clock proves, and what it does not.
  private static let words: [(clock: String, proves: String, not: String)] = [
    (
      "order", "which of two entries this log took first",
      "any date, nor anything across two logs; of two under one head the log alone chose"
    ),
    (
      "witnesses", "that each had seen the head by its time, if that witness is honest",
      "since when the entry existed before"
    ),
    (
      "tokens", "that the digest existed by the token's time, if that authority is honest",
      "since when it existed before, nor any order of entries"
    ),
  ]

  static var meanings: [String] {
    words.flatMap { word in
      row(word.clock, "proves \(word.proves); does not prove \(word.not)")
    }
      + row("", "none says when something was first made: each is the latest moment of its making")
  }

  static var meaningsJSON: JSONValue {
    .array(
      words.map {
        .object([
          .init("clock", .string($0.clock)), .init("proves", .string($0.proves)),
          .init("doesNotProve", .string($0.not)),
        ])
      })
  }

  var json: JSONValue {
    .object([
      .init("index", .int(clocks.index.value)),
      .init("firstHeadSize", clocks.firstHeadSize.map { .int($0.value) } ?? .int(-1)),
      .init(
        "witnesses",
        .array(
          clocks.witnesses.map {
            .object([
              .init("name", .string(printable($0.name))), .init("time", .int($0.time)),
              .init("headSize", .int($0.headSize.value)),
            ])
          })),
      .init("tokens", .array(tokens.map { TokenText($0).json })),
    ])
  }
}

/// One token in words.
struct TokenText {
  private let finding: TokenFinding

  init(_ finding: TokenFinding) { self.finding = finding }

  /// `head 5`, `entry 3`, or how a token came that the ledger does not keep.
  var subject: String {
    switch finding.subject {
    case .head(let size): "over the head of \(size) entries"
    case .entry: "over the entry"
    case .token: "over another token"
    case nil: "given"
    }
  }

  /// `2026-11-23T10:00:00Z ± 1.5 s`, by the authority's own word.
  static func time(_ token: TimestampToken) -> String {
    let accuracy = token.accuracyMicroseconds.map { microseconds in
      let seconds = fixed(Double(microseconds) / 1_000_000, 6)
      var short = Substring(seconds)
      while short.hasSuffix("0") { short = short.dropLast() }
      return " ± \(short.hasSuffix(".") ? short.dropLast() : short) s"
    }
    return clockText(token.time) + (accuracy ?? "")
  }

  var sentence: String {
    let time = finding.token.map { TokenText.time($0) } ?? "no time"
    switch finding.outcome {
    case .named: return "\(time), \(subject); not judged: no authority is trusted (--tsa-ca)"
    case .refused(let error):
      return "\(time), \(subject); counts for nothing: \(printable(error.message))"
    case .holds(let held):
      return "\(time) by \(held.authority), \(subject)"
        + (held.renewals == 0 ? "" : "; renewed \(held.renewals) times")
        + "; \(TokenText.end(held))"
    }
  }

  static func end(_ held: TokenFinding.Held) -> String {
    let end = clockText(held.validUntil)
    let revocation =
      held.notRevokedUntil.map { "not revoked up to \(clockText($0))" }
      ?? "revocation is not known"
    guard held.validUntil > Int64(Glibc.time(nil)) else {
      return "its certificates ended at \(end), and whoever got the key since could have made it; "
        + revocation
    }
    return "to be renewed before \(end); \(revocation)"
  }

  var json: JSONValue {
    var members: [JSONValue.Member] = [
      .init("digest", .string(finding.digest.hex)), .init("subject", .string(subjectKind)),
      .init("subjectSize", .int(subjectNumber)),
      .init("time", .int(finding.token?.time ?? -1)),
      .init("accuracyMicroseconds", .int(finding.token?.accuracyMicroseconds ?? -1)),
      .init("policy", .string(finding.token?.policy ?? "")),
      .init("serial", .string(Hex.encode(finding.token?.serial ?? []))),
    ]
    switch finding.outcome {
    case .named: members.append(.init("outcome", .string("notJudged")))
    case .refused(let error):
      members += [
        .init("outcome", .string(error.code.name)), .init("message", .string(error.message)),
      ]
    case .holds(let held):
      members += [
        .init("outcome", .string("holds")), .init("authority", .string(held.authority)),
        .init("validUntil", .int(held.validUntil)),
        .init("notRevokedUntil", .int(held.notRevokedUntil ?? -1)),
        .init("renewals", .int(held.renewals)),
      ]
    }
    return .object(members)
  }

  private var subjectKind: String {
    switch finding.subject {
    case .head: "head"
    case .entry: "entry"
    case .token: "token"
    case nil: "given"
    }
  }

  private var subjectNumber: Int64 {
    switch finding.subject {
    case .head(let size): Int64(clamping: size.value)
    case .entry(let index): Int64(clamping: index.value)
    case .token, nil: -1
    }
  }
}
