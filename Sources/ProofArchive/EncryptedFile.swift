package import ProofPrimitives

/// A whole file of an encrypted archive: settings, policy, claims, record index or norms
/// (`spec/encryption.md` §5).
package struct EncryptedFile: Equatable, Sendable {
  package static let headerByteCount = 48
  private static let magic = Array("polencf1".utf8)
  /// The kinds that are stored so.
  package static let kinds: [ObjectKind] = [.settings, .policy, .claims, .recordIndex, .norms]

  package let kind: ObjectKind
  package let objectID: Digest
  /// Ciphertext || tag.
  package let sealed: [UInt8]

  /// - Parameter kind: One of `kinds`.
  package init(
    sealing bytes: [UInt8], _ kind: ObjectKind, with key: ContentKey, by cipher: ObjectCipher
  ) {
    precondition(EncryptedFile.kinds.contains(kind) && bytes.count <= ObjectCipher.byteLimit)
    let object = cipher.seal(
      bytes[...], .plain(kind, byteCount: UInt32(bytes.count)), with: key)
    self.kind = kind
    objectID = object.id
    sealed = object.bytes
  }

  package var encoded: [UInt8] {
    var writer = ByteWriter()
    writer.raw(EncryptedFile.magic)
    writer.u8(kind.rawValue)
    writer.raw([0, 0, 0])
    writer.u32(UInt32(sealed.count - ObjectCipher.tagByteCount))
    writer.digest(objectID)
    writer.raw(sealed)
    return writer.bytes
  }

  /// - Parameter kind: What the file's name says it is; another one is refused.
  package init(parsing bytes: [UInt8], _ kind: ObjectKind) throws(ParsingError) {
    var reader = ByteReader(bytes)
    try reader.expect(EncryptedFile.magic, "magic of an encrypted file")
    try reader.expect([kind.rawValue], "object kind")
    try reader.expect([0, 0, 0], "reserved")
    let byteCount = Int(try reader.u32("encoded length"))
    guard byteCount <= ObjectCipher.byteLimit else {
      throw ParsingError("an object of \(byteCount) bytes", at: 12, kind: .limit)
    }
    objectID = try reader.digest("object id")
    sealed = Array(try reader.take(byteCount + ObjectCipher.tagByteCount, "ciphertext and tag"))
    try reader.finish("encrypted file")
    self.kind = kind
  }

  /// The file's bytes before encryption, still to be compared with their digest.
  package func open(with key: ObjectKey, by cipher: ObjectCipher) throws(ParsingError) -> [UInt8] {
    let byteCount = UInt32(sealed.count - ObjectCipher.tagByteCount)
    return try cipher.open(
      sealed[...], id: objectID, .plain(kind, byteCount: byteCount), with: key)
  }
}

/// A data point of an encrypted archive: object id, ciphertext, tag (`spec/encryption.md` §5).
package struct EncryptedPoint: Equatable, Sendable {
  package static let overheadByteCount = Digest.byteCount + ObjectCipher.tagByteCount

  package let objectID: Digest
  /// Ciphertext || tag.
  package let sealed: [UInt8]

  package init(sealing bytes: [UInt8], with key: ContentKey, by cipher: ObjectCipher) {
    let object = cipher.seal(
      bytes[...], .plain(.dataPoint, byteCount: UInt32(bytes.count)), with: key)
    objectID = object.id
    sealed = object.bytes
  }

  package var encoded: [UInt8] { objectID.bytes + sealed }

  package init(parsing bytes: ArraySlice<UInt8>) throws(ParsingError) {
    guard bytes.count <= ObjectCipher.byteLimit else {
      throw ParsingError("a data point of \(bytes.count) bytes", at: 0, kind: .limit)
    }
    var reader = ByteReader(bytes)
    objectID = try reader.digest("object id of a data point")
    guard reader.remaining >= ObjectCipher.tagByteCount else {
      throw ParsingError("an encrypted data point is shorter than its tag", at: 32)
    }
    sealed = Array(try reader.take(reader.remaining, "ciphertext and tag"))
  }

  package func open(with key: ObjectKey, by cipher: ObjectCipher) throws(ParsingError) -> [UInt8] {
    let byteCount = UInt32(sealed.count - ObjectCipher.tagByteCount)
    return try cipher.open(
      sealed[...], id: objectID, .plain(.dataPoint, byteCount: byteCount), with: key)
  }
}
