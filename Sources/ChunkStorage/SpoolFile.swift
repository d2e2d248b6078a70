import Glibc
import ProofPrimitives

/// A file without a name, for bytes that are too many for memory; gone when its owner goes.
///
/// Lies in `$TMPDIR`, else in `/var/tmp`, which is on a disk where `/tmp` may be memory.
package struct SpoolFile: ~Copyable {
  private let file: OwnedDescriptor
  private let place: String
  package private(set) var byteCount = 0

  package init() throws(StorageError) {
    let set = getenv("TMPDIR").map { String(cString: $0) }
    let folder = set.flatMap { $0.isEmpty ? nil : $0 } ?? "/var/tmp"
    let name = DurableFile.temporaryPrefix + Hex.encode((0..<8).map { _ in .random(in: 0...255) })
    place = "\(folder)/\(name)"
    file = try SystemCalls.open(
      place, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600, "making a temporary file")
    _ = unlink(place)
  }

  package mutating func append(_ bytes: [UInt8]) throws(StorageError) {
    try SystemCalls.write(bytes, file, offset: byteCount, place: place)
    byteCount += bytes.count
  }

  /// The file as it is now, to read; messages name `place`.
  package consuming func reader(place: String) -> RandomAccessFile {
    RandomAccessFile(file, byteCount: byteCount, place: place)
  }
}
