import Cryptography
import ProofArchive
import ProofPrimitives

/// Record 0: what was fixed before training.
struct OpeningView {
  private let reader: ArchiveReader

  init(_ reader: ArchiveReader) { self.reader = reader }

  private var fields: [(name: String, member: String, value: JSONValue)] {
    let opening = reader.opening
    let commitment = opening.commitment
    var fields: [(String, String, JSONValue)] = [
      ("record hash", "hash", .string(reader.index.rows.first?.hash.hex ?? "")),
      ("archive id", "archiveID", .string(opening.archiveID.hex)),
      ("prover key", "proverKey", .string(Hex.encode(opening.proverKey.rawBytes))),
      ("prover key id", "proverKeyID", .string(opening.proverKey.keyID.hex)),
      ("dataset root", "datasetRoot", .string(opening.datasetRoot.hex)),
      ("dataset count", "datasetCount", .int(opening.datasetCount)),
      ("settings digest", "settingsDigest", .string(opening.settingsDigest.hex)),
      ("policy digest", "policyDigest", .string(opening.policyDigest.hex)),
      ("run secret", "runSecret", .string(opening.runSecret.hex)),
      ("run seed", "runSeed", .string(opening.runSeed.hex)),
      ("salt", "salt", .string(opening.salt.hex)),
      ("chunk size", "chunkSize", .int(opening.sizes.chunk)),
      ("small limit", "smallLimit", .int(opening.sizes.small)),
    ]
    if let commitment {
      fields += [
        ("log origin", "logOrigin", .string(commitment.logOrigin)),
        ("commitment", "commitment", .string(commitment.leafHash.hex)),
        ("entry", "commitmentIndex", .int(commitment.index)),
        ("head size", "headSize", .int(commitment.headSize)),
        ("head root", "headRoot", .string(commitment.headRoot.hex)),
      ]
    }
    return fields
  }

  func show(_ output: Output) {
    output.rows(
      fields.map {
        ($0.name, $0.value.stringValue.map { printable($0) } ?? $0.value.encodedText)
      })
    if reader.opening.commitment == nil { output.line("no ledger: the start is not proved") }
    output.document("pol-inspect-opening/1", fields.map { ($0.member, $0.value) })
  }
}
