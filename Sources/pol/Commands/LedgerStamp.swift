import ArgumentParser
import ChunkStorage
import Cryptography
import Glibc
import LedgerService
import MerkleTrees
import ProofPrimitives
import TransparencyLedger

struct LedgerStamp: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stamp", abstract: "Have heads and entries of your ledger time-stamped.",
    discussion: """
      Asks an authority (RFC 3161) for a token over the newest published head, which dates all entries under \
      it, and over the entries that are named. Tokens are kept in DIR/time, for every reader, with the \
      certificates and revocation lists that are given. A service may run on the ledger meanwhile.

      With --renew it says until when each token can be relied on, and has those renewed whose \
      certificates end soon: the new token is over the old one. Without --authority it only says it.

      Example:
        pol ledger stamp ledger --authority http://tsa.example.org --tsa-ca root.pem
        pol ledger stamp ledger --renew --within 90 --tsa-ca root.pem \\
          --authority http://tsa.example.org
      """)

  @Argument(help: ArgumentHelp("The ledger's folder.", valueName: "dir"))
  var directory: String
  @OptionGroup var authorityOptions: TimeAuthorityOptions
  @OptionGroup var trustOptions: TimeTrustOptions
  @Option(help: ArgumentHelp("Stamp this entry too; may be repeated.", valueName: "index"))
  var entry: [UInt64] = []
  @Option(
    help: ArgumentHelp("Stamp the entry of this receipt too; may be repeated.", valueName: "file"))
  var receipt: [String] = []
  @Flag(help: "Renew tokens instead.")
  var renew = false
  @Option(help: ArgumentHelp("Renew what ends in this time.", valueName: "days"))
  var within = 90
  @OptionGroup var reporting: Reporting

  func validate() throws {
    guard renew || authorityOptions.authority != nil else {
      throw ValidationError("--authority is missing")
    }
    guard !renew || (entry.isEmpty && receipt.isEmpty) else {
      throw ValidationError("--renew is for tokens that are there: not with --entry or --receipt")
    }
    guard !renew || !trustOptions.tsaCa.isEmpty else {
      throw ValidationError("--renew needs --tsa-ca: what ends when depends on whom you believe")
    }
    guard (1...36_500).contains(within) else {
      throw ValidationError("--within is a number of days from 1 to 36,500")
    }
  }

  func run() throws {
    try reporting.run { output in
      let authority = try authorityOptions.open()
      let trust = try trustOptions.trust()
      let access = try LedgerAccess(directory, key: nil)
      let store = try TokenStore(directory: directory)
      if renew {
        return try renew(access.view, trust, TokenRenewal(store, authority, trust, output), output)
      }
      guard let authority else { return 1 }
      try stamp(access.view, authority, trust, store, output)
      return 0
    }
  }

  private func stamp(
    _ view: LedgerView, _ authority: TimeAuthority, _ trust: TimestampTrust?, _ store: TokenStore,
    _ output: Output
  ) throws {
    var subjects: [(subject: TimeSubject, imprint: Digest)] = []
    if view.head.size > .zero {
      subjects.append((.head(view.head.size), view.head.textDigest))
    } else {
      output.hint("the ledger is empty: its head is not worth a token")
    }
    for index in try entry.map({ LeafIndex($0) }) + receipt.map({ try entryIndex($0, view) }) {
      subjects.append((.entry(index), try view.entry(index).leafHash))
    }
    var stored: [JSONValue] = []
    for (subject, imprint) in subjects {
      let (token, standing) = try askedToken(over: imprint, authority, trust, output)
      try store.add(
        token, for: subject, certificates: standing?.certificates ?? [],
        revocationLists: try trustOptions.revocationLists())
      let text = TokenText(
        TokenFinding(judging: [token], over: imprint, trust, subject: subject))
      output.rows([
        ("stamped", subject.words), ("time", TokenText.time(token)),
        ("authority", standing?.authority ?? "not judged: no authority is trusted (--tsa-ca)"),
        ("token", TimePath.token(SHA256.hash(token.der)).path),
      ])
      stored.append(text.json)
    }
    output.document("pol-ledger-stamp/1", [("stored", .array(stored))])
  }

  private func entryIndex(_ path: String, _ view: LedgerView) throws -> LeafIndex {
    let bytes = try DurableFile.readWhole(path, limit: LogProof.byteLimit, followsSymlinks: true)
    return try CommandFailure.at(path) {
      let proof = try LogProof(parsing: bytes)
      _ = try proof.verify(
        leafHash: try view.entry(proof.index).leafHash, by: view.verifierKey,
        origin: view.head.origin)
      return proof.index
    }
  }

  private func renew(
    _ view: LedgerView, _ trust: TimestampTrust?, _ renewal: TokenRenewal, _ output: Output
  ) throws -> Int32 {
    let findings = try TimeEvidence(view, trust: trust).all()
    let now = Int64(time(nil))
    let threshold = now + Int64(within) * 86_400
    var rows: [JSONValue] = []
    var failures = 0
    for finding in findings {
      let (result, isFailure) = renewal.result(for: finding, now: now, threshold: threshold)
      if isFailure { failures += 1 }
      let text = TokenText(finding)
      for (position, line) in wrapped("\(text.sentence); \(result)", width: 68).enumerated() {
        output.line(position == 0 ? "token    \(line)" : "         \(line)")
      }
      rows.append(.object([.init("token", text.json), .init("result", .string(result))]))
    }
    if findings.isEmpty { output.line("the ledger has no tokens") }
    output.document(
      "pol-ledger-renewal/1", [("withinDays", .int(within)), ("tokens", .array(rows))])
    return failures == 0 ? 0 : 1
  }
}

extension TimeSubject {
  fileprivate var words: String {
    switch self {
    case .head(let size): "the head of \(size) entries"
    case .entry(let index): "entry \(index)"
    case .token(let digest): "token \(digest.short)…"
    }
  }
}

/// Renews one token after the other; what becomes of one stops no other.
private struct TokenRenewal {
  private let store: TokenStore
  private let authority: TimeAuthority?
  private let trust: TimestampTrust?
  private let output: Output

  init(
    _ store: TokenStore, _ authority: TimeAuthority?, _ trust: TimestampTrust?, _ output: Output
  ) {
    self.store = store
    self.authority = authority
    self.trust = trust
    self.output = output
  }

  /// What was done, in words; and whether something was due that was not done.
  func result(
    for finding: TokenFinding, now: Int64, threshold: Int64
  ) -> (words: String, isFailure: Bool) {
    guard case .holds(let held) = finding.outcome else { return ("it cannot be renewed", false) }
    guard held.validUntil > now else { return ("too late to renew it", false) }
    guard held.validUntil < threshold else { return ("not due", false) }
    guard let authority else { return ("due: give --authority", true) }
    do {
      let end = try renew(held, by: authority)
      return ("renewed: holds until \(clockText(end))", false)
    } catch {
      return ("not renewed: \(CommandFailure(error).message)", true)
    }
  }

  private func renew(_ held: TokenFinding.Held, by authority: TimeAuthority) throws -> Int64 {
    let imprint = TimestampSeries.renewalImprint(of: held.newest)
    let (token, standing) = try askedToken(over: imprint, authority, trust, output)
    guard let standing else { return held.validUntil }
    guard token.time < held.validUntil else {
      throw TimestampError(
        .untrusted, "the new token came after the old one's certificates had ended",
        remedy: "renew earlier")
    }
    guard standing.validUntil > held.validUntil else {
      throw TimestampError(
        .untrusted, "the authority's own certificates end no later than the token's",
        remedy: "ask an authority with newer certificates")
    }
    try store.add(
      token, for: .token(SHA256.hash(held.newest.der)), certificates: standing.certificates,
      revocationLists: trust?.revocationLists ?? [])
    return standing.validUntil
  }
}
