internal import Cryptography
package import ProofPrimitives

/// What an encrypted object is (`spec/encryption.md` §3). Part of every key, so that no object passes
/// for one of another kind.
package enum ObjectKind: UInt8, CaseIterable, Sendable {
  case chunk = 1
  case record = 2
  case settings = 3
  case policy = 4
  case claims = 5
  case recordIndex = 6
  case norms = 7
  case dataPoint = 8
}

/// The secret bytes that open one object.
package struct ObjectKey: Hashable, Sendable {
  package let secret: Digest
  package init(secret: Digest) { self.secret = secret }
}

/// The secret bytes that all keys of one archive and key epoch come from.
package struct EpochKey: Hashable, Sendable {
  package let secret: Digest
  package init(secret: Digest) { self.secret = secret }

  package static func generate() -> EpochKey {
    EpochKey(
      secret: randomBytes(32).withUnsafeBytes { bytes in
        bytes.baseAddress.map { Digest(loadingFrom: $0) } ?? .zero
      })
  }
}

/// Neither is printed or dumped.
extension ObjectKey: CustomStringConvertible, CustomReflectable {
  package var description: String { "ObjectKey" }
  package var customMirror: Mirror { Mirror(self, children: []) }
}

extension EpochKey: CustomStringConvertible, CustomReflectable {
  package var description: String { "EpochKey" }
  package var customMirror: Mirror { Mirror(self, children: []) }
}

/// An epoch key where it is used: in one archive, in one key epoch (`spec/encryption.md` §4).
///
/// Every key is a function of what is encrypted, never of a place or a counter, so that a resumed run, a
/// cut tail or a repacked archive cannot use a key and nonce for two contents.
package struct ContentKey: Equatable, Sendable {
  package let epochKey: EpochKey
  /// At least 1.
  package let epoch: UInt32
  package let archiveID: Digest

  /// - Parameter epoch: At least 1; 0 stands for an archive that is not encrypted.
  package init(_ epochKey: EpochKey, epoch: UInt32, archiveID: Digest) {
    precondition(epoch >= 1, "key epochs are counted from 1")
    self.epochKey = epochKey
    self.epoch = epoch
    self.archiveID = archiveID
  }

  /// What the seal says of the key, and what says nothing of it.
  package var commitment: Digest {
    var info = ByteWriter()
    info.digest(archiveID)
    info.u32(epoch)
    return derive(.keyCommitment, info.bytes)
  }

  /// The name of an object in clear.
  ///
  /// - Parameter contentDigest: SHA-256 over the exact bytes before encryption (§4.1).
  package func objectID(of contentDigest: Digest, _ kind: ObjectKind) -> Digest {
    derive(.objectID, info(kind, contentDigest))
  }

  package func objectKey(of objectID: Digest, _ kind: ObjectKind) -> ObjectKey {
    ObjectKey(secret: derive(.objectKey, info(kind, objectID)))
  }

  fileprivate func info(_ kind: ObjectKind, _ digest: Digest) -> [UInt8] {
    var info = ByteWriter()
    info.digest(archiveID)
    info.u8(kind.rawValue)
    info.digest(digest)
    return info.bytes
  }

  private func derive(_ tag: DomainTag, _ info: [UInt8]) -> Digest {
    hkdfSHA256(secret: epochKey.secret.bytes, salt: tag.bytes, info: info)
  }
}

/// The same names and keys for many objects: what is one for all of them is derived once. Not for two
/// threads at once.
///
/// HKDF-Expand of one block is HMAC(PRK, info || 1) (RFC 5869 §2.3).
final class ObjectDerivation {
  let contentKey: ContentKey
  private let id: KeyedHash
  private let key: KeyedHash

  init(_ contentKey: ContentKey) {
    self.contentKey = contentKey
    let secret = contentKey.epochKey.secret.bytes
    id = KeyedHash(key: hmacSHA256(key: DomainTag.objectID.bytes, message: secret).bytes)
    key = KeyedHash(key: hmacSHA256(key: DomainTag.objectKey.bytes, message: secret).bytes)
  }

  func objectID(of contentDigest: Digest, _ kind: ObjectKind) -> Digest {
    id.digest(of: contentKey.info(kind, contentDigest) + [1])
  }

  func objectKey(of objectID: Digest, _ kind: ObjectKind) -> ObjectKey {
    ObjectKey(secret: key.digest(of: contentKey.info(kind, objectID) + [1]))
  }
}
