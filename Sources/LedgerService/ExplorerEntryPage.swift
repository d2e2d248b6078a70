import ChunkStorage
import Cryptography
import MerkleTrees
import ProofPrimitives
import TransparencyLedger

/// An entry in plain words, with what bears on it.
struct EntryPage {
  private let ledger: ExplorerView
  private let files: RootedFiles

  init(_ ledger: ExplorerView, _ files: RootedFiles) {
    self.ledger = ledger
    self.files = files
  }

  func values(_ index: LeafIndex) throws(LedgerError) -> [String: Any] {
    let found = try ledger.found([index])
    guard let one = found.first else {
      throw LedgerError(.beyondHead, "there is no entry \(index)", remedy: "check the number")
    }
    let standing = try ledger.standings(found)[index]
    var values: [String: Any] = [
      "title": "Entry \(index)", "index": index.description,
      "kind": ExplorerWords.kind(one.parsed), "heading": ExplorerWords.title(one.parsed),
      "sentence": ExplorerWords.sentence(one.parsed),
      "leafHash": one.entry.leafHash.hex,
      "byteCount": ExplorerWords.grouped(one.entry.bytes.count),
      "standing": standing.map { ExplorerWords.standing($0).map { ["standingWords": $0] } } ?? [],
      "facts": facts(one.parsed), "lists": lists(one.parsed),
      "witnesses": ledger.witnessLines, "hasWitnesses": !ledger.witnessLines.isEmpty,
    ]
    if let key = one.parsed.signed?.key {
      values["key"] = Hex.encode(key.rawBytes)
      values["keyShort"] = String(Hex.encode(key.rawBytes).prefix(16))
    }
    values.merge(content(one)) { $1 }
    values.merge(place(index)) { $1 }
    values.merge(try neighbours(one, standing)) { $1 }
    if index.value > 0 { values["previous"] = String(index.value - 1) }
    if index.value + 1 < ledger.view.head.size.value { values["next"] = String(index.value + 1) }
    return values
  }

  /// Under which published head it came.
  private func place(_ index: LeafIndex) -> [String: Any] {
    guard let file = try? files.open("history"),
      let heads = try? ExplorerHistory(file).heads(around: index)
    else { return [:] }
    var words = "It came under the published head of \(ExplorerWords.grouped(heads.first)) entries"
    let together = heads.first - (heads.before ?? 0)
    words +=
      together > 1
      ? ", with \(ExplorerWords.grouped(together - 1)) other\(together == 2 ? "" : "s"): the log alone chose the "
        + "order among these." : ", alone."
    return ["place": words]
  }

  /// The claim's place among others, what others say of it, and what shares parts with it.
  private func neighbours(
    _ one: ExplorerView.Found, _ standing: ClaimStanding?
  ) throws(LedgerError) -> [String: Any] {
    var values: [String: Any] = [:]
    let limit = ExplorerLimits.rows
    let about = try ledger.found(
      try ledger.find(
        [
          Claim(.proof, one.entry.leafHash), Claim(.opens, one.entry.leafHash),
          Claim(.commitment, one.entry.leafHash), Claim(.parent, one.entry.leafHash),
          Claim(.challenge, one.entry.leafHash),
        ], limit: limit))
    values["about"] = ledger.rows(about)
    values["hasAbout"] = !about.isEmpty
    guard case .proof(let proof)? = one.parsed.signed?.statement, let standing else {
      return values
    }
    let same = try ledger.found(
      try ledger.find(
        [Claim(.model, proof.modelDigest), Claim(.checkpointWeights, proof.modelDigest)],
        limit: limit))
    let standings = try ledger.standings(same)
    let earlier = same.filter { $0.index != one.index }.compactMap { other in
      standings[other.index].map { (other.index, $0.committedAt) }
    }.filter { $0.1 < standing.committedAt }.min { $0.1 < $1.1 }
    values["first"] =
      earlier.map {
        "Entry \($0.0) claims this model too, and was fixed earlier (at \($0.1))."
      }
      ?? (same.count < limit
        ? "First claimed here: no other opened claim on this model was fixed earlier among \(ledger.coverage)."
        : "None of the first \(limit) claims on this model was fixed earlier; there are more.")
    values["isFirst"] = earlier == nil
    values["same"] = ledger.rows(same.filter { $0.index != one.index }, standings)
    values["hasSame"] = same.contains { $0.index != one.index }
    let overlaps = try overlaps(proof, one, besides: Set(same.map(\.index)))
    values["overlaps"] = overlaps
    values["hasOverlaps"] = !overlaps.isEmpty
    return values
  }

  private func overlaps(
    _ proof: ProofStatement, _ one: ExplorerView.Found, besides: Set<LeafIndex>
  ) throws(LedgerError) -> [[String: Any]] {
    let parts = ClaimedParts(proof)
    let indices = try ledger.find(parts.claims, limit: ExplorerLimits.overlaps + besides.count + 1)
      .filter { $0 != one.index && !besides.contains($0) }
    return try ledger.found(Array(indices.prefix(ExplorerLimits.overlaps))).compactMap { other in
      guard case .proof(let statement)? = other.parsed.signed?.statement else { return nil }
      let overlap = ClaimOverlap(of: parts, in: ClaimedParts(statement))
      guard !overlap.isEmpty else { return nil }
      return [
        "overlapIndex": other.index.description, "overlapWords": ExplorerWords.overlap(overlap),
      ]
    }
  }

  // MARK: What the statement says

  private func facts(_ parsed: ParsedEntry) -> [[String: Any]] {
    func digest(_ name: String, _ value: Digest) -> [[String: Any]] {
      value.isZero ? [] : [["factName": name, "factDigest": value.hex]]
    }
    func text(_ name: String, _ value: String) -> [[String: Any]] {
      value.isEmpty ? [] : [["factName": name, "factText": shown(value)]]
    }
    switch parsed.signed?.statement {
    case nil: return []
    case .anchor(let statement):
      return digest("Archive", statement.archiveID) + digest("Chain head", statement.chainHead)
        + digest("Run commitment", statement.commitment)
    case .challenge(let statement): return digest("Proof", statement.proof)
    case .commitment(let statement):
      return digest("Dataset", statement.datasetRoot) + digest("Settings", statement.settingsDigest)
        + digest("Policy", statement.policyDigest) + digest("Run", statement.runSecretDigest)
    case .hidden(let statement): return digest("Hiding digest", statement.hidingDigest)
    case .indexRoot(let statement): return digest("Root of the map", statement.mapRoot)
    case .logBegin(let statement): return digest("Root of the other log", statement.predecessorRoot)
    case .logEnd(let statement): return digest("Root at the end", statement.treeRoot)
    case .proof(let statement):
      let score = statement.heldOut
      return digest("Model", statement.modelDigest) + digest("Archive root", statement.archiveRoot)
        + digest("Archive", statement.archiveID) + digest("Seal", statement.sealDigest)
        + digest("Dataset", statement.datasetRoot) + digest("Settings", statement.settingsDigest)
        + digest("Run commitment", statement.commitment)
        + (score.count > 0
          ? text(
            "Held-out score",
            "\(ExplorerWords.grouped(score.correct)) of \(ExplorerWords.grouped(score.count)), as claimed"
          ) : [])
        + text("Archive served at", statement.location)
    case .proofPart(let statement): return digest("Proof", statement.proof)
    case .verdict(let statement):
      return digest("Proof", statement.proof) + digest("Challenge", statement.challenge)
        + text("Reason", statement.reason) + digest("Report", statement.reportDigest)
    case .withdrawal(let statement): return digest("Key ID", statement.keyID)
    case .other(let type): return text("Kind", type)
    }
  }

  private func lists(_ parsed: ParsedEntry) -> [[String: Any]] {
    func list(_ name: String, _ digests: [Digest]) -> [[String: Any]] {
      digests.isEmpty
        ? []
        : [
          [
            "listName": name, "listCount": String(digests.count),
            "listItems": digests.map { ["listDigest": $0.hex] },
          ]
        ]
    }
    switch parsed.signed?.statement {
    case .proof(let statement):
      return list("Tensors", statement.tensors)
        + list("Checkpoints on the way", statement.checkpointWeights)
        + list("Sketch of weight chunks", statement.sketch) + list("Parents", statement.parents)
    case .proofPart(let statement): return list("Tensors", statement.tensors)
    default: return []
    }
  }

  /// The signed text, or for bytes that are no statement their beginning.
  private func content(_ one: ExplorerView.Found) -> [String: Any] {
    if let signed = one.parsed.signed {
      return [
        "payload": shown(
          String(decoding: signed.envelope.payload, as: UTF8.self),
          limit: ExplorerLimits.payloadScalars)
      ]
    }
    var values: [String: Any] = [:]
    if case .opaque(let reason) = one.parsed {
      values["reason"] = "\(reason.code.name): \(shown(reason.message))"
    }
    let bytes = one.entry.bytes.prefix(ExplorerLimits.hexBytes)
    values["hexLines"] = stride(from: 0, to: bytes.count, by: 16).map { start in
      let row = bytes[start..<min(start + 16, bytes.count)]
      let offset = String(start, radix: 16)
      return [
        "hexOffset": String(repeating: "0", count: 4 - offset.utf8.count) + offset,
        "hexBytes": row.map { Hex.encode([$0]) }.joined(separator: " "),
        "hexText": String(
          decoding: row.map { (33...126).contains($0) ? $0 : UInt8(ascii: ".") }, as: UTF8.self),
      ]
    }
    values["isCut"] = one.entry.bytes.count > ExplorerLimits.hexBytes
    return values
  }
}
