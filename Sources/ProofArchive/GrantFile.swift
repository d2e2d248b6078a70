internal import ChunkStorage
package import Cryptography
package import ProofPrimitives

/// What a seal says about the keys of its archive.
package struct SealedKeyFacts: Equatable, Sendable {
  package let archiveID: Digest
  package let epoch: UInt32
  package let sealDigest: Digest
  package let keyCommitment: Digest

  package init(archiveID: Digest, epoch: UInt32, sealDigest: Digest, keyCommitment: Digest) {
    self.archiveID = archiveID
    self.epoch = epoch
    self.sealDigest = sealDigest
    self.keyCommitment = keyCommitment
  }

  /// The key for reading everything, if it is the one that the seal commits to.
  ///
  /// - Throws: `.wrongKey`.
  package func contentKey(_ key: EpochKey) throws(ArchiveError) -> ContentKey {
    guard epoch >= 1 else {
      throw ArchiveError(
        .otherEpoch, at: "seal", "the archive is not encrypted", remedy: "read it without a key")
    }
    let contentKey = ContentKey(key, epoch: epoch, archiveID: archiveID)
    guard contentKey.commitment == keyCommitment else {
      throw ArchiveError(
        .wrongKey, at: "epoch key", "it is not the key that the seal commits to",
        remedy: "ask the prover for a grant, or give the key file of this archive")
    }
    return contentKey
  }
}

/// Grants as files: age around the bytes of a `Grant` (`spec/encryption.md` §6).
extension Grant {
  /// A file that each of `recipients` opens alone.
  package func encrypted(
    to recipients: [AgeRecipient]
  ) throws(CryptographyError) -> [UInt8] {
    try AgeFile.encrypt(encoded, to: recipients)
  }

  /// Opens a grant's file. Who made it is not known before `keys(for:)` compares it with the seal.
  package init(opening file: [UInt8], with identities: [AgeIdentity]) throws(ArchiveError) {
    let plaintext: [UInt8]
    do throws(CryptographyError) {
      plaintext = try AgeFile.decrypt(file, with: identities)
    } catch {
      let code: ArchiveError.Code =
        switch error.code {
        case .noMatch: .wrongKey
        case .ageHeaderMAC, .agePayload: .damaged
        case .unsupported: .unsupported
        case .limit: .limit
        default: .malformed
        }
      throw ArchiveError(code, at: "grant", error.message, remedy: error.remedy)
    }
    do throws(ParsingError) {
      try self.init(parsing: plaintext)
    } catch {
      let code: ArchiveError.Code =
        switch error.kind {
        case .malformed: .malformed
        case .unsupported: .unsupported
        case .damaged: .damaged
        case .limit: .limit
        }
      throw ArchiveError(
        code, at: "grant, byte \(error.offset)", error.reason,
        remedy: "ask the prover for another grant")
    }
  }

  /// The keys, if this is a grant for exactly the sealed archive.
  ///
  /// - Throws: `.otherArchive`, `.otherEpoch`, `.otherSeal`, or `.wrongKey` for an epoch key that the seal
  ///   does not commit to.
  package func keys(for seal: SealedKeyFacts) throws(ArchiveError) -> KeySource {
    guard archiveID == seal.archiveID else {
      throw refused(.otherArchive, "it is for archive \(archiveID), not \(seal.archiveID)")
    }
    guard epoch == seal.epoch else {
      throw refused(.otherEpoch, "it is for key epoch \(epoch), not \(seal.epoch)")
    }
    guard sealDigest == seal.sealDigest else {
      throw refused(.otherSeal, "it is for seal \(sealDigest), not \(seal.sealDigest)")
    }
    switch scope {
    case .wholeArchive(let key): return .all(try seal.contentKey(key))
    case .segments(let segments, let table): return .segments(segments, table)
    }
  }

  private func refused(_ code: ArchiveError.Code, _ message: String) -> ArchiveError {
    ArchiveError(code, at: "grant", message, remedy: "ask the prover for a grant for this archive")
  }
}
