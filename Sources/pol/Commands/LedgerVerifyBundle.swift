import ArgumentParser
import ChunkStorage
import Cryptography
import MerkleTrees
import ProofPrimitives
import TransparencyLedger

struct LedgerVerifyBundle: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify-bundle", abstract: "Check an evidence file, without the log.",
    discussion: """
      Says what the file proves and what not, by the key, the policy and the authorities that you \
      give. Without a key of yours it only says that the file agrees with itself: exit status 2.

      Example:
        pol ledger verify-bundle entry-5.evidence --ledger-key ledger.vkey \\
          --tsa-ca authority.pem
      """)

  @Argument(help: ArgumentHelp("An evidence file.", valueName: "file"))
  var file: String
  @Option(
    help: ArgumentHelp("The log's verifier key, or a file with it.", valueName: "vkey-or-file"))
  var ledgerKey: String?
  @Option(
    help: ArgumentHelp(
      "Whose cosignatures the head needs, and which logs are meant (C2SP tlog-policy).",
      valueName: "file"))
  var ledgerPolicy: String?
  @OptionGroup var timeOptions: TimeTrustOptions
  @OptionGroup var reporting: Reporting

  func run() throws {
    try reporting.run { output in
      let bytes = try DurableFile.readWhole(
        file, limit: EvidenceFile.byteLimit, followsSymlinks: true)
      let policy = try ledgerPolicy.map { try loadLedgerPolicy($0) }
      let key = try ledgerKey.map { try LedgerAccess.verifierKey($0, place: "--ledger-key") }
      let trust = try timeOptions.trust()
      return try CommandFailure.at(file) {
        let evidence = try EvidenceFile(parsing: bytes)
        let own = try key ?? policyKey(policy, evidence)
        let finding = try evidence.check(
          by: own ?? evidence.statedKey, policy: policy, trust: trust)
        let report = EvidenceReport(
          evidence, finding, isKeyGiven: own != nil, isPolicyGiven: policy != nil)
        for line in report.lines { output.line(line) }
        output.document("pol-ledger-verify-bundle/1", report.members)
        return own == nil ? 2 : 0
      }
    }
  }

  private func policyKey(
    _ policy: LedgerPolicy?, _ evidence: EvidenceFile
  ) throws -> NoteVerifierKey? {
    guard let policy, !policy.logs.isEmpty, let note = evidence.items.first?.receipts.first?.note
    else { return nil }
    return try policy.logKey(of: note)
  }
}
