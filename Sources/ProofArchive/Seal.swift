package import Cryptography
package import ProofPrimitives

/// What the prover signs when the training is over (`spec/archive.md` §6).
package struct Seal: Equatable, Sendable {
  package static let byteCount = 392
  private static let signedByteCount = 328
  private static let magic = Array("polseal1".utf8)

  /// 0 for an archive that is not encrypted.
  package let keyEpoch: UInt32
  /// What the epoch key is held to; zero for an archive that is not encrypted.
  package let keyCommitment: Digest
  package let archiveID: Digest
  package let archiveRoot: Digest
  package let recordCount: Int
  package let stepCount: Int
  package let modelDigest: Digest
  package let objectRoot: Digest
  package let objectCount: Int
  package let normsDigest: Digest
  package let finalRecord: Digest
  package let proverKey: VerifyingKey
  package private(set) var signature: [UInt8]

  /// Segments between consecutive checkpoints.
  package var segmentCount: Int { recordCount - 2 }

  package init(
    archiveID: Digest, archiveRoot: Digest, recordCount: Int, stepCount: Int, modelDigest: Digest,
    objectRoot: Digest, objectCount: Int, normsDigest: Digest, finalRecord: Digest,
    encryptedWith contentKey: ContentKey? = nil, signedBy key: SigningKey
  ) throws(CryptographyError) {
    keyEpoch = contentKey?.epoch ?? 0
    keyCommitment = contentKey?.commitment ?? .zero
    self.archiveID = archiveID
    self.archiveRoot = archiveRoot
    self.recordCount = recordCount
    self.stepCount = stepCount
    self.modelDigest = modelDigest
    self.objectRoot = objectRoot
    self.objectCount = objectCount
    self.normsDigest = normsDigest
    self.finalRecord = finalRecord
    proverKey = key.verifyingKey
    signature = []
    signature = try key.signature(over: DomainTag.seal.bytes + signedBytes)
  }

  /// Cipher suite: 0 = none, 1 = AES-256-GCM.
  package var suite: UInt16 { keyEpoch > 0 ? 1 : 0 }

  private var signedBytes: [UInt8] {
    var writer = ByteWriter()
    writer.raw(Seal.magic)
    writer.u16(1)
    writer.u16(suite)
    writer.u32(keyEpoch)
    writer.digest(archiveID)
    writer.digest(archiveRoot)
    writer.u64(UInt64(recordCount))
    writer.u64(UInt64(stepCount))
    writer.digest(modelDigest)
    writer.digest(objectRoot)
    writer.u32(UInt32(objectCount))
    writer.u32(0)
    writer.digest(normsDigest)
    writer.digest(keyCommitment)
    writer.digest(finalRecord)
    writer.digest(.zero)
    writer.raw(proverKey.rawBytes)
    return writer.bytes
  }

  package var encoded: [UInt8] { signedBytes + signature }

  package var digest: Digest { SHA256.hash(.sealDigest, encoded) }

  /// Length, magic, version, suite and signature: what must hold before a field is believed.
  static func checkSignature(_ bytes: [UInt8]) throws(ParsingError) {
    guard bytes.count == Seal.byteCount else {
      throw ParsingError(
        "a seal has \(Seal.byteCount) bytes, not \(bytes.count)", at: 0, kind: .damaged)
    }
    var reader = ByteReader(bytes)
    try reader.expect(Seal.magic, "magic of the seal")
    guard try reader.u16("seal version") == 1 else {
      throw ParsingError("unsupported seal version", at: 8, kind: .unsupported)
    }
    guard try reader.u16("cipher suite") <= 1 else {
      throw ParsingError("unsupported cipher suite", at: 10, kind: .unsupported)
    }
    let signed = bytes[..<signedByteCount]
    guard let key = VerifyingKey(rawBytes: signed.suffix(32)),
      key.isValid(Array(bytes[signedByteCount...]), over: DomainTag.seal.bytes + signed)
    else {
      throw ParsingError("the signature is not the prover key's", at: 328, kind: .damaged)
    }
  }

  /// Reads a seal whose signature was checked.
  package init(parsing bytes: [UInt8]) throws(ParsingError) {
    try Seal.checkSignature(bytes)
    var reader = ByteReader(bytes)
    _ = try reader.take(10, "magic and version")
    let isEncrypted = try reader.u16("cipher suite") == 1
    keyEpoch = try reader.u32("key epoch")
    guard (keyEpoch > 0) == isEncrypted else {
      throw ParsingError("the key epoch does not fit the cipher suite", at: 12)
    }
    archiveID = try reader.digest("archive id")
    archiveRoot = try reader.digest("archive root")
    let records = try reader.u64("record count")
    let steps = try reader.u64("step count")
    guard (2...UInt64(CheckpointRecord.stepLimit)).contains(records),
      steps <= UInt64(CheckpointRecord.stepLimit)
    else { throw ParsingError("the record or step count is out of bounds", at: 80) }
    recordCount = Int(records)
    stepCount = Int(steps)
    modelDigest = try reader.digest("model digest")
    objectRoot = try reader.digest("object root")
    objectCount = Int(try reader.u32("object count"))
    guard try reader.u32("reserved") == 0 else {
      throw ParsingError("a reserved field is not 0", at: 164)
    }
    normsDigest = try reader.digest("norms digest")
    keyCommitment = try reader.digest("key commitment")
    guard isEncrypted || keyCommitment.isZero else {
      throw ParsingError("a key commitment without encryption", at: 200)
    }
    finalRecord = try reader.digest("final record")
    guard try reader.digest("reserved").isZero else {
      throw ParsingError("a reserved field is not 0", at: 264)
    }
    guard let key = VerifyingKey(rawBytes: try reader.take(32, "prover key")) else {
      throw ParsingError("the prover key is not an Ed25519 key", at: 296)
    }
    proverKey = key
    signature = Array(try reader.take(64, "signature"))
  }
}
