internal import Cryptography
package import ProofPrimitives

/// What a claim map knows of one digest in one place (`spec/claim-map.md` §2).
package struct ClaimMapValue: Hashable, Sendable {
  /// Of the first entry that claims the digest openly.
  package let openedIndex: UInt64
  /// Of the earliest hiding commitment that such an entry opened; nil where none did.
  package let committedIndex: UInt64?

  /// Indices lie below `TreeSize.limit`.
  package init(openedIndex: UInt64, committedIndex: UInt64?) {
    precondition(max(openedIndex, committedIndex ?? 0) < TreeSize.limit, "no index of a log")
    self.openedIndex = openedIndex
    self.committedIndex = committedIndex
  }

  init(_ reader: inout ByteReader) throws(ParsingError) {
    let start = reader.offset
    let opened = try reader.u64("index opened at")
    let committed = try reader.u64("index committed at")
    guard opened < TreeSize.limit, committed < TreeSize.limit || committed == .max else {
      throw ParsingError("the map names an index that no log has", at: start)
    }
    openedIndex = opened
    committedIndex = committed == .max ? nil : committed
  }

  func write(to writer: inout ByteWriter) {
    writer.u64(openedIndex)
    writer.u64(committedIndex ?? .max)
  }
}

/// The hashes of a claim map (`spec/claim-map.md` §3), with one SHA-256 object for a batch.
package final class ClaimMapHasher {
  /// Of a subtree without keys: no SHA-256 gives it.
  package static let empty = Digest.zero

  private let hasher = SHA256()

  package init() {}

  /// Where a claim of `digest` in the place `kind` stands.
  package func key(kind: String, digest: Digest) -> Digest {
    hasher.update(.mapKey)
    hasher.update(Array(kind.utf8) + [10])
    hasher.update(digest.bytes)
    return hasher.finish()
  }

  /// Of a subtree with one key, however high it stands.
  package func leaf(_ key: Digest, _ value: ClaimMapValue) -> Digest {
    var writer = ByteWriter()
    writer.digest(key)
    value.write(to: &writer)
    hasher.update(.mapLeaf)
    hasher.update(writer.bytes)
    return hasher.finish()
  }

  /// Of a subtree with two keys or more.
  package func node(_ left: Digest, _ right: Digest) -> Digest {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(2 * Digest.byteCount)
    left.append(to: &bytes)
    right.append(to: &bytes)
    hasher.update(.mapNode)
    hasher.update(bytes)
    return hasher.finish()
  }
}
