import ArgumentParser
import Cryptography
import Glibc
import MerkleTrees
import ProofPrimitives
import ProofVerification
import TransparencyLedger

struct Challenge: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Challenge a published proof: fix a nonce before anybody knows the draw.",
    discussion: """
      Draws a nonce, keeps it in a file (mode 0600) and logs its digest. With the first tree head over that \
      entry nobody can choose which segments are drawn, the challenger included; `pol verify \
      --challenge` draws them. His verdict reveals the nonce, so that anybody can draw the same. A challenge \
      without a verdict stays listed as unopened. Given again, the command goes on with the same file.

      Example:
        pol challenge run.pol --ledger ledger --key verifier.pem
      """)

  @Argument(
    help: ArgumentHelp(
      "The archive, or its proof's entry: index or leaf hash.", valueName: "archive-or-proof"))
  var subject: String
  @Option(
    help: ArgumentHelp("The ledger's folder, or the URL of its service.", valueName: "dir-or-url"))
  var ledger: String
  @Option(help: ArgumentHelp("The challenger's private key.", valueName: "file"))
  var key: String
  @Option(
    help: ArgumentHelp(
      "Where the nonce is kept. (default: proof-INDEX.challenge)", valueName: "file"))
  var out: String?
  @OptionGroup var storeOptions: StoreOptions
  @OptionGroup var trustOptions: LedgerTrustOptions
  @OptionGroup var reporting: Reporting

  func run() throws {
    try reporting.run { output in
      let signingKey = try loadSigningKey(key)
      let log = try LedgerWriter(ledger, trustOptions.trust())
      let finder = ClaimFinder(try log.view())
      let isEntry = Digest(hex: subject) != nil || UInt64(subject) != nil
      let proof =
        isEntry && access(subject, F_OK) != 0
        ? try finder.proof(named: subject) : try finder.proof(of: subject, storeOptions)
      let path = out ?? "proof-\(proof.index).challenge"
      let draft = try ChallengeDraft.open(
        path, proof: proof.entry.leafHash, logOrigin: log.origin)
      let statement = draft.statement(key: Digest(signingKey.verifyingKey.rawBytes) ?? .zero)
      let answer = try log.add(try LedgerEntry.signed(statement.encoded, by: signingKey))
      output.rows([
        ("challenge", "entry \(answer.index)\(answer.wasKnown ? " (logged before)" : "")"),
        ("proof", "entry \(proof.index)"),
        ("nonce", "\(printable(path)), secret until the verdict"),
      ])
      output.document(
        "pol-challenge/1",
        [
          ("index", .int(answer.index.value)), ("wasKnown", .bool(answer.wasKnown)),
          ("proofIndex", .int(proof.index.value)), ("proof", .string(proof.entry.leafHash.hex)),
          ("nonceFile", .string(path)),
        ])
      output.hint(
        "verify with --challenge \(answer.index) --nonce \(printable(path)) --log-verdict --key KEY"
      )
      return 0
    }
  }
}
