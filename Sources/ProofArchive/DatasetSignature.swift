internal import Cryptography
package import ProofPrimitives

/// A data point with the salt that lets it be checked (`spec/dataset.md` §2).
package struct SaltedPoint: Equatable, Sendable {
  package let salt: Digest
  package let point: DataPoint

  package init(salt: Digest, point: DataPoint) {
    self.salt = salt
    self.point = point
  }

  /// The dataset signature h(x).
  package var signature: Digest {
    SaltedPoint.signature(salt.bytes[...], point.canonicalBytes[...])
  }

  /// The signature of bytes that are not parsed yet; nil when they are too short for a salt.
  package static func signature(ofEncoded bytes: ArraySlice<UInt8>) -> Digest? {
    guard bytes.count >= Digest.byteCount else { return nil }
    return signature(bytes.prefix(Digest.byteCount), bytes.dropFirst(Digest.byteCount))
  }

  private static func signature(_ salt: ArraySlice<UInt8>, _ canonical: ArraySlice<UInt8>) -> Digest
  {
    var writer = ByteWriter()
    writer.raw(salt)
    writer.u64(UInt64(canonical.count))
    let hasher = SHA256()
    hasher.update(DomainTag.dataPoint)
    hasher.update(writer.bytes)
    hasher.update(canonical)
    return hasher.finish()
  }

  /// Salt, type, rank, eight dimensions, the elements and the label.
  package static let byteLimit = Digest.byteCount + 2 + 8 * 4 + DataPoint.byteLimit + 8

  package var encoded: [UInt8] { salt.bytes + point.canonicalBytes }

  package init(parsing bytes: ArraySlice<UInt8>) throws(ParsingError) {
    var reader = ByteReader(bytes)
    salt = try reader.digest("salt")
    point = try DataPoint(parsing: try reader.take(reader.remaining, "data point"))
  }
}

/// What a dataset's salts derive from. Zero for a public dataset, whose root everybody can compute.
package struct DatasetSecret: Sendable {
  package static let open = DatasetSecret(bytes: Digest.zero.bytes)
  private let bytes: [UInt8]

  private init(bytes: [UInt8]) { self.bytes = bytes }

  package static func random() -> DatasetSecret { DatasetSecret(bytes: randomBytes(32)) }

  package func salt(of index: Int) -> Digest {
    var writer = ByteWriter()
    writer.raw(DomainTag.dataSalt.bytes)
    writer.u64(UInt64(index))
    return hmacSHA256(key: bytes, message: writer.bytes)
  }
}
