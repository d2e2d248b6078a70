import COpenSSL
import Glibc

@testable import CheckpointFiles
@testable import ChunkStorage
@testable import Cryptography
@testable import MerkleTrees
@testable import ProofArchive
@testable import ProofPrimitives
@testable import ProofRecording
@testable import Reexecution

// Checksums and signatures are put right first: otherwise no input would get past them.

private let id = Digest([UInt8](repeating: 1, count: 32)) ?? .zero
private let clear = RecordsHeader(suite: 0, depth: 8, keyEpoch: 0, archiveID: id)
private let encrypted = RecordsHeader(suite: 1, depth: 8, keyEpoch: 1, archiveID: id)
private let contentKey = ContentKey(EpochKey(secret: id), epoch: 1, archiveID: id)
nonisolated(unsafe) private let keys = ArchiveKeys(.all(contentKey), archiveID: id, epoch: 1)
nonisolated(unsafe) private let cipher = ObjectCipher(archiveID: id, epoch: 1)
nonisolated(unsafe) private let decoder = ChunkDecoder()
nonisolated(unsafe) private let signer = try? SigningKey(seed: [UInt8](repeating: 3, count: 32))

private let opening = signer.map { key in
  OpeningRecord(
    archiveID: id, proverKey: key.verifyingKey, datasetRoot: id, datasetCount: 64,
    settingsDigest: id, policyDigest: id, runSecret: id, salt: id, commitment: nil)
}

/// A root by whom the corpus' tokens are believed.
nonisolated(unsafe) private let timeRoots: [[UInt8]] = {
  guard let file = try? RandomAccessFile("testvectors/time/root.cer"),
    let bytes = try? file.bytes(0..<file.byteCount)
  else { return [] }
  return [bytes]
}()

private func word(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(value >> ($0 * 8) & 255) } }

/// Puts the CRC-32C of what stands before the last four bytes there.
private func checked(_ bytes: [UInt8]) -> [UInt8] {
  guard bytes.count >= 4 else { return bytes }
  let body = bytes.dropLast(4)
  return body + word(crc32c(body))
}

/// The bytes as a file, for readers that read files.
private func withFile(_ bytes: [UInt8], _ body: (RandomAccessFile) throws -> Void) throws {
  // In memory, and gone with its name before it is read.
  let path = "/dev/shm/pol-fuzz-\(getpid())"
  let descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC, 0o600)
  guard descriptor >= 0 else { fatalError("/dev/shm cannot be written") }
  defer { close(descriptor) }
  let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
  guard count == bytes.count else { fatalError("/dev/shm is full") }
  let file = try RandomAccessFile(path)
  unlink(path)
  try body(file)
}

let fuzzTargets: [String: FuzzTarget] = [
  "opening": { same(try OpeningRecord(parsing: $0[...]).encoded, $0) },
  // Checkpoints and gaps: the kind stands in the header.
  "checkpoint": { bytes in
    guard let opening else { return }
    same(try CheckpointRecord(parsing: bytes[...], opening: opening).encoded, bytes)
  },
  "records-header": { same(try RecordsHeader(parsing: $0).encoded, $0) },
  "record-frame": { bytes in
    var bytes = bytes
    guard bytes.count >= RecordFrame.headerByteCount else { return }
    bytes.replaceSubrange(48..<52, with: word(crc32c(bytes[64...], after: crc32c(bytes[..<48]))))
    _ = try? RecordFrame(parsing: bytes, number: 0, keys: nil)
    _ = try RecordFrame(parsing: bytes, number: 0, keys: keys)
  },
  "envelope": { bytes in
    for header in [clear, encrypted] {
      guard let envelope = try? Envelope(parsing: bytes[...], header: header) else { continue }
      for row in envelope.rows { _ = envelope.chain(of: row) }
      same(envelope.encoded, bytes)
    }
  },
  "partial": { bytes in
    let bytes = checked(bytes)
    same(try PartialManifest(parsing: bytes).encoded, bytes)
  },
  "pack-index": { bytes in
    let bytes = checked(bytes)
    same(try PackIndex(parsing: bytes).encoded, bytes)
  },
  "chunk-frame": { bytes in
    var bytes = bytes
    guard bytes.count >= ChunkFrame.headerByteCount else { return }
    bytes.replaceSubrange(12..<16, with: word(crc32c(bytes[16...], after: crc32c(bytes[..<12]))))
    _ = try ChunkFrame.frameByteCount(header: Array(bytes[..<16]), at: "")
    let content = try ChunkFrame.parse(bytes, at: "")
    let parent = (0..<max(0, content.rawByteCount)).map { UInt8(truncatingIfNeeded: $0 &* 37) }
    let raw = try decoder.decode(
      codec: content.codec, parameter: content.parameter, payload: content.storedPayload,
      rawByteCount: content.rawByteCount, parent: content.codec.isDelta ? parent : nil, at: "")
    guard raw.count == content.rawByteCount else { fatalError("another length than was asked for") }
  },
  "seal": { bytes in
    guard let signer, bytes.count == Seal.byteCount else {
      _ = try Seal(parsing: bytes)
      return
    }
    let signed = Array(bytes[..<296]) + signer.verifyingKey.rawBytes
    let whole = signed + (try signer.signature(over: DomainTag.seal.bytes + signed))
    same(try Seal(parsing: whole).encoded, whole)
  },
  "objects": { bytes in
    guard let signer else { return }
    // The root of whatever rows can be told apart.
    var reader = ByteReader(bytes)
    _ = try reader.take(8, "magic")
    var leaves: [Digest] = []
    for _ in 0..<(try reader.count("count", itemByteCount: 42)) {
      let start = reader.offset
      _ = try reader.take(Int(try reader.u16("length")) + 40, "row")
      leaves.append(
        MerkleTree.leafHash(of: DomainTag.object.bytes + bytes[start..<reader.offset]))
    }
    let seal = try Seal(
      archiveID: id, archiveRoot: id, recordCount: 2, stepCount: 0, modelDigest: id,
      objectRoot: MerkleTree.root(ofLeafHashes: leaves), objectCount: leaves.count,
      normsDigest: id, finalRecord: id, signedBy: signer)
    same(try ObjectTable.parse(bytes, seal).encoded, bytes)
  },
  "record-index": { bytes in
    let bytes = checked(bytes)
    same(try RecordIndex(parsing: bytes).encoded, bytes)
  },
  "norms": { same(try NormsTable(parsing: $0).encoded, $0) },
  "grant": { same(try Grant(parsing: $0).encoded, $0) },
  "age-header": { _ = try AgeHeader(parsing: $0) },
  "encrypted-file": { bytes in
    for kind in EncryptedFile.kinds {
      guard let file = try? EncryptedFile(parsing: bytes, kind) else { continue }
      same(file.encoded, bytes)
      _ = try? file.open(with: contentKey.objectKey(of: file.objectID, kind), by: cipher)
    }
    _ = try EncryptedPoint(parsing: bytes[...])
  },
  "data-point": { same(try SaltedPoint(parsing: $0[...]).encoded, $0) },
  "safetensors": { _ = try SafetensorsFile.parse($0, role: .weight) },
  // npz, PyTorch, safetensors and npy, as `pol import` tells them apart.
  "checkpoint-file": { bytes in
    try withFile(bytes) { _ = try AnyFormat.read($0, name: "model") }
  },
  "numpy-header": { _ = try NumpyHeader(parsing: $0) },
  "pickle": { bytes in
    var machine = PickleMachine(bytes)
    _ = try machine.run()
  },
  "skeleton": { _ = try FileSkeleton(parsing: $0) },
  "recorder-line": { bytes in
    var message = try RecorderMessage(JSONValue(parsing: bytes, form: .relaxed))
    for key in ["event", "path"] { _ = try? message.string(key) }
    for key in ["id", "step"] { _ = try? message.optionalCount(key) }
    for key in ["learningRate", "loss"] { _ = try? message.floatBits(key) }
  },
  "json": { bytes in
    _ = try? JSONValue(parsing: bytes, form: .relaxed)
    same(try JSONValue(parsing: bytes, form: .canonical).encoded, bytes)
  },
  "policy": { bytes in
    _ = try? Policy(parsing: bytes, form: .relaxed)
    same(try Policy(parsing: bytes).encoded, bytes)
  },
  // Each with what is asked of it: OpenSSL reads on when a value is used.
  "timestamp-token": { bytes in
    let token = try TimestampToken(der: bytes)
    guard token.der == bytes else { fatalError("a token is kept as it came") }
    _ = try token.check(TimestampTrust(roots: timeRoots))
  },
  "timestamp-reply": { _ = try TimestampRequest.token(inReply: $0) },
  "revocation-list": { bytes in
    _ = try? CertificateFile.parse(bytes, .revocationLists)
    let list = try RevocationList(bytes)
    for root in timeRoots {
      guard let certificate = Certificate.parse(root) else { continue }
      defer { X509_free(certificate) }
      _ = list.isBy(certificate)
      _ = list.revocation(of: certificate, countsAt: 0)
    }
  },
  "certificate-file": { bytes in
    let found = try CertificateFile.parse(bytes, .certificates)
    guard !found.isEmpty else { fatalError("no certificate, and no error") }
  },
  "settings": { _ = try RunSettings(parsing: $0) },
  "points-file": { _ = try PointFile.parse($0) },
  "state-file": { _ = try StateFile.parse($0) },
]
