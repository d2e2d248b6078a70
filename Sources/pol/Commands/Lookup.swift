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
      only after every entry was read. A digest may be of a model, a tensor, an archive, a seal, a \
      dataset, an entry or a key. Exit status 0 when there is an answer, also when it is that nobody did.

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
  @Flag(help: "Read every entry instead of asking the local index.")
  var scan = false
  @OptionGroup var memoryOptions: HeadMemoryOptions
  @OptionGroup var storeOptions: StoreOptions
  @OptionGroup var reporting: Reporting

  func validate() throws {
    guard ledgerOptions.ledger != nil else { throw ValidationError("--ledger is missing") }
  }

  func run() throws {
    try reporting.run { output in
      guard let access = try ledgerOptions.open(output) else { return 1 }
      try memoryOptions.memory()?.check(access.view)
      let subject = try LookupSubject(self.subject, storeOptions)
      let (matches, method) = try find(subject, access)
      let described = matches.map { LookupAnswer($0, access.view) }
      let head = access.view.head
      output.line(
        described.isEmpty
          ? "nobody claimed \(subject.description) among the first \(head.size) entries"
          : "\(described.count) of \(head.size) entries claim \(subject.description), earliest first:"
      )
      for answer in described { for line in answer.lines { output.line(line) } }
      output.document(
        "pol-lookup/1",
        [
          ("subject", .string(subject.description)),
          ("origin", .string(head.origin)), ("treeSize", .int(head.size.value)),
          ("treeRoot", .string(head.root.hex)),
          ("method", .string(method)),
          ("entries", .array(described.map(\.json))),
        ])
      return 0
    }
  }
}

extension Lookup {
  /// By the local index when it knows something; by reading every entry otherwise, because only that
  /// shows that there is nothing.
  private func find(
    _ subject: LookupSubject, _ access: LedgerAccess
  ) throws -> (matches: [LedgerMatch], method: String) {
    let isLocal = !access.location.hasPrefix("http://") && !access.location.hasPrefix("https://")
    if isLocal, !scan, let index = try? ClaimIndex(directory: access.location) {
      let matches = try index.lookup(subject.claims, in: access.view)
      if !matches.isEmpty { return (matches, "index") }
    }
    var claims = subject.claims
    if let digest = subject.digest { claims.formUnion(try named(digest, in: access.view)) }
    return (try access.view.lookup(claims), "scan")
  }

  /// Claims of the entries that a key id or a seal digest names: entries hold the key itself, and the
  /// seal's digest stands beside the claims.
  private func named(_ digest: Digest, in view: LedgerView) throws -> Set<Claim> {
    var claims = Set<Claim>()
    for entry in try view.allEntries() {
      guard let signed = LedgerEntry.parse(entry.bytes).signed else { continue }
      var isNamed = signed.key.keyID == digest
      if case .proof(let proof) = signed.statement {
        isNamed = isNamed || proof.sealDigest == digest
      }
      if isNamed { claims.insert(Claim(.entry, entry.leafHash)) }
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

  init(_ text: String, _ storeOptions: StoreOptions) throws {
    if let digest = Digest(hex: text) {
      self.digest = digest
      description = "digest \(digest.short)…"
      claims = Set(ClaimKind.allCases.map { Claim($0, digest) })
      return
    }
    let isURL = ["http://", "https://", "s3://"].contains { text.hasPrefix($0) }
    if isURL || LookupSubject.isArchive(text) {
      let seal = try ArchiveReader.seal(in: try storeOptions.open(text))
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
    claims = Set(
      [Claim(.model, model), Claim(.checkpointWeights, model)]
        + tensors.map { Claim(.tensor, $0.digest) })
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
  private let committedAt: UInt64?

  init(_ match: LedgerMatch, _ view: LedgerView) {
    self.match = match
    switch match.signed?.statement {
    case .proof(let proof)?:
      kind = "proof"
      // The commitment that a proof stands on, when it is on this log under the same key.
      let commitment = (try? view.lookup([Claim(.entry, proof.commitment)]))?.first
      committedAt = commitment?.signed?.key == match.signed?.key ? commitment?.index.value : nil
    case .commitment?:
      kind = "commitment"
      committedAt = nil
    case .other(let type)?:
      kind = type
      committedAt = nil
    case nil:
      kind = "opaque"
      committedAt = nil
    }
  }

  private var keyID: String { match.signed?.key.keyID.hex ?? "" }
  private var claimed: [String] { Set(match.claims.map(\.kind.rawValue)).sorted() }

  var lines: [String] {
    let first =
      "  \(match.index)  \(printable(kind)) by key \(keyID.prefix(12))…"
      + (committedAt.map { ", committed at \($0)" } ?? "")
    return [first, "     same: \(claimed.joined(separator: ", ")); inclusion proved"]
  }

  var json: JSONValue {
    .object([
      .init("index", .int(match.index.value)), .init("kind", .string(kind)),
      .init("keyID", .string(keyID)),
      .init("committedAt", .int(committedAt.map { Int64($0) } ?? -1)),
      .init("claims", .array(claimed.map { .string($0) })),
      .init("leafHash", .string(match.entry.leafHash.hex)),
      .init("proof", .string(String(decoding: match.proof.encoded, as: UTF8.self))),
    ])
  }
}
