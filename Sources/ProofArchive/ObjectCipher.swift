internal import Cryptography
package import ProofPrimitives

/// An object as it is stored: its name in clear, and what only its key opens.
package struct SealedObject: Equatable, Sendable {
  package let id: Digest
  package let key: ObjectKey
  /// Ciphertext || tag: 16 bytes more than were encrypted.
  package let bytes: [UInt8]
}

/// What an object's key is bound to besides its bytes (`spec/encryption.md` §4.3).
package struct ObjectShape: Equatable, Sendable {
  package let kind: ObjectKind
  /// Of a chunk's frame; 0 for other kinds.
  package let codec: UInt8
  package let parameter: UInt8
  package let rawByteCount: UInt32

  /// A chunk: what its frame's header says.
  package static func chunk(codec: UInt8, parameter: UInt8, rawByteCount: UInt32) -> ObjectShape {
    ObjectShape(kind: .chunk, codec: codec, parameter: parameter, rawByteCount: rawByteCount)
  }

  /// A record's frame: the lengths of record and envelope together.
  package static func record(rawByteCount: UInt32) -> ObjectShape {
    ObjectShape(kind: .record, codec: 0, parameter: 0, rawByteCount: rawByteCount)
  }

  /// What is hashed before the encoded bytes: of a chunk what stands in clear in its frame.
  fileprivate var digestPrefix: [UInt8] {
    guard kind == .chunk else { return [] }
    var prefix = ByteWriter()
    prefix.u8(codec)
    prefix.u8(parameter)
    prefix.u32(rawByteCount)
    return prefix.bytes
  }

  /// Any other: stored as it is.
  package static func plain(_ kind: ObjectKind, byteCount: UInt32) -> ObjectShape {
    ObjectShape(kind: kind, codec: 0, parameter: 0, rawByteCount: byteCount)
  }
}

/// Seals and opens the objects of one archive and key epoch with AES-256-GCM (`spec/encryption.md` §4).
///
/// Opening says that the bytes were made under this key, not what they must be: two keys can open one
/// ciphertext to two contents. Whoever opens compares the result with the digest that was signed.
/// Not for two threads at once.
package final class ObjectCipher {
  package static let tagByteCount = AuthenticatedCipher.tagByteCount
  /// No object is larger, before encryption.
  package static let byteLimit = AuthenticatedCipher.plaintextLimit

  private let archiveID: Digest
  private let epoch: UInt32
  private let cipher = AuthenticatedCipher(.aes256GCM)
  private let hasher = SHA256()
  private let pair = SHA256Pair()
  /// Of the key that was used last, which is hardly ever another one.
  private var lastDerivation: ObjectDerivation?

  package init(archiveID: Digest, epoch: UInt32) {
    self.archiveID = archiveID
    self.epoch = epoch
  }

  /// - Parameters:
  ///   - encoded: The exact bytes to encrypt, at most `byteLimit`.
  ///   - key: Of this archive and epoch.
  package func seal(
    _ encoded: ArraySlice<UInt8>, _ shape: ObjectShape, with key: ContentKey
  ) -> SealedObject {
    precondition(key.archiveID == archiveID && key.epoch == epoch, "the key is of another archive")
    let keys = derivation(key)
    let id = keys.objectID(of: contentDigest(encoded, shape), shape.kind)
    let objectKey = keys.objectKey(of: id, shape.kind)
    let bytes = cipher.seal(
      encoded, key: objectKey.secret.bytes, nonce: nonce(id),
      data: associatedData(shape, encodedByteCount: encoded.count))
    return SealedObject(id: id, key: objectKey, bytes: bytes)
  }

  /// As `seal`, where the encoded bytes stand. Two objects are hashed side by side.
  ///
  /// - Parameter objects: Of each the encoded bytes and 16 bytes of room, which hold ciphertext || tag
  ///   afterwards.
  func seal(
    inPlace objects: [(buffer: UnsafeMutableRawBufferPointer, shape: ObjectShape)],
    with key: ContentKey
  ) -> [(id: Digest, key: ObjectKey)] {
    precondition(key.archiveID == archiveID && key.epoch == epoch, "the key is of another archive")
    let encoded = objects.map {
      (UnsafeRawBufferPointer(rebasing: $0.buffer.dropLast(ObjectCipher.tagByteCount)), $0.shape)
    }
    let keys = derivation(key)
    return zip(objects, contentDigests(encoded)).map { object, digest in
      let id = keys.objectID(of: digest, object.shape.kind)
      let objectKey = keys.objectKey(of: id, object.shape.kind)
      cipher.seal(
        inPlace: object.buffer, key: objectKey.secret.bytes, nonce: nonce(id),
        data: associatedData(
          object.shape, encodedByteCount: object.buffer.count - ObjectCipher.tagByteCount))
      return (id, objectKey)
    }
  }

  /// What `seal` names these bytes.
  package func id(
    of encoded: ArraySlice<UInt8>, _ shape: ObjectShape, with key: ContentKey
  ) -> Digest { derivation(key).objectID(of: contentDigest(encoded, shape), shape.kind) }

  /// The bytes before encryption.
  ///
  /// - Throws: `.damaged` when they do not open: altered, or another object's key or shape.
  package func open(
    _ sealed: ArraySlice<UInt8>, id: Digest, _ shape: ObjectShape, with key: ObjectKey
  ) throws(ParsingError) -> [UInt8] {
    let data = associatedData(shape, encodedByteCount: sealed.count - ObjectCipher.tagByteCount)
    guard
      let encoded = cipher.open(sealed, key: key.secret.bytes, nonce: nonce(id), data: data)
    else { throw ParsingError("the object does not open with its key", at: 0, kind: .damaged) }
    return encoded
  }

  /// SHA-256 over what an object is named by: for a chunk its codec, parameter and raw length too, which
  /// stand in clear in its frame.
  private func contentDigest(_ encoded: ArraySlice<UInt8>, _ shape: ObjectShape) -> Digest {
    encoded.withUnsafeBytes { contentDigest($0, shape) }
  }

  private func contentDigest(_ encoded: UnsafeRawBufferPointer, _ shape: ObjectShape) -> Digest {
    hasher.update(shape.digestPrefix)
    hasher.update(encoded)
    return hasher.finish()
  }

  private func contentDigests(
    _ objects: [(encoded: UnsafeRawBufferPointer, shape: ObjectShape)]
  ) -> [Digest] {
    guard objects.count == 2 else { return objects.map { contentDigest($0.encoded, $0.shape) } }
    let prefixes = (objects[0].shape.digestPrefix, objects[1].shape.digestPrefix)
    prefixes.0.withUnsafeBytes { first in prefixes.1.withUnsafeBytes { pair.update(first, $0) } }
    pair.update(objects[0].encoded, objects[1].encoded)
    let digests = pair.finish()
    return [digests.0, digests.1]
  }

  private func derivation(_ key: ContentKey) -> ObjectDerivation {
    if let lastDerivation, lastDerivation.contentKey == key { return lastDerivation }
    let made = ObjectDerivation(key)
    lastDerivation = made
    return made
  }

  private func nonce(_ id: Digest) -> [UInt8] {
    Array(id.bytes.prefix(AuthenticatedCipher.nonceByteCount))
  }

  private func associatedData(_ shape: ObjectShape, encodedByteCount: Int) -> [UInt8] {
    var data = ByteWriter()
    data.raw(DomainTag.objectData.bytes)
    data.digest(archiveID)
    data.u32(epoch)
    data.u8(shape.kind.rawValue)
    data.u8(shape.codec)
    data.u8(shape.parameter)
    data.u32(shape.rawByteCount)
    // Over the limit, or shorter than a tag, nothing opens; the field is then of no matter.
    data.u32(UInt32(truncatingIfNeeded: encodedByteCount))
    return data.bytes
  }
}
