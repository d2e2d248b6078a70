import ArgumentParser
import ChunkStorage
import Cryptography
import Glibc
import MerkleTrees
import ProofArchive
import ProofPrimitives
import ProofVerification
import TransparencyLedger

struct Lookup: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Who claimed a model, an archive or a digest first?",
    discussion: """
      Every entry shown is proved against the ledger's signed tree head; that nobody claimed it is said \
      only after every entry was read, or where the service of the ledger proves it by its claim map and the \
      rest was read. A digest may be of a model, a tensor, an archive, a seal, a \
      dataset, an entry or a key. Claims are told by when they were fixed: by the hidden entry that they open, \
      or by themselves. What shares tensors, weight chunks or checkpoints is told too, with the share, so that \
      a renamed copy, a fine-tune of it and a claim on an intermediate checkpoint are found. Exit status 0 when there is an answer, also when it is that nobody did.

      Example:
        pol lookup model.safetensors --ledger ledger
        pol lookup run.pol --ledger https://example.org/ledger \\
          --ledger-key ledger.vkey
      """)

  @Argument(
    help: ArgumentHelp(
      "A safetensors file, an archive, or 64 hexadecimal digits.", valueName: "file-or-digest"))
  var subject: String
  @OptionGroup var ledgerOptions: LedgerOptions
  @Flag(help: "Read every entry instead of asking an index.")
  var scan = false
  @Option(
    help: ArgumentHelp(
      "The key of the log's index roots, or a file with it.", valueName: "hex-or-file"))
  var indexKey: String?
  @OptionGroup var timeOptions: TimeTrustOptions
  @OptionGroup var memoryOptions: HeadMemoryOptions
  @OptionGroup var storeOptions: StoreOptions
  @OptionGroup var reporting: Reporting

  func validate() throws {
    guard ledgerOptions.ledger != nil else { throw ValidationError("--ledger is missing") }
  }

  func run() throws {
    try reporting.run { output in
      let trust = try timeOptions.trust()
      guard let access = try ledgerOptions.open(output) else { return 1 }
      try memoryOptions.memory()?.check(access.view)
      let subject = try LookupSubject(self.subject, storeOptions)
      let service = try service(subject, access, output)
      let finder = try service?.finder ?? find(subject, access)
      var matches = try service?.finding.matches ?? finder.matches(finder.claims)
      let standings = try finder.standings(of: matches)
      func fixed(_ match: LedgerMatch) -> LeafIndex {
        standings[match.index]?.committedAt ?? match.index
      }
      matches.sort { (fixed($0), $0.index) < (fixed($1), $1.index) }
      let clocks = ClocksReport(access.view, trust, output)
      let withdrawals = try finder.withdrawals(of: matches)
      let described = try matches.enumerated().map { position, match in
        LookupAnswer(
          match, standings[match.index], withdrawals[match.index],
          match.signed?.isProof == true ? try finder.judgements(on: match) : nil,
          position < ClocksReport.entryLimit
            ? clocks.clocks(of: match.index, match.entry.leafHash) : nil)
      }
      let overlaps = try subject.reference(in: matches, storeOptions).map {
        try OverlapAnswer.all(with: $0, in: finder, besides: matches)
      }
      let head = service?.finding.head ?? access.view.head
      if let finding = service?.finding { finding.explain(subject.description, output) }
      output.line(
        described.isEmpty
          ? service == nil
            ? "nobody claimed \(subject.description) among the first \(head.size) entries"
            : "nobody claimed \(subject.description) openly in \(head.size) entries"
          : "\(described.count) of \(head.size) entries claim \(subject.description), earliest first:"
      )
      for answer in described where !answer.isAnchor {
        for line in answer.lines { output.line(line) }
      }
      // A long run has hundreds.
      let anchors = described.filter(\.isAnchor)
      if let first = anchors.first, let last = anchors.last {
        output.line(
          "  \(anchors.count) anchors of its chain, from \(first.index) to \(last.index) (each with --json)"
        )
      }
      if !described.isEmpty { for line in ClocksText.meanings { output.line(line) } }
      if let overlaps, !overlaps.isEmpty {
        output.line("\(overlaps.count) other claims have parts of it, earliest first:")
        for answer in overlaps.prefix(OverlapAnswer.limit) {
          for line in answer.lines { output.line(line) }
        }
        if overlaps.count > OverlapAnswer.limit {
          output.line("  and \(overlaps.count - OverlapAnswer.limit) more (all with --json)")
        }
      }
      output.document(
        "pol-lookup/1",
        [
          ("subject", .string(subject.description)),
          ("origin", .string(head.origin)), ("treeSize", .int(head.size.value)),
          ("treeRoot", .string(head.root.hex)),
          ("method", .string(finder.method)),
          ("mapSize", .int(service?.finding.mapSize ?? 0)),
          ("entries", .array(described.map(\.json))),
          ("clockMeanings", ClocksText.meaningsJSON),
          ("overlaps", .array((overlaps ?? []).map(\.json))),
        ])
      return 0
    }
  }
}

extension RemoteClaimIndex.Finding {
  /// What exactly is proved, and how.
  fileprivate func explain(_ subject: String, _ output: Output) {
    let early = matches.filter { $0.index.value < mapSize }
    if mapSize > 0, early.isEmpty {
      output.line("no opened claim among the first \(mapSize) entries: proved by the claim map")
    } else if mapSize > 0 {
      output.line("the first claim among \(mapSize) entries is proved by the claim map")
    }
    let rest = head.size.value - min(mapSize, head.size.value)
    if rest > 0 {
      let count = matches.count - early.count
      output.line(
        "the \(rest) entries after these were read: \(count == 0 ? "none" : String(count)) of them")
    }
  }
}

extension Lookup {
  /// Asks the ledger's service where there is one and the index key is known.
  private func service(
    _ subject: LookupSubject, _ access: LedgerAccess, _ output: Output
  ) throws -> (finder: ClaimFinder, finding: RemoteClaimIndex.Finding)? {
    let isRemote = ["http://", "https://"].contains { access.location.hasPrefix($0) }
    guard isRemote, !scan, let first = subject.claims.first else { return nil }
    let key: VerifyingKey
    if let indexKey {
      key = try LedgerAccess.indexKey(indexKey)
    } else {
      // Without one it is a ledger of files alone.
      guard let stated = try? access.view.source.statedIndexKey() else { return nil }
      output.hint(
        "the ledger's own word was taken for its index key; pin it with --index-key "
          + Hex.encode(stated.rawBytes))
      key = stated
    }
    let index = RemoteClaimIndex(access.view, indexKey: key)
    guard try index.lookup(first) != nil else { return nil }
    return (
      ClaimFinder(access.view, service: index, claims: subject.claims),
      try index.lookup(subject.claims)
    )
  }

  /// By the local index when it knows something; by reading every entry otherwise, because only that
  /// shows that there is nothing.
  private func find(_ subject: LookupSubject, _ access: LedgerAccess) throws -> ClaimFinder {
    let isLocal = !access.location.hasPrefix("http://") && !access.location.hasPrefix("https://")
    if isLocal, !scan, let index = try? ClaimIndex(directory: access.location) {
      let finder = ClaimFinder(access.view, index: index, claims: subject.claims)
      if try !finder.matches(subject.claims).isEmpty { return finder }
    }
    var claims = subject.claims
    if let digest = subject.digest { claims.formUnion(try named(digest, in: access.view)) }
    return ClaimFinder(access.view, claims: claims)
  }

  /// Claims of the entries that a key id names: entries hold the key itself.
  private func named(_ digest: Digest, in view: LedgerView) throws -> Set<Claim> {
    var claims = Set<Claim>()
    _ = try view.scan { entry in
      guard LedgerEntry.parse(entry.bytes).signed?.key.keyID == digest else { return }
      claims.insert(Claim(.entry, entry.leafHash))
    }
    return claims
  }
}

/// What is looked up, and the claims that would be about it.
struct LookupSubject {
  let description: String
  let claims: Set<Claim>
  /// Set when a bare digest was given.
  private(set) var digest: Digest?
  /// Set when an archive was given: its root, and who sealed it.
  private var seal: Seal?
  private let text: String
  /// Set when a model file was given.
  private var model: ClaimedParts?

  init(_ text: String, _ storeOptions: StoreOptions) throws {
    self.text = text
    if let digest = Digest(hex: text) {
      self.digest = digest
      description = "digest \(digest.short)…"
      claims = Set(ClaimKind.allCases.map { Claim($0, digest) })
      return
    }
    let isURL = ["http://", "https://", "s3://"].contains { text.hasPrefix($0) }
    if isURL || LookupSubject.isArchive(text) {
      let seal = try ArchiveReader.seal(in: try storeOptions.open(text))
      self.seal = seal
      description = "the archive with root \(seal.archiveRoot.short)…, or its model"
      claims = [
        Claim(.archiveRoot, seal.archiveRoot), Claim(.archiveID, seal.archiveID),
        Claim(.model, seal.modelDigest), Claim(.checkpointWeights, seal.modelDigest),
      ]
      return
    }
    let isDigits = text.utf8.allSatisfy {
      (48...57).contains($0) || (65...70).contains($0) || (97...102).contains($0)
    }
    if isDigits, !text.isEmpty, access(text, F_OK) != 0 {
      throw CommandFailure(
        code: "missing", place: printable(text), message: "there is no such file",
        remedy: "if it is meant as a digest: one has 64 lower-case hexadecimal digits")
    }
    let tensors = try loadModel(text)
    guard let model = modelDigest(of: tensors) else {
      throw CommandFailure(
        code: "malformed", place: printable(text), message: "two tensors share a name",
        remedy: "check that this is the right file")
    }
    description = "model \(model.short)… or a tensor of it"
    let parts = ClaimedParts(model: model, tensors: Set(Publication.claimedTensors(tensors)))
    self.model = parts
    claims = Set(
      [Claim(.model, model), Claim(.checkpointWeights, model)]
        + parts.tensors.map { Claim(.tensor, $0) })
  }

  /// What other claims are compared with: the model file's tensors, the archive's own statement (as published, or
  /// made from the archive where it can be read), or the first proof that was found for a digest.
  func reference(
    in matches: [LedgerMatch], _ storeOptions: StoreOptions
  ) throws -> OverlapReference? {
    if let model { return OverlapReference(parts: model, own: nil) }
    for match in matches {
      guard let signed = match.signed, case .proof(let proof) = signed.statement else { continue }
      if let seal, proof.archiveRoot != seal.archiveRoot || signed.key != seal.proverKey {
        continue
      }
      return OverlapReference(parts: ClaimedParts(proof), own: match.entry.leafHash)
    }
    guard seal != nil, let reader = try? ArchiveReader(try storeOptions.open(text)),
      let proof = try? Publication.proof(of: reader, location: "")
    else { return nil }
    return OverlapReference(parts: ClaimedParts(proof), own: nil)
  }

  private static func isArchive(_ path: String) -> Bool {
    guard let source = try? DirectoryObjectSource(path) else { return false }
    return [ArchiveFiles.records, ArchiveFiles.objects].contains {
      ((try? source.byteCount(of: $0)) ?? nil) != nil
    }
  }
}

/// Reads a model file whose tensors are weights.
func loadModel(_ path: String) throws -> [Tensor] {
  // 4 GiB: the file is held in memory whole.
  let bytes = try DurableFile.readWhole(path, limit: 4 << 30, followsSymlinks: true)
  return try CommandFailure.at(path) { try SafetensorsFile.parse(bytes, role: .weight) }
}

/// One entry of a look-up in words.
private struct LookupAnswer {
  private let match: LedgerMatch
  private let kind: String
  private let standing: ClaimStanding?
  private let withdrawal: KeyWithdrawal?
  private let judgements: ProofJudgements?
  private let clocks: ClocksText?

  init(
    _ match: LedgerMatch, _ standing: ClaimStanding?, _ withdrawal: KeyWithdrawal?,
    _ judgements: ProofJudgements?, _ clocks: ClocksText?
  ) {
    self.match = match
    self.clocks = clocks
    self.standing = standing
    self.withdrawal = withdrawal
    self.judgements = judgements
    kind = match.signed?.statement.kind ?? "opaque"
  }

  var index: LeafIndex { match.index }
  var isAnchor: Bool {
    if case .anchor? = match.signed?.statement { true } else { false }
  }

  private var keyID: String { match.signed?.key.keyID.hex ?? "" }
  private var claimed: [String] { Set(match.claims.map(\.kind.rawValue)).sorted() }

  var lines: [String] {
    let first =
      "  \(match.index)  \(printable(kind)) by key \(keyID.prefix(12))…"
      + (standing.map { ", \($0.words)" } ?? "")
    return [first, "     same: \(claimed.joined(separator: ", ")); inclusion proved"]
      + (withdrawal.map { ["     key \($0.words)"] } ?? [])
      + (judgements?.words.map { ["     \($0)"] } ?? [])
      + (clocks?.lines.map { "     \($0)" } ?? [])
  }

  var json: JSONValue {
    .object(
      [
        .init("index", .int(match.index.value)), .init("kind", .string(kind)),
        .init("keyID", .string(keyID)), KeyWithdrawal.member(withdrawal),
      ] + (standing?.members ?? []) + (judgements?.members ?? []) + [
        .init("claims", .array(claimed.map { .string($0) })),
        .init("leafHash", .string(match.entry.leafHash.hex)),
        .init("proof", .string(String(decoding: match.proof.encoded, as: UTF8.self))),
      ] + (clocks.map { [.init("clocks", $0.json)] } ?? []))
  }
}
