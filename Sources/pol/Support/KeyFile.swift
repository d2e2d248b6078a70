import ChunkStorage
import Cryptography

/// Reads the private key that a user names.
func loadSigningKey(_ path: String) throws -> SigningKey {
  // 64 KiB: any PEM file.
  let pem = try DurableFile.readWhole(path, limit: 65_536, followsSymlinks: true)
  return try CommandFailure.at(path) { try SigningKey(pem: pem) }
}
