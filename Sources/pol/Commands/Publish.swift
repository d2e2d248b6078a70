import ArgumentParser
import ChunkStorage
import Cryptography
import Glibc
import LedgerService
import MerkleTrees
import ProofArchive
import ProofPrimitives
import ProofVerification
import TransparencyLedger

struct Publish: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Publish a sealed archive's statement on a ledger.",
    discussion: """
      Tensors that find no room in the statement follow in parts of it. First a hidden entry is logged that fixes the statement without showing it; once that stands \
      under a published head, the statement follows and opens it. So nobody who sees the statement on its \
      way can be earlier. What opens the hidden entry is kept beside the archive until then \
      (.publishing): a publication that was cut off goes on when the command is given again.

      Writes the receipt (.tlog-proof) and the entry it proves beside the archive. Publishing the same \
      statement twice gives the first entry again.

      Example:
        pol publish run.pol --ledger ledger --key key.pem \\
          --location https://example.org/run.pol
      """)

  @Argument(help: "The sealed archive.")
  var archive: String
  @Option(
    help: ArgumentHelp(
      "The ledger's folder, or the URL of its service.", valueName: "dir-or-url"))
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
      "Have the entry time-stamped by this authority (.tst beside the receipt).", valueName: "url"))
  var timeAuthority: String?
  @OptionGroup var timeOptions: TimeTrustOptions
  @OptionGroup var trustOptions: LedgerTrustOptions
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
      let parts = try Publication.partDigests(of: reader)
      // Before anything is logged: a policy that cannot be read must not be found out afterwards.
      let authority = try timeAuthority.map { try TimeAuthority($0) }
      let timeTrust = try timeOptions.trust()
      let trust = try trustOptions.trust()
      var base = archive
      while base.count > 1, base.hasSuffix("/") { base.removeLast() }
      if base.hasSuffix(".pol") { base.removeLast(4) }
      let receiptPath = receipt ?? "\(base).tlog-proof"
      let entryPath = entry ?? "\(base).entry"
      let log = try LedgerWriter(ledger, trust)
      let answer = try publish(
        statement, parts, on: log, by: signingKey, draft: "\(base).publishing")
      let stored = try answer.view.entry(answer.index)
      try CommandFailure.at(ledger) {
        _ = try answer.proof.verify(
          leafHash: stored.leafHash, by: answer.view.verifierKey, origin: log.origin,
          policy: trust.policy)
      }
      try DurableFile.write(answer.proof.encoded, to: receiptPath)
      try DurableFile.write(stored.bytes, to: entryPath)
      var tokenPath: String?
      if let authority {
        let path = "\(base).tst"
        try stamp(stored.leafHash, by: authority, timeTrust, entryPath, to: path)
        tokenPath = path
      }
      let finder = ClaimFinder(answer.view)
      let matches = try finder.matches([Claim(.model, statement.modelDigest)])
      let others = matches.filter { $0.signed.map { $0.key != signingKey.verifyingKey } ?? false }
      let standing = try finder.standings(of: matches)[answer.index]
      output.rows(
        [("entry", "\(answer.index)\(answer.wasKnown ? " (published before)" : "")")]
          + (standing.map { [("committed", "at index \($0.committedAt)")] } ?? [])
          + (parts.isEmpty ? [] : [("parts", "\(parts.count), with more tensors")])
          + [
            ("model digest", statement.modelDigest.hex), ("receipt", printable(receiptPath)),
            ("entry file", printable(entryPath)),
          ] + (tokenPath.map { [("token", printable($0))] } ?? []))
      for other in others {
        output.line(
          "also claimed  at index \(other.index) by key \(other.signed?.key.keyID.short ?? "")…")
      }
      output.document(
        "pol-publish/1",
        [
          ("index", .int(answer.index.value)), ("wasKnown", .bool(answer.wasKnown)),
          ("committedAt", .int((standing?.committedAt ?? answer.index).value)),
          ("parts", .int(parts.count)),
          ("modelDigest", .string(statement.modelDigest.hex)),
          ("archiveRoot", .string(statement.archiveRoot.hex)),
          ("receipt", .string(receiptPath)), ("entry", .string(entryPath)),
          ("token", .string(tokenPath ?? "")),
          ("alsoClaimedAt", .array(others.map { .int($0.index.value) })),
        ])
      return 0
    }
  }

  /// The publication stands by then, and stays whatever becomes of the token.
  private func stamp(
    _ leafHash: Digest, by authority: TimeAuthority, _ trust: TimestampTrust?, _ entryPath: String,
    to path: String
  ) throws {
    do {
      let token = try authority.token(over: leafHash)
      if let trust { _ = try token.check(trust) }
      try DurableFile.write(token.der, to: path)
    } catch {
      let failure = CommandFailure(error)
      throw CommandFailure(
        code: failure.code, place: "--time-authority",
        message: "the entry is published; no token was had: \(failure.message)",
        remedy: "run the command again, or `pol time stamp --entry \(printable(entryPath))`")
    }
  }

  /// Logs the hidden entries, waits for the head over them, then logs the statement and its parts.
  ///
  /// The salts are durable before anything is logged: whenever this is cut off, the next call logs the
  /// same entries, which the log knows by then or takes now.
  private func publish(
    _ statement: ProofStatement, _ parts: [[Digest]], on log: LedgerWriter, by key: SigningKey,
    draft path: String
  ) throws -> LedgerWriter.Addition {
    // What readers would not take for a statement must not be logged: an entry is for ever.
    if case .opaque(let reason) = LedgerEntry.parse(
      try LedgerEntry.signed(statement.encoded, by: key))
    {
      throw CommandFailure(
        code: reason.code.name, place: "--location", message: reason.message,
        remedy: "give a URL of at most 2,048 bytes without control characters, or none")
    }
    let answer: LedgerWriter.Addition
    // A draft comes first: a publication that was cut off may have logged the proof and not its parts.
    if access(path, F_OK) != 0, let before = try published(statement, on: log, by: key) {
      answer = try log.add(before)
      try complete(before, parts, on: log, by: key)
    } else {
      let draft = try PublicationDraft.open(
        path, for: statement, logOrigin: log.origin, count: 1 + parts.count)
      let plan = try PublicationPlan(
        statement, parts: parts, salts: draft.salts, logOrigin: log.origin, by: key)
      _ = try log.add(plan.hidden)
      answer = try log.add(plan.statements)
    }
    try PublicationDraft.close(path)
    return answer
  }

  /// Logs the parts that a proof in the log lacks. They open nothing: their tensors are public with the model.
  private func complete(
    _ proof: [UInt8], _ parts: [[Digest]], on log: LedgerWriter, by key: SigningKey
  ) throws {
    let leafHash = MerkleTree.leafHash(of: proof)
    let known = try log.view().lookup([Claim(.proof, leafHash)]).compactMap {
      match -> [Digest]? in
      guard let signed = match.signed, case .proofPart(let part) = signed.statement,
        signed.key == key.verifyingKey
      else { return nil }
      return part.tensors
    }
    for tensors in parts where !known.contains(tensors) {
      let part = ProofPartStatement(
        logOrigin: log.origin, proof: leafHash,
        proverKey: Digest(key.verifyingKey.rawBytes) ?? .zero, tensors: tensors)
      _ = try log.add(try LedgerEntry.signed(part.encoded, by: key))
    }
  }

  /// The entry that says this already; its opening is another one, or none.
  private func published(
    _ statement: ProofStatement, on log: LedgerWriter, by key: SigningKey
  ) throws -> [UInt8]? {
    let digest = statement.unopenedDigest
    return try log.view().lookup([Claim(.seal, statement.sealDigest)]).first { match in
      guard let signed = match.signed, case .proof(let proof) = signed.statement else {
        return false
      }
      return signed.key == key.verifyingKey && proof.unopenedDigest == digest
    }?.entry.bytes
  }
}
