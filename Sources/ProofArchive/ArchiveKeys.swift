internal import ChunkStorage
internal import Cryptography
internal import ProofPrimitives

/// What a user has to open an archive with.
package enum ArchiveAccess: Sendable {
  /// Nothing: enough for an archive that is not encrypted.
  case none
  /// The prover's own key file.
  case epochKey(EpochKey)
  /// What the prover granted.
  case grant(Grant)

  /// The keys of a sealed archive; nil when it is not encrypted.
  func keys(for seal: Seal) throws(ArchiveError) -> ArchiveKeys? {
    guard seal.keyEpoch > 0 else { return nil }
    let facts = SealedKeyFacts(
      archiveID: seal.archiveID, epoch: seal.keyEpoch, sealDigest: seal.digest,
      keyCommitment: seal.keyCommitment)
    switch self {
    case .none: throw ArchiveAccess.noKey
    case .epochKey(let key):
      return ArchiveKeys(
        .all(try facts.contentKey(key)), archiveID: seal.archiveID, epoch: seal.keyEpoch)
    case .grant(let grant):
      return ArchiveKeys(
        try grant.keys(for: facts), archiveID: seal.archiveID, epoch: seal.keyEpoch)
    }
  }

  /// The keys of an archive that is not sealed yet, which only its prover has.
  func keys(for header: RecordsHeader) throws(ArchiveError) -> ArchiveKeys? {
    guard header.keyEpoch > 0 else { return nil }
    guard case .epochKey(let key) = self else { throw ArchiveAccess.noKey }
    let content = ContentKey(key, epoch: header.keyEpoch, archiveID: header.archiveID)
    return ArchiveKeys(.all(content), archiveID: header.archiveID, epoch: header.keyEpoch)
  }

  private static var noKey: ArchiveError {
    ArchiveError(
      .outsideGrant, at: "archive", "it is encrypted and no key was given",
      remedy: "give a grant with --grant and --identity, or the prover's --content-key")
  }
}

/// Opens the objects of one encrypted archive for one reader. Not for two threads at once.
package final class ArchiveKeys {
  let source: KeySource
  private let cipher: ObjectCipher

  init(_ source: KeySource, archiveID: Digest, epoch: UInt32) {
    self.source = source
    cipher = ObjectCipher(archiveID: archiveID, epoch: epoch)
  }

  /// A whole file, before its digest is compared.
  func openFile(
    _ bytes: [UInt8], _ kind: ObjectKind, at place: String
  ) throws(ArchiveError) -> [UInt8] {
    let file = try parsing(place) { () throws(ParsingError) in
      try EncryptedFile(parsing: bytes, kind)
    }
    let key = try source.key(kind, id: file.objectID)
    let plain = try parsing(place) { () throws(ParsingError) in
      try file.open(with: key, by: cipher)
    }
    try compare(
      plain[...], file.objectID, .plain(kind, byteCount: UInt32(plain.count)), at: place)
    return plain
  }

  /// Who has the epoch key can tell a name that was not derived from what it names.
  private func compare(
    _ encoded: ArraySlice<UInt8>, _ id: Digest, _ shape: ObjectShape, at place: String
  ) throws(ArchiveError) {
    guard case .all(let key) = source, cipher.id(of: encoded, shape, with: key) != id else {
      return
    }
    throw ArchiveError(.malformed, at: place, "its object id is not that of its content")
  }

  /// The encoded payload of a record's frame.
  func openRecord(
    _ stored: ArraySlice<UInt8>, id: Digest, number: Int, rawByteCount: Int, at place: String
  ) throws(ArchiveError) -> [UInt8] {
    let key = try source.key(.record, UInt64(number), id: id)
    let shape = ObjectShape.record(rawByteCount: UInt32(clamping: rawByteCount))
    let encoded = try parsing(place) { () throws(ParsingError) in
      try cipher.open(stored, id: id, shape, with: key)
    }
    try compare(encoded[...], id, shape, at: place)
    return encoded
  }

  /// A data point's encoded bytes.
  func openPoint(
    _ stored: ArraySlice<UInt8>, index: UInt32, at place: String
  ) throws(ArchiveError) -> [UInt8] {
    let point = try parsing(place) { () throws(ParsingError) in
      try EncryptedPoint(parsing: stored)
    }
    let key = try source.key(.dataPoint, UInt64(index), id: point.objectID)
    let plain = try parsing(place) { () throws(ParsingError) in
      try point.open(with: key, by: cipher)
    }
    try compare(
      plain[...], point.objectID, .plain(.dataPoint, byteCount: UInt32(plain.count)), at: place)
    return plain
  }

  /// A chunk's encoded payload, with the key that an envelope gives.
  func openChunk(
    _ stored: ArraySlice<UInt8>, id: Digest, _ shape: ObjectShape, key: ObjectKey, pack: UInt32,
    at place: String
  ) throws(ArchiveError) -> [UInt8] {
    let encoded = try parsing(place) { () throws(ParsingError) in
      try cipher.open(stored, id: id, shape, with: key)
    }
    try compare(encoded[...], id, shape, at: ArchiveFiles.packIndex(pack))
    return encoded
  }
}

/// Encrypts the objects of one archive as they are written. Not for two threads at once.
final class ArchiveSealer {
  let key: ContentKey
  let cipher: ObjectCipher

  init(_ key: ContentKey) {
    self.key = key
    cipher = ObjectCipher(archiveID: key.archiveID, epoch: key.epoch)
  }

  func file(_ bytes: [UInt8], _ kind: ObjectKind) -> [UInt8] {
    EncryptedFile(sealing: bytes, kind, with: key, by: cipher).encoded
  }
}
