package import Cryptography
package import ProofPrimitives

/// Record 0: binds prover, ledger, dataset, policy and settings before anything is trained
/// (`spec/archive.md` §3.2).
package struct OpeningRecord: Equatable, Sendable {
  /// The log's side: what makes the run seed impossible to know before the commitment was public.
  package struct Commitment: Equatable, Sendable {
    package let logOrigin: String
    package let leafHash: Digest
    package let index: UInt64
    package let headSize: UInt64
    package let headRoot: Digest

    package init(
      logOrigin: String, leafHash: Digest, index: UInt64, headSize: UInt64, headRoot: Digest
    ) {
      self.logOrigin = logOrigin
      self.leafHash = leafHash
      self.index = index
      self.headSize = headSize
      self.headRoot = headRoot
    }
  }

  package let archiveID: Digest
  package let proverKey: VerifyingKey
  package let datasetRoot: Digest
  package let datasetCount: Int
  package let settingsDigest: Digest
  package let policyDigest: Digest
  package let runSecret: Digest
  package let salt: Digest
  /// Nil for an archive made without a ledger.
  package let commitment: Commitment?
  package let sizes: ChunkSizes

  package static let originLimit = 255

  package init(
    archiveID: Digest, proverKey: VerifyingKey, datasetRoot: Digest, datasetCount: Int,
    settingsDigest: Digest, policyDigest: Digest, runSecret: Digest, salt: Digest,
    commitment: Commitment?, sizes: ChunkSizes = .standard
  ) {
    self.archiveID = archiveID
    self.proverKey = proverKey
    self.datasetRoot = datasetRoot
    self.datasetCount = datasetCount
    self.settingsDigest = settingsDigest
    self.policyDigest = policyDigest
    self.runSecret = runSecret
    self.salt = salt
    self.commitment = commitment
    self.sizes = sizes
  }

  /// From which initial weights and batch order derive.
  package var runSeed: Digest {
    var info = proverKey.rawBytes
    for digest in [datasetRoot, policyDigest, settingsDigest] { digest.append(to: &info) }
    (commitment?.leafHash ?? .zero).append(to: &info)
    (commitment?.headRoot ?? .zero).append(to: &info)
    return hkdfSHA256(secret: runSecret.bytes, salt: DomainTag.runSeed.bytes, info: info)
  }

  package var encoded: [UInt8] {
    var writer = ByteWriter()
    writer.digest(archiveID)
    writer.raw(proverKey.rawBytes)
    writer.digest(datasetRoot)
    writer.u64(UInt64(datasetCount))
    for digest in [settingsDigest, policyDigest, runSecret, salt] { writer.digest(digest) }
    writer.digest(commitment?.leafHash ?? .zero)
    writer.u64(commitment?.index ?? 0)
    writer.u64(commitment?.headSize ?? 0)
    writer.digest(commitment?.headRoot ?? .zero)
    writer.u32(UInt32(sizes.chunk))
    writer.u32(UInt32(sizes.small))
    writer.string(commitment?.logOrigin ?? "")
    return RecordHeader(kind: .opening, sequence: 0, previous: .zero).record(body: writer.bytes)
  }

  package init(parsing record: ArraySlice<UInt8>) throws(ParsingError) {
    var reader = ByteReader(record)
    let header = try RecordHeader(&reader)
    guard header.kind == .opening, header.sequence == 0, header.previous.isZero else {
      throw ParsingError("record 0 is not an opening record", at: 0)
    }
    archiveID = try reader.digest("archive id")
    guard let key = VerifyingKey(rawBytes: try reader.take(32, "prover key")) else {
      throw ParsingError("the prover key is not an Ed25519 key", at: 80)
    }
    proverKey = key
    datasetRoot = try reader.digest("dataset root")
    let count = try reader.u64("dataset count")
    guard count <= UInt64(UInt32.max) else {
      throw ParsingError("the dataset count is over the limit", at: 144, kind: .limit)
    }
    // No data point is known of an imported archive.
    guard count >= 1 || datasetRoot == signatureRoot(of: []) else {
      throw ParsingError("an empty dataset has another root than the empty tree", at: 112)
    }
    datasetCount = Int(count)
    settingsDigest = try reader.digest("settings digest")
    policyDigest = try reader.digest("policy digest")
    runSecret = try reader.digest("run secret")
    salt = try reader.digest("salt")
    let leafHash = try reader.digest("commitment")
    let index = try reader.u64("commitment index")
    let headSize = try reader.u64("head size")
    let headRoot = try reader.digest("head root")
    let (chunk, small) = (try reader.u32("chunk size"), try reader.u32("small limit"))
    guard let sizes = ChunkSizes(checked: chunk, small: small) else {
      let isLarge =
        chunk > ChunkSizes.chunkLimit
        || small > chunk && ChunkSizes(checked: chunk, small: 0) != nil
      throw ParsingError(
        "the chunk sizes are out of bounds", at: 360, kind: isLarge ? .limit : .malformed)
    }
    self.sizes = sizes
    let originOffset = reader.offset
    let origin = try reader.string("log origin", limit: OpeningRecord.originLimit)
    try reader.finish("opening record")
    if leafHash.isZero {
      guard index == 0, headSize == 0, headRoot.isZero, origin.isEmpty else {
        throw ParsingError("a ledger is named and no commitment", at: originOffset)
      }
      commitment = nil
    } else {
      guard headSize > index, !origin.isEmpty else {
        throw ParsingError("the tree head does not cover the commitment", at: 312)
      }
      commitment = Commitment(
        logOrigin: origin, leafHash: leafHash, index: index, headSize: headSize, headRoot: headRoot)
    }
  }
}
