package import ChunkStorage
internal import Cryptography
internal import ProofPrimitives

/// The file that a prover keeps an epoch key in: `pol-content-key-1 `, 64 hexadecimal digits, LF
/// (`spec/encryption.md` §7).
package enum ContentKeyFile {
  private static let start = "pol-content-key-1 "
  private static let byteCount = 83

  /// Writes the key for its owner's eyes alone; nothing that stands there is replaced, since a key that is
  /// gone takes the archive with it.
  package static func write(_ key: EpochKey, to path: String) throws(StorageError) {
    try DurableFile.write(
      Array("\(start)\(key.secret.hex)\n".utf8), to: path, mode: 0o600, replaces: false)
  }

  package static func read(_ path: String) throws(StorageError) -> EpochKey {
    let bytes = try DurableFile.readWhole(path, limit: 4096, followsSymlinks: true)
    guard bytes.count == byteCount, bytes.starts(with: start.utf8), bytes.last == 10,
      let secret = Digest(
        hex: String(decoding: bytes.dropFirst(start.utf8.count).dropLast(), as: UTF8.self))
    else {
      throw StorageError(
        .malformed, at: printable(path, limit: 1000), "this is no content key file",
        remedy: "give the file that was written when the archive was begun")
    }
    return EpochKey(secret: secret)
  }
}
