import ArgumentParser
import ChunkStorage
import Cryptography
import MerkleTrees
import ProofPrimitives
import TransparencyLedger

struct LedgerBundle: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bundle", abstract: "Put an entry and its evidence into one file.",
    discussion: """
      The file holds the entry, the entries that it opens, stands on or is about, the log's signed proof of \
      all of them, the time stamps that the ledger keeps of it, and what else is given: receipts under older heads, a policy, more time stamps with the certificates and lists for them (--tsa-ca, --tsa-crl; no reader takes a root from the file). It can be \
      checked when the log is gone, with `pol ledger verify-bundle` or tools/python (spec/evidence.md).

      Example:
        pol ledger bundle 5 --ledger ledger -o entry-5.evidence
      """)

  @Argument(help: ArgumentHelp("The entry's number.", valueName: "index"))
  var index: String
  @OptionGroup var ledgerOptions: LedgerOptions
  @Option(name: .shortAndLong, help: ArgumentHelp("The file to write.", valueName: "file"))
  var output: String
  @Option(
    help: ArgumentHelp(
      "A receipt of the entry under another head; may be repeated.", valueName: "file"))
  var receipt: [String] = []
  @Option(
    help: ArgumentHelp(
      "An RFC 3161 token over the entry, a head or an earlier token; may be repeated.",
      valueName: "file"))
  var token: [String] = []
  @OptionGroup var timeOptions: TimeTrustOptions
  @OptionGroup var memoryOptions: HeadMemoryOptions
  @OptionGroup var reporting: Reporting

  func validate() throws {
    guard ledgerOptions.ledger != nil else { throw ValidationError("--ledger is missing") }
    guard UInt64(index) != nil else { throw ValidationError("'\(index)' is no entry's number") }
  }

  func run() throws {
    try reporting.run { report in
      guard let access = try ledgerOptions.open(report), let number = UInt64(index) else {
        return 1
      }
      try memoryOptions.memory()?.check(access.view)
      let place = LeafIndex(number)
      let exhibit = try access.view.entry(place)
      let names = LedgerEntry.parse(exhibit.bytes).signed.map { EvidenceFile.wanted(by: $0) } ?? []
      let others = try named(names, access)
      let receipts = try receipt.map { path in
        try CommandFailure.at(path) {
          try LogProof(
            parsing: try DurableFile.readWhole(
              path, limit: LogProof.byteLimit, followsSymlinks: true))
        }
      }
      let evidence = try EvidenceFile(
        of: place, in: access.view, find: { _ throws(LedgerError) in others }, receipts: receipts,
        policy: access.view.policy, times: try times())
      // What this writes, every reader takes: also the tokens, which come from files.
      _ = try evidence.check(
        by: access.view.verifierKey, policy: access.view.policy, trust: nil)
      let bytes = evidence.encoded
      guard bytes.count <= EvidenceFile.byteLimit else {
        throw CommandFailure(
          code: "tooLarge", place: printable(output),
          message: "the file would have more than \(EvidenceFile.byteLimit) bytes",
          remedy: "leave out the largest revocation lists, or make two files")
      }
      try DurableFile.write(bytes, to: output)
      report.line(
        "\(printable(output)): entry \(place) and \(evidence.items.count - 1) others under the head of "
          + "\(access.view.head.size) entries, \(evidence.times.count) time stamps, \(bytes.count) bytes"
      )
      report.document(
        "pol-ledger-bundle/1",
        [
          ("file", .string(output)), ("index", .int(place.value)),
          ("entries", .int(evidence.items.count)), ("times", .int(evidence.times.count)),
          ("treeSize", .int(access.view.head.size.value)), ("bytes", .int(bytes.count)),
        ])
      return 0
    }
  }

  /// The entries that the exhibit names: by the local index, else by reading every entry.
  private func named(_ names: Set<Digest>, _ access: LedgerAccess) throws -> [LocatedEntry] {
    if names.isEmpty { return [] }
    let claims = Set(names.map { Claim(.entry, $0) })
    if let index = try? ClaimIndex(directory: access.location) {
      let found = try ClaimFinder(access.view, index: index).matches(claims).map(\.entry)
      if Set(found.map(\.leafHash)) == names { return found }
    }
    return try ClaimFinder(access.view).matches(claims).map(\.entry)
  }

  /// Those that files hold; the ledger's own go in by themselves. Certificates and lists go with every token: they are small beside what a lost one costs.
  private func times() throws -> [EvidenceFile.Time] {
    let certificates = try timeOptions.trust()?.roots ?? []
    let lists = try timeOptions.revocationLists()
    return try token.map { path in
      EvidenceFile.Time(
        token: try loadToken(path).der, certificates: certificates, revocationLists: lists)
    }
  }
}
