import ArgumentParser
import Cryptography
import MerkleTrees
import ProofPrimitives
import TransparencyLedger

struct LedgerPrecedence: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "precedence", abstract: "Compare two claims: what the ledger says of their order.",
    discussion: """
      Shows both claims, the commitments they stand on, and what the order of the tree says and does not \
      say. It judges neither: a claim holds when its archive is verified.

      Example:
        pol ledger precedence 5 9 --ledger ledger
      """)

  @Argument(help: ArgumentHelp("A proof's entry: its index or leaf hash.", valueName: "claim"))
  var first: String
  @Argument(help: ArgumentHelp("The other one.", valueName: "claim"))
  var second: String
  @OptionGroup var ledgerOptions: LedgerOptions
  @OptionGroup var timeOptions: TimeTrustOptions
  @OptionGroup var memoryOptions: HeadMemoryOptions
  @OptionGroup var reporting: Reporting

  func validate() throws {
    guard ledgerOptions.ledger != nil else { throw ValidationError("--ledger is missing") }
  }

  func run() throws {
    try reporting.run { output in
      let trust = try timeOptions.trust()
      guard let access = try ledgerOptions.open(output) else { return 1 }
      try memoryOptions.memory()?.check(access.view)
      let finder = ClaimFinder(access.view)
      let matches = try [first, second].map { try finder.proof(named: $0) }
      let standings = try finder.standings(of: matches)
      let withdrawals = try finder.withdrawals(of: matches)
      let claims = try matches.compactMap { match in
        try standings[match.index].map {
          try ComparedClaim(match, $0, withdrawals[match.index], access.view)
        }
      }
      guard claims.count == 2, claims[0].index != claims[1].index else {
        throw CommandFailure(
          code: "usage", place: printable(second), message: "the two claims are one entry",
          remedy: "name two entries")
      }
      let report = ClocksReport(access.view, trust, output)
      // What a hidden entry fixed has the hidden entry's times.
      let clocks = try claims.map { claim in
        let entry = try access.view.entry(claim.committedAt)
        return report.clocks(of: claim.committedAt, entry.leafHash)
      }
      for ((name, claim), clocks) in zip(zip(["A", "B"], claims), clocks) {
        output.line("\(name)  entry \(claim.index) by key \(claim.keyID)")
        output.rows(claim.rows.map { ("   \($0.0)", $0.1) })
        for line in clocks?.lines ?? [] { output.line("   \(line)") }
      }
      let words = ComparedClaim.order(claims[0], claims[1])
      for line in words + ClocksText.meanings { output.line(line) }
      output.document(
        "pol-precedence/1",
        [
          ("origin", .string(access.view.head.origin)),
          ("treeSize", .int(access.view.head.size.value)),
          ("treeRoot", .string(access.view.head.root.hex)),
          (
            "claims",
            .array(
              zip(claims, clocks).map { claim, clocks in
                .object(claim.members + (clocks.map { [.init("clocks", $0.json)] } ?? []))
              })
          ), ("clockMeanings", ClocksText.meaningsJSON),
          ("order", .array(words.map { .string($0) })),
        ])
      return 0
    }
  }
}

/// One of two claims, with everything that bears on its order.
private struct ComparedClaim {
  private let match: LedgerMatch
  private let proof: ProofStatement?
  private let standing: ClaimStanding
  private let withdrawal: KeyWithdrawal?
  private let firstHead: SignedTreeHead

  var index: LeafIndex { match.index }
  var committedAt: LeafIndex { standing.committedAt }
  var keyID: String { match.signed?.key.keyID.hex ?? "" }

  init(
    _ match: LedgerMatch, _ standing: ClaimStanding, _ withdrawal: KeyWithdrawal?,
    _ view: LedgerView
  ) throws {
    self.match = match
    self.withdrawal = withdrawal
    self.standing = standing
    if case .proof(let proof)? = match.signed?.statement {
      self.proof = proof
    } else {
      proof = nil
    }
    firstHead = try view.firstHead(covering: standing.committedAt)
  }

  var rows: [(String, String)] {
    let opening =
      switch standing.opening {
      case .none: "none: the claim counts from its own place"
      case .valid(let index): "entry \(index), opened at \(standing.openedAt)"
      case .invalid(let reason): "counts for nothing: \(reason)"
      }
    return [
      ("model", proof?.modelDigest.hex ?? ""), ("hidden commitment", opening),
      (
        "fixed",
        "at index \(standing.committedAt), under the head of \(firstHead.head.size) entries"
      ),
      (
        "run commitment",
        standing.runCommitment.map { "entry \($0), before the training" }
          ?? "none of its own: nothing says when the training began"
      ),
    ] + (withdrawal.map { [("key", $0.words)] } ?? [])
  }

  var members: [JSONValue.Member] {
    [
      .init("index", .int(index.value)), .init("keyID", .string(keyID)),
      .init("model", .string(proof?.modelDigest.hex ?? "")),
    ] + standing.members + [
      .init("firstHeadSize", .int(firstHead.head.size.value)), KeyWithdrawal.member(withdrawal),
    ]
  }

  static func order(_ a: ComparedClaim, _ b: ComparedClaim) -> [String] {
    let void = zip(["A", "B"], [a, b]).filter { $0.1.withdrawal?.isBefore ?? false }
    guard void.isEmpty else {
      return void.map { "\($0.0) does not count: it stands after the withdrawal of its key" }
    }
    let isSame = a.proof?.modelDigest == b.proof?.modelDigest
    let (x, y) = (a.standing.committedAt, b.standing.committedAt)
    // One entry can be opened by one statement only, so the two places differ.
    let earlier = x < y ? "A" : "B"
    var words = [
      isSame ? "both claim the same model" : "the two claim different models",
      "tree order: \(earlier)'s statement was fixed first (index \(min(x, y)) before \(max(x, y)))",
    ]
    if a.firstHead.head.size == b.firstHead.head.size {
      words.append("both came under one head: the log alone chose which stands first")
    }
    switch (a.standing.runCommitment, b.standing.runCommitment) {
    case (let a?, let b?):
      words.append(
        a == b
          ? "both stand on one run commitment"
          : "tree order: \(a < b ? "A" : "B")'s run was committed to first: if both proofs are verified, "
            + "it has the model")
    case (_?, nil), (nil, _?):
      words.append(
        "only \(a.standing.runCommitment == nil ? "B" : "A") stands on a run commitment: the other's start "
          + "cannot be proved")
    case (nil, nil): words.append("neither stands on a run commitment: neither start can be proved")
    }
    words.append(
      "not said: when (order is no clock), who trained, whether either proof holds; the commitment "
        + "counts for a proof that `pol verify` finds verified")
    return words
  }
}
