internal import ChunkStorage
internal import ProofPrimitives

/// Makes frames of encoded chunks, encrypted where the archive is. One for each thread.
struct ChunkFramer {
  struct Frame: Sendable {
    /// The whole frame with its header.
    let bytes: [UInt8]
    /// What names it in its pack.
    let storedID: Digest
    /// What opens it; nil in an archive that is not encrypted.
    let key: ObjectKey?
    let isDelta: Bool
  }

  let archiveID: Digest
  let sealer: ArchiveSealer?

  /// - Parameter digest: Of the chunk's raw bytes.
  func frame(_ encoding: ChunkEncoding, _ digest: Digest) -> Frame {
    var payload = encoding.payload
    var sealed: SealedObject?
    if let sealer {
      let shape = ObjectShape.chunk(
        codec: encoding.codec.rawValue, parameter: encoding.parameter,
        rawByteCount: UInt32(encoding.rawByteCount))
      let made = sealer.cipher.seal(payload[...], shape, with: sealer.key)
      payload = made.bytes
      sealed = made
    }
    return Frame(
      bytes: ChunkFrame.bytes(
        codec: encoding.codec, parameter: encoding.parameter,
        rawByteCount: encoding.rawByteCount, storedPayload: payload),
      storedID: sealed?.id ?? PackWriter.storedID(of: digest, in: archiveID), key: sealed?.key,
      isDelta: encoding.codec.isDelta)
  }
}
