import Cryptography
import Glibc
package import ProofPrimitives

/// A regular file that is sent somewhere: opened once, so that what is hashed and what is sent are one
/// file, whatever is put in its place meanwhile.
package final class OutgoingFile: Sendable {
  /// For messages.
  package let place: String
  package let byteCount: Int
  private let file: OwnedDescriptor

  /// What is held of a file at a time.
  static let blockByteCount = 1 << 20

  init(_ file: consuming OwnedDescriptor, place: String) throws(StorageError) {
    byteCount = try SystemCalls.regularFileByteCount(file, place: place)
    self.file = file
    self.place = place
  }

  /// Calls `body` with the bytes of `range`, block by block.
  func forEachBlock(
    of range: Range<Int>, _ body: ([UInt8]) throws(StorageError) -> Void
  ) throws(StorageError) {
    var offset = range.lowerBound
    while offset < range.upperBound {
      let end = min(range.upperBound, offset + OutgoingFile.blockByteCount)
      let bytes = try SystemCalls.read(file, range: offset..<end, place: place)
      guard bytes.count == end - offset else {
        throw rangeMissing(offset..<end, of: offset + bytes.count, at: place)
      }
      try body(bytes)
      offset = end
    }
  }

  func digest(of range: Range<Int>) throws(StorageError) -> Digest {
    let hasher = SHA256()
    try forEachBlock(of: range) { hasher.update($0) }
    return hasher.finish()
  }

  /// SHA-256 of the whole file. Reads all of it.
  package func digest() throws(StorageError) -> Digest { try digest(of: 0..<byteCount) }

  func withDescriptor<Result>(_ body: (Int32) -> Result) -> Result { body(file.raw) }
}
