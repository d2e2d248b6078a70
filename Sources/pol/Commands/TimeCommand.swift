import ArgumentParser
import ChunkStorage
import Cryptography
import LedgerService
import MerkleTrees
import ProofPrimitives
import TransparencyLedger

struct TimeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "time", abstract: "Get and check time-stamps (RFC 3161).",
    subcommands: [TimeStamp.self, TimeCheck.self])
}

/// What a token is over, as the user names it.
struct StampedSubject: ParsableArguments {
  @Option(help: ArgumentHelp("Over the bytes of this file.", valueName: "file"))
  var data: String?
  @Option(help: ArgumentHelp("Over this SHA-256.", valueName: "hex"))
  var digest: String?
  @Option(help: ArgumentHelp("Over this entry of a ledger: its leaf hash.", valueName: "file"))
  var entry: String?
  @Option(help: ArgumentHelp("Over the tree head in this receipt.", valueName: "file"))
  var receipt: String?

  private var given: [String] { [data, digest, entry, receipt].compactMap(\.self) }
  var isGiven: Bool { !given.isEmpty }

  func validate() throws {
    guard given.count <= 1 else {
      throw ValidationError("give one of --data, --digest, --entry and --receipt")
    }
    if let digest, Digest(hex: digest) == nil {
      throw ValidationError("--digest has 64 lower-case hexadecimal digits")
    }
  }

  /// Nil when nothing is named.
  func imprint() throws -> Digest? {
    if let digest { return Digest(hex: digest) }
    if let data {
      // 4 GiB: the file is held in memory whole.
      return SHA256.hash(try DurableFile.readWhole(data, limit: 4 << 30, followsSymlinks: true))
    }
    if let entry {
      let bytes = try DurableFile.readWhole(entry, limit: 65_535, followsSymlinks: true)
      return MerkleTree.leafHash(of: bytes)
    }
    guard let receipt else { return nil }
    let bytes = try DurableFile.readWhole(receipt, limit: LogProof.byteLimit, followsSymlinks: true)
    return try CommandFailure.at(receipt) { SHA256.hash(try LogProof(parsing: bytes).note.text) }
  }
}

struct TimeStamp: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stamp", abstract: "Ask an authority for a token over a digest.",
    discussion: """
      The authority sees the digest alone. The token is kept as it came.

      Example:
        pol time stamp --receipt run.tlog-proof --out run.head.tst \\
          --authority http://tsa.example.org --tsa-ca root.pem
      """)

  @OptionGroup var subject: StampedSubject
  @OptionGroup var authorityOptions: TimeAuthorityOptions
  @OptionGroup var trustOptions: TimeTrustOptions
  @Option(help: ArgumentHelp("Where the token goes.", valueName: "file"))
  var out: String
  @OptionGroup var reporting: Reporting

  func validate() throws {
    guard authorityOptions.authority != nil else {
      throw ValidationError("--authority is missing")
    }
    guard subject.isGiven else {
      throw ValidationError("give one of --data, --digest, --entry and --receipt")
    }
  }

  func run() throws {
    try reporting.run { output in
      let trust = try trustOptions.trust()
      guard let authority = try authorityOptions.open(), let imprint = try subject.imprint() else {
        return 1
      }
      let (token, standing) = try askedToken(over: imprint, authority, trust, output)
      try DurableFile.write(token.der, to: out)
      output.rows([
        ("over", imprint.hex), ("time", TokenText.time(token)),
        ("authority", standing?.authority ?? "not judged: no authority is trusted (--tsa-ca)"),
        ("token", printable(out)),
      ])
      output.document(
        "pol-time-stamp/1",
        [
          ("imprint", .string(imprint.hex)), ("time", .int(token.time)),
          ("policy", .string(token.policy)), ("serial", .string(Hex.encode(token.serial))),
          ("authority", .string(standing?.authority ?? "")), ("token", .string(out)),
        ])
      return 0
    }
  }
}

struct TimeCheck: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Check a token, and those that renewed it.",
    discussion: """
      A token is judged at its own time: its signature, its certificates up to a root that you name, and \
      what revocation lists say. Further tokens are renewals, each over the one before.

      Exit status: 0 it holds, 2 it is over something else, 1 nobody who is trusted vouches for it.

      Example:
        pol time check run.head.tst --receipt run.tlog-proof --tsa-ca root.pem
      """)

  @Argument(help: "Tokens, or replies of authorities; the oldest first.")
  var token: [String]
  @OptionGroup var subject: StampedSubject
  @OptionGroup var trustOptions: TimeTrustOptions
  @Option(
    help: ArgumentHelp("Certificates between, PEM or DER; may be repeated.", valueName: "file"))
  var certificate: [String] = []
  @OptionGroup var reporting: Reporting

  func run() throws {
    try reporting.run { output in
      let tokens = try token.map { try loadToken($0) }
      guard let first = tokens.first else { return 1 }
      let imprint = try subject.imprint()
      var trust = try trustOptions.trust()
      for path in certificate {
        let bytes = try DurableFile.readWhole(
          path, limit: CertificateFile.byteLimit, followsSymlinks: true)
        trust?.intermediates += try CommandFailure.at(path) {
          try CertificateFile.parse(bytes, .certificates)
        }
      }
      let finding = TokenFinding(judging: tokens, over: imprint ?? first.imprint, trust)
      return report(finding, first, imprint, output)
    }
  }

  private func report(
    _ finding: TokenFinding, _ first: TimestampToken, _ imprint: Digest?, _ output: Output
  ) -> Int32 {
    let words: String
    let status: Int32
    switch finding.outcome {
    case .holds(let held):
      words = "holds by \(held.authority); \(TokenText.end(held))"
      status = 0
    case .named:
      words = "not judged: no authority is trusted (--tsa-ca)"
      status = 1
    case .refused(let error):
      words = "\(error.message)"
      status = error.code == .otherImprint ? 2 : 1
      output.hint(error.remedy)
    }
    output.rows([
      ("over", first.imprint.hex + (imprint == nil ? " (compared with nothing)" : "")),
      ("time", TokenText.time(first)), ("policy", first.policy),
      ("serial", Hex.encode(first.serial)),
    ])
    for (position, line) in wrapped(printable(words, limit: 600), width: 70).enumerated() {
      output.line(position == 0 ? "token   \(line)" : "        \(line)")
    }
    output.document(
      "pol-time-check/1",
      [
        ("imprint", .string(first.imprint.hex)), ("compared", .bool(imprint != nil)),
        ("token", TokenText(finding).json), ("exitStatus", .int(status)),
      ])
    return status
  }
}
