import ArgumentParser
import ChunkStorage
import Cryptography
import MerkleTrees
import ProofArchive
import ProofPrimitives
import ProofVerification
import TransparencyLedger

struct Lookup: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Who claimed a model, an archive or a digest first?",
    discussion: """
      Every answer is proved against the ledger's signed tree head. Exit status 0 when there is an \
      answer, also when it is that nobody did.

      Example:
        pol lookup model.safetensors --ledger ledger
        pol lookup run.pol --ledger https://example.org/ledger --ledger-key ledger.vkey
      """)

  @Argument(
    help: ArgumentHelp(
      "A safetensors file, an archive, or 64 hexadecimal digits.", valueName: "file-or-digest"))
  var subject: String
  @OptionGroup var ledgerOptions: LedgerOptions
  @Flag(help: "Read every entry instead of asking the local index.")
  var scan = false
  @OptionGroup var reporting: Reporting

  func validate() throws {
    guard ledgerOptions.ledger != nil else { throw ValidationError("--ledger is missing") }
  }

  func run() throws {
    try reporting.run { output in
      guard let access = try ledgerOptions.open(output) else { return 1 }
      let subject = try LookupSubject(self.subject)
      let isLocal = !access.location.hasPrefix("http://") && !access.location.hasPrefix("https://")
      let index = isLocal && !scan ? try? ClaimIndex(directory: access.location) : nil
      let matches =
        try index.map { try $0.lookup(subject.claims, in: access.view) }
        ?? access.view.lookup(subject.claims)
      let described = matches.map { LookupAnswer($0, access.view) }
      let head = access.view.head
      output.line(
        described.isEmpty
          ? "nobody claimed \(subject.description) among the first \(head.size) entries"
          : "\(described.count) of \(head.size) entries claim \(subject.description), earliest first:")
      for answer in described { for line in answer.lines { output.line(line) } }
      output.document(
        "pol-lookup/1",
        [
          ("subject", .string(subject.description)),
          ("origin", .string(head.origin)), ("treeSize", .int(head.size.value)),
          ("treeRoot", .string(head.root.hex)),
          ("method", .string(index == nil ? "scan" : "index")),
          ("entries", .array(described.map(\.json))),
        ])
      return 0
    }
  }
}

/// What is looked up, and the claims that would be about it.
private struct LookupSubject {
  let description: String
  let claims: Set<Claim>
  /// 4 GiB: a model file is read whole.
  private static let fileLimit = 4 << 30

  init(_ text: String) throws {
    if let digest = Digest(hex: text) {
      description = "digest \(digest.short)…"
      claims = Set(ClaimKind.allCases.map { Claim($0, digest) })
      return
    }
    if text.hasPrefix("http") || LookupSubject.isArchive(text) {
      let seal = try ArchiveReader.seal(in: try openObjectSource(text))
      description = "the archive with root \(seal.archiveRoot.short)…, or its model"
      claims = [
        Claim(.archiveRoot, seal.archiveRoot), Claim(.archiveID, seal.archiveID),
        Claim(.model, seal.modelDigest), Claim(.checkpointWeights, seal.modelDigest),
      ]
      return
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
    return (try? source.byteCount(of: ArchiveFiles.records)) ?? nil != nil
  }
}

/// Reads a model file whose tensors are weights.
func loadModel(_ path: String) throws -> [Tensor] {
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
