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
    let bytes = point.canonicalBytes
    var writer = ByteWriter()
    writer.digest(salt)
    writer.u64(UInt64(bytes.count))
    return SHA256.hash(.dataPoint, writer.bytes, bytes)
  }

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
