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
  @OptionGroup var memoryOptions: HeadMemoryOptions
  @OptionGroup var reporting: Reporting

  func validate() throws {
    guard ledgerOptions.ledger != nil else { throw ValidationError("--ledger is missing") }
  }

  func run() throws {
    try reporting.run { output in
      guard let access = try ledgerOptions.open(output) else { return 1 }
      try memoryOptions.memory()?.check(access.view)
      let finder = ClaimFinder(access.view)
      let matches = try [first, second].map { try find($0, finder) }
      let standings = try finder.standings(of: matches)
      let claims = try matches.map { match in
        guard let standing = standings[match.index] else { throw notAProof("\(match.index)") }
        return try ComparedClaim(match, standing, access.view)
      }
      guard claims.count == 2, claims[0].index != claims[1].index else {
        throw CommandFailure(
          code: "usage", place: printable(second), message: "the two claims are one entry",
          remedy: "name two entries")
      }
      for (name, claim) in zip(["A", "B"], claims) {
        output.line("\(name)  entry \(claim.index) by key \(claim.keyID)")
        output.rows(claim.rows.map { ("   \($0.0)", $0.1) })
      }
      let words = ComparedClaim.order(claims[0], claims[1])
      for line in words { output.line(line) }
      output.document(
        "pol-precedence/1",
        [
          ("origin", .string(access.view.head.origin)),
          ("treeSize", .int(access.view.head.size.value)),
          ("treeRoot", .string(access.view.head.root.hex)),
          ("claims", .array(claims.map(\.json))), ("order", .array(words.map { .string($0) })),
        ])
      return 0
    }
  }

  private func find(_ text: String, _ finder: ClaimFinder) throws -> LedgerMatch {
    let leafHash: Digest
    if let digest = Digest(hex: text) {
      leafHash = digest
    } else if let number = UInt64(text), "\(number)" == text {
      leafHash = try finder.view.entry(LeafIndex(number)).leafHash
    } else {
      throw CommandFailure(
        code: "usage", place: printable(text), message: "this is neither an index nor a leaf hash",
        remedy: "find the entry with `pol lookup`")
    }
    guard let match = try finder.matches([Claim(.entry, leafHash)]).first,
      match.signed?.isProof == true
    else { throw notAProof(text) }
    return match
  }

  private func notAProof(_ text: String) -> CommandFailure {
    CommandFailure(
      code: "wrongKind", place: printable(text), message: "this names no proof on the ledger",
      remedy: "find the entry with `pol lookup`")
  }
}

/// One of two claims, with everything that bears on its order.
private struct ComparedClaim {
  private let match: LedgerMatch
  private let proof: ProofStatement?
  private let standing: ClaimStanding
  private let firstHead: SignedTreeHead

  var index: LeafIndex { match.index }
  var keyID: String { match.signed?.key.keyID.hex ?? "" }

  init(_ match: LedgerMatch, _ standing: ClaimStanding, _ view: LedgerView) throws {
    self.match = match
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
    ]
  }

  var json: JSONValue {
    .object(
      [
        .init("index", .int(index.value)), .init("keyID", .string(keyID)),
        .init("model", .string(proof?.modelDigest.hex ?? "")),
      ] + standing.members + [.init("firstHeadSize", .int(firstHead.head.size.value))])
  }

  static func order(_ a: ComparedClaim, _ b: ComparedClaim) -> [String] {
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
