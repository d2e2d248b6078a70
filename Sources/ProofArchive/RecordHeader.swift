internal import Cryptography
package import ProofPrimitives

/// The first 48 bytes of every record (`spec/archive.md` §3.1).
package struct RecordHeader: Equatable, Sendable {
  package enum Kind: UInt16, Sendable {
    case opening = 0
    case checkpoint = 1
    /// A checkpoint after a gap.
    case gap = 2
  }

  package static let byteCount = 48
  /// 64 MiB: the indices of 16 million data points in one segment.
  package static let bodyLimit = 64 << 20

  package let kind: Kind
  package let sequence: UInt64
  package let previous: Digest

  package init(kind: Kind, sequence: UInt64, previous: Digest) {
    self.kind = kind
    self.sequence = sequence
    self.previous = previous
  }

  /// The whole record, header first.
  package func record(body: [UInt8]) -> [UInt8] {
    var writer = ByteWriter()
    writer.u16(kind.rawValue)
    writer.u16(1)
    writer.u32(UInt32(body.count))
    writer.u64(sequence)
    writer.digest(previous)
    writer.raw(body)
    return writer.bytes
  }

  /// Reads the header and leaves the reader at the body, which fills the rest.
  package init(_ reader: inout ByteReader) throws(ParsingError) {
    guard let kind = Kind(rawValue: try reader.u16("record kind")) else {
      throw ParsingError("unsupported record kind", at: 0, kind: .unsupported)
    }
    guard try reader.u16("record version") == 1 else {
      throw ParsingError("unsupported record version", at: 2, kind: .unsupported)
    }
    let count = Int(try reader.u32("body length"))
    self.kind = kind
    sequence = try reader.u64("sequence")
    previous = try reader.digest("previous")
    guard count <= RecordHeader.bodyLimit else {
      throw ParsingError("the body length is over the limit", at: 4, kind: .limit)
    }
    guard count == reader.remaining else {
      throw ParsingError("the body length is not that of the record", at: 4)
    }
  }

  /// The record hash.
  package static func hash(_ record: ArraySlice<UInt8>) -> Digest {
    let hasher = SHA256()
    hasher.update(DomainTag.record)
    hasher.update(record)
    return hasher.finish()
  }
}
