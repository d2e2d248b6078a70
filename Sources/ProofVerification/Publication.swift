internal import ChunkStorage
internal import Cryptography
package import MerkleTrees
package import ProofArchive
package import ProofPrimitives
package import TransparencyLedger

/// What a prover puts on a ledger: the commitment before a run, the proof after it (`spec/statements.md`).
package enum Publication {
  /// What record 0 says of a commitment that is on the ledger: its place, and the first head that
  /// covers it.
  package static func opening(
    entry: [UInt8], at index: LeafIndex, in view: LedgerView
  ) throws(LedgerError) -> OpeningRecord.Commitment {
    let first = try view.firstHead(covering: index)
    return OpeningRecord.Commitment(
      logOrigin: first.head.origin, leafHash: MerkleTree.leafHash(of: entry), index: index.value,
      headSize: first.head.size.value, headRoot: first.head.root)
  }

  /// The statement that publishes a sealed archive.
  ///
  /// - Complexity: reads every record, the weights of up to 64 checkpoints, and nothing else.
  package static func proof(
    of reader: ArchiveReader, location: String, parents: [Digest] = []
  ) throws(ArchiveError) -> ProofStatement {
    guard let seal = reader.seal else {
      throw ArchiveError(
        .missing, at: reader.source.location, "the archive is not sealed",
        remedy: "seal it with `pol seal`")
    }
    let last = reader.index.rows.count - 1
    let claims = try reader.claims()
    let heldOut = ProofStatement.HeldOut(
      correct: claims?["heldOut"]?["correct"]?.countValue ?? 0,
      count: claims?["heldOut"]?["count"]?.countValue ?? 0)
    let final = try reader.state(last, roles: [.weight, .buffer])
    return ProofStatement(
      archiveID: seal.archiveID, archiveRoot: seal.archiveRoot,
      commitment: reader.opening.commitment?.leafHash ?? .zero,
      checkpointWeights: try checkpointDigests(reader, last: last),
      datasetRoot: reader.opening.datasetRoot, heldOut: heldOut, location: location,
      logOrigin: reader.opening.commitment?.logOrigin ?? "", modelDigest: seal.modelDigest,
      parents: parents, policyDigest: reader.opening.policyDigest,
      proverKey: Digest(seal.proverKey.rawBytes) ?? .zero, sealDigest: seal.digest,
      settingsDigest: reader.opening.settingsDigest, sketch: try sketch(reader, last: last),
      steps: seal.stepCount, tensors: tensorDigests(of: final))
  }

  /// A tensor below this many bytes says nothing of whose it is: biases and scales repeat.
  package static let tensorByteCount = 4096

  /// Digests of the tensors that a statement lays claim to, the largest first, equally large ones in the
  /// order given, each digest once.
  ///
  /// Tensors under 4 KiB and those whose elements all have the same bytes (zeros, ones) are left out:
  /// everybody has them.
  package static func claimedTensors(_ tensors: [Tensor]) -> [Digest] {
    var seen = Set<Digest>()
    return tensors.filter { tensor in
      (tensor.spec.role == .weight || tensor.spec.role == .buffer)
        && tensor.bytes.count >= tensorByteCount && !isConstant(tensor)
    }
    .enumerated()
    .sorted { ($1.element.bytes.count, $0.offset) < ($0.element.bytes.count, $1.offset) }
    .map(\.element.digest)
    .filter { seen.insert($0).inserted }
  }

  private static func isConstant(_ tensor: Tensor) -> Bool {
    let width = tensor.spec.type.byteCount
    // Every byte equals the one an element before it.
    return zip(tensor.bytes, tensor.bytes.dropFirst(width)).allSatisfy { $0 == $1 }
  }

  /// The digests that a proof's own statement has room for.
  static func tensorDigests(of final: TrainingState) -> [Digest] {
    Array(claimedTensors(final.tensors).prefix(ProofStatement.tensorLimit))
  }

  /// More parts would claim more tensors than any model has.
  package static let partLimit = 128

  /// The digests beyond those, in lists for one part of the proof each.
  package static func partDigests(of final: TrainingState) -> [[Digest]] {
    let rest = Array(claimedTensors(final.tensors).dropFirst(ProofStatement.tensorLimit))
    return stride(from: 0, to: rest.count, by: ProofPartStatement.tensorLimit)
      .prefix(partLimit)
      .map { Array(rest[$0..<min($0 + ProofPartStatement.tensorLimit, rest.count)]).sorted() }
  }

  /// Records whose models a statement names: evenly spaced, the last one included.
  static func checkpointNumbers(last: Int) -> [Int] {
    let count = min(last, ProofStatement.checkpointLimit)
    return (0..<count).map { last * ($0 + 1) / count }
  }

  static func weightChunks(of record: CheckpointRecord) -> [Digest] {
    record.layout.chunks.indices
      .filter { record.layout.role(ofChunk: $0) == .weight }
      .map { record.chunks[$0] }
  }

  /// Model digests of evenly spaced checkpoints, the last one included.
  private static func checkpointDigests(
    _ reader: ArchiveReader, last: Int
  ) throws(ArchiveError) -> [Digest] {
    var digests: [Digest] = []
    for number in checkpointNumbers(last: last) {
      let state = try reader.state(number, roles: [.weight, .buffer])
      if let digest = modelDigest(of: state.tensors) { digests.append(digest) }
    }
    return digests
  }

  /// What parts of the proof are to list, for a sealed archive.
  package static func partDigests(of reader: ArchiveReader) throws(ArchiveError) -> [[Digest]] {
    let last = reader.index.rows.count - 1
    return partDigests(of: try reader.state(last, roles: [.weight, .buffer]))
  }

  /// The smallest digests among all weight chunks of the run: two runs that share weights share some.
  private static func sketch(
    _ reader: ArchiveReader, last: Int
  ) throws(ArchiveError) -> [Digest] {
    var smallest = Set<Digest>()
    for number in 1...last {
      smallest.formUnion(weightChunks(of: try reader.checkpoint(number)))
      if smallest.count > 4 * ProofStatement.sketchLimit {
        smallest = Set(smallest.sorted().prefix(ProofStatement.sketchLimit))
      }
    }
    return Array(smallest.sorted().prefix(ProofStatement.sketchLimit))
  }
}
