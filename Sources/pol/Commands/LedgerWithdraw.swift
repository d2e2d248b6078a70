import ArgumentParser
import Cryptography
import MerkleTrees
import ProofPrimitives
import TransparencyLedger

struct LedgerWithdraw: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "withdraw", abstract: "Withdraw a key: nothing later under it counts.",
    discussion: """
      Logs the key's last word on this ledger, which refuses every later entry under it; readers count none. \
      What stands before it stands. It cannot be taken back, and names no successor: a thief would name \
      his own.

      Example:
        pol ledger withdraw --key key.pem --ledger ledger --reason compromised
      """)

  @Option(help: ArgumentHelp("The private key that is withdrawn.", valueName: "file"))
  var key: String
  @Option(
    help: ArgumentHelp("The ledger's folder, or the URL of its service.", valueName: "dir-or-url"))
  var ledger: String
  @Option(help: "compromised: somebody else may have it; or retired.")
  var reason = WithdrawalStatement.Reason.retired
  @OptionGroup var trustOptions: LedgerTrustOptions
  @OptionGroup var reporting: Reporting

  func run() throws {
    try reporting.run { output in
      let signingKey = try loadSigningKey(key)
      let log = try LedgerWriter(ledger, trustOptions.trust())
      let keyID = signingKey.verifyingKey.keyID
      let statement = WithdrawalStatement(
        keyID: keyID, logOrigin: log.origin,
        proverKey: Digest(signingKey.verifyingKey.rawBytes) ?? .zero, reason: reason)
      let answer = try log.add(try LedgerEntry.signed(statement.encoded, by: signingKey))
      output.rows([
        ("withdrawn", "key \(keyID)"),
        ("entry", "\(answer.index)\(answer.wasKnown ? " (withdrawn before)" : "")"),
      ])
      output.document(
        "pol-withdraw/1",
        [
          ("index", .int(answer.index.value)), ("wasKnown", .bool(answer.wasKnown)),
          ("keyID", .string(keyID.hex)), ("reason", .string(reason.rawValue)),
        ])
      output.hint(
        "entries under it before index \(answer.index) stand; on other ledgers it is untouched")
      return 0
    }
  }
}

extension WithdrawalStatement.Reason: ExpressibleByArgument {}
