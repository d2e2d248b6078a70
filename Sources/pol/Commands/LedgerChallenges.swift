import ArgumentParser
import Cryptography
import MerkleTrees
import ProofPrimitives
import TransparencyLedger

struct LedgerChallenges: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "challenges",
    abstract: "List the challenges to proofs that no verdict has opened.",
    discussion: """
      Reads every entry. A challenge fixes a nonce; only the challenger's own verdict, which reveals it, \
      opens it. One that stays unopened says something of whoever made it, and nothing of the proof.

      Example:
        pol ledger challenges --ledger ledger
        pol ledger challenges 5 --all --ledger ledger
      """)

  @Argument(help: ArgumentHelp("Only to this proof: its index or leaf hash.", valueName: "proof"))
  var proof: String?
  @Flag(help: "Also those that a verdict has opened.")
  var all = false
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
      let proof = try self.proof.map {
        try ClaimFinder(access.view).proof(named: $0).entry.leafHash
      }
      let statements = try access.view.countedStatements().counting
      let places = Dictionary(
        statements.map { ($0.leafHash, $0.index) }, uniquingKeysWith: { first, _ in first })
      let every = PublicChallenge.all(in: statements, logOrigin: access.view.head.origin)
        .filter { proof == nil || $0.statement.proof == proof }
      let unopened = every.count { $0.verdict == nil }
      output.line("\(unopened) of \(every.count) challenges are without a verdict")
      for challenge in every where all || challenge.verdict == nil {
        let place = places[challenge.statement.proof].map { "\($0)" } ?? ""
        let state =
          challenge.verdict.map {
            "\($0.statement.answer.rawValue), verdict at \($0.entry.index)"
          } ?? "unopened"
        output.line(
          "  \(challenge.index)  to proof \(place) by key "
            + "\(challenge.entry.signed.key.keyID.short)…: \(state)")
      }
      output.document(
        "pol-challenges/1",
        [
          ("origin", .string(access.view.head.origin)),
          ("treeSize", .int(access.view.head.size.value)), ("unopened", .int(unopened)),
          (
            "challenges",
            .array(
              every.filter { all || $0.verdict == nil }.map { challenge in
                .map([
                  ("answer", .string(challenge.verdict?.statement.answer.rawValue ?? "")),
                  ("index", .int(challenge.index.value)),
                  ("keyID", .string(challenge.entry.signed.key.keyID.hex)),
                  ("proof", .string(challenge.statement.proof.hex)),
                  (
                    "verdictIndex",
                    .int(challenge.verdict.map { Int64(clamping: $0.entry.index.value) } ?? -1)
                  ),
                ])
              })
          ),
        ])
      return 0
    }
  }
}
