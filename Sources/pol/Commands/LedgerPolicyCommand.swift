import ArgumentParser
import MerkleTrees
import ProofPrimitives
import TransparencyLedger

struct LedgerPolicyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "policy", abstract: "Show or set whose cosignatures a ledger's heads need.",
    discussion: """
      The file is a C2SP tlog-policy; each witness that is to be asked has its URL (submission \
      prefix) behind its key. The service asks them before it publishes a head. While the service \
      runs, the policy cannot be changed: stop it first.

      Example:
        pol ledger policy ledger witnesses.policy
        pol ledger policy ledger --clear
      """)

  @Argument(help: ArgumentHelp("The ledger's folder.", valueName: "dir"))
  var directory: String
  @Argument(
    help: ArgumentHelp("The new policy; without it the present one is shown.", valueName: "file"))
  var file: String?
  @Flag(help: "Ask for no witnesses any more; what waits for them is published.")
  var clear = false
  @OptionGroup var reporting: Reporting

  func validate() throws {
    if clear, file != nil { throw ValidationError("--clear and a file exclude each other") }
  }

  func run() throws {
    try reporting.run { output in
      let new =
        clear
        ? try LedgerPolicy(parsing: Array("quorum none\n".utf8))
        : try file.map { try loadLedgerPolicy($0) }
      let ledger: LocalLedger
      do throws(LedgerError) {
        ledger = try LocalLedger.open(at: directory)
      } catch {
        guard error.code == .inUse else { throw error }
        throw CommandFailure(
          code: error.code.name, place: printable(directory),
          message: "another process writes to this ledger, by the policy that it found",
          remedy: "stop it first")
      }
      if let new { try CommandFailure.at(file ?? "--clear") { try ledger.setPolicy(new) } }
      show(ledger, isNew: new != nil, output)
      return 0
    }
  }

  private func show(_ ledger: LocalLedger, isNew: Bool, _ output: Output) {
    let policy = ledger.policy
    let asks = policy?.asksForWitnesses ?? false
    output.line(asks ? "heads need these witnesses:" : "heads need no witness")
    if asks, let policy { output.answerText(policy.text) }
    let bare = policy?.witnesses.filter { $0.url == nil }.count ?? 0
    if asks, bare > 0 { output.hint("\(bare) witnesses have no URL and cannot be asked") }
    if isNew, asks, policy?.witnesses.contains(where: { $0.url != nil }) ?? false {
      output.hint("serve the ledger: the service asks them, also for the head that is published")
    }
    output.document(
      "pol-ledger-policy/1",
      [
        ("asksForWitnesses", .bool(asks)),
        ("policy", .string(String(decoding: policy?.text ?? [], as: UTF8.self))),
        ("publishedSize", .int(ledger.published.size.value)),
        ("signedSize", .int(ledger.head.size.value)),
      ])
  }
}

extension Output {
  /// Lines of a file as they are, for people.
  fileprivate func answerText(_ bytes: [UInt8]) {
    for line in bytes.split(separator: 10) {
      self.line("  " + printable(String(decoding: line, as: UTF8.self), limit: 2000))
    }
  }
}
