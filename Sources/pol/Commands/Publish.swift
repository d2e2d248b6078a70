import ArgumentParser
import ChunkStorage
import Cryptography
import MerkleTrees
import ProofArchive
import ProofPrimitives
import ProofVerification
import TransparencyLedger

struct Publish: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Publish a sealed archive's statement on a ledger.",
    discussion: """
      Writes the receipt (.tlog-proof) and the entry it proves beside the archive. Publishing the same \
      statement twice gives the first entry again.

      Example:
        pol publish run.pol --ledger ledger --key key.pem \\
          --location https://example.org/run.pol
      """)

  @Argument(help: "The sealed archive.")
  var archive: String
  @Option(help: ArgumentHelp("The ledger's folder.", valueName: "dir"))
  var ledger: String
  @Option(help: ArgumentHelp("The prover's private key.", valueName: "file"))
  var key: String
  @Option(
    help: ArgumentHelp("Where the archive will be served; stands in the entry.", valueName: "url"))
  var location = ""
  @Option(help: ArgumentHelp("Where the receipt goes.", valueName: "file"))
  var receipt: String?
  @Option(help: ArgumentHelp("Where the entry goes.", valueName: "file"))
  var entry: String?
  @Option(help: ArgumentHelp("Content key of an encrypted archive.", valueName: "file"))
  var contentKey: String?
  @Option(
    help: ArgumentHelp(
      "Whose cosignatures the receipt needs (C2SP tlog-policy).", valueName: "file"))
  var ledgerPolicy: String?
  @OptionGroup var storeOptions: StoreOptions
  @OptionGroup var reporting: Reporting

  func run() throws {
    try reporting.run { output in
      let signingKey = try loadSigningKey(key)
      let reader = try ArchiveReader(
        try storeOptions.open(archive),
        access: contentKey.map { .epochKey(try ContentKeyFile.read($0)) } ?? .none)
      guard reader.seal?.proverKey == signingKey.verifyingKey else {
        throw CommandFailure(
          code: "badKey", place: printable(key),
          message: "this is not the key that sealed the archive",
          remedy: "publish with the prover's key")
      }
      let statement = try Publication.proof(of: reader, location: location)
      let bytes = try LedgerEntry.signed(statement.encoded, by: signingKey)
      // What readers would not take for a statement must not be logged: an entry is for ever.
      if case .opaque(let reason) = LedgerEntry.parse(bytes) {
        throw CommandFailure(
          code: reason.code.name, place: "--location", message: reason.message,
          remedy: "give a URL of at most 2,048 bytes without control characters, or none")
      }
      // Before anything is logged: a policy that cannot be read must not be found out afterwards.
      let policy = try ledgerPolicy.map { try loadLedgerPolicy($0) }
      let log = try openLocalLedger(ledger)
      guard let answer = try log.append([bytes]).first else {
        throw CommandFailure(
          code: "internal", place: printable(ledger), message: "the log gave no answer",
          remedy: "report this")
      }
      let stored = try log.view().entry(answer.index)
      try CommandFailure.at(ledger) {
        _ = try answer.proof.verify(
          leafHash: stored.leafHash, by: log.verifierKey, origin: log.origin, policy: policy)
      }
      var base = archive
      while base.count > 1, base.hasSuffix("/") { base.removeLast() }
      if base.hasSuffix(".pol") { base.removeLast(4) }
      let receiptPath = receipt ?? "\(base).tlog-proof"
      let entryPath = entry ?? "\(base).entry"
      try DurableFile.write(answer.proof.encoded, to: receiptPath)
      try DurableFile.write(stored.bytes, to: entryPath)
      let others = try log.view().lookup([Claim(.model, statement.modelDigest)])
        .filter { $0.signed.map { $0.key != signingKey.verifyingKey } ?? false }
      output.rows([
        ("entry", "\(answer.index)\(answer.wasKnown ? " (published before)" : "")"),
        ("model digest", statement.modelDigest.hex), ("receipt", printable(receiptPath)),
        ("entry file", printable(entryPath)),
      ])
      for other in others {
        output.line(
          "also claimed  at index \(other.index) by key \(other.signed?.key.keyID.short ?? "")…")
      }
      output.document(
        "pol-publish/1",
        [
          ("index", .int(answer.index.value)), ("wasKnown", .bool(answer.wasKnown)),
          ("modelDigest", .string(statement.modelDigest.hex)),
          ("archiveRoot", .string(statement.archiveRoot.hex)),
          ("receipt", .string(receiptPath)), ("entry", .string(entryPath)),
          ("alsoClaimedAt", .array(others.map { .int($0.index.value) })),
        ])
      return 0
    }
  }
}
