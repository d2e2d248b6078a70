import ChunkStorage
import Cryptography
import Foundation
import ProofArchive
import ProofPrimitives
import ProofTestSupport
import Testing

private struct HexDigest: Decodable, Sendable {
  let value: Digest
  init(from decoder: any Decoder) throws {
    let text = try decoder.singleValueContainer().decode(String.self)
    value = try #require(Digest(hex: text))
  }
}

private func name(_ kind: ParsingError.Kind) -> String {
  switch kind {
  case .malformed: "malformed"
  case .unsupported: "unsupported"
  case .damaged: "damaged"
  case .limit: "limit"
  }
}

private struct ObjectCase: Decodable, Sendable, CustomTestStringConvertible {
  let id: String
  let epochKey: HexDigest?
  let archiveId: HexDigest
  let epoch: UInt32
  let kind: UInt8
  let codec: UInt8
  let parameter: UInt8
  let rawLength: UInt32
  let objectId: HexDigest
  let objectKey: HexDigest?
  let sealed: HexBytes
  let encoded: HexBytes?
  let commitment: HexDigest?
  let plaintext: HexBytes?
  let rawDigest: HexDigest?
  let expect: String?
  var testDescription: String { id }

  static func all(_ name: String) throws -> [ObjectCase] {
    try TestVectors.cases("encryption/\(name).json", of: ObjectCase.self)
  }

  var shape: ObjectShape {
    get throws {
      switch try #require(ObjectKind(rawValue: kind)) {
      case .chunk: .chunk(codec: codec, parameter: parameter, rawByteCount: rawLength)
      case .record: .record(rawByteCount: rawLength)
      case let kind: .plain(kind, byteCount: rawLength)
      }
    }
  }

  var cipher: ObjectCipher { ObjectCipher(archiveID: archiveId.value, epoch: epoch) }
  var contentKey: ContentKey {
    get throws {
      ContentKey(
        EpochKey(secret: try #require(epochKey).value), epoch: epoch, archiveID: archiveId.value)
    }
  }
}

@Suite("Encrypted objects (encryption.md §4)") struct EncryptedObjectTests {
  @Test(
    "id, key, ciphertext and commitment, and what does not open",
    arguments: try ObjectCase.all("objects"))
  private func object(vector: ObjectCase) throws {
    let key = ObjectKey(secret: try #require(vector.objectKey).value)
    do throws(ParsingError) {
      let opened = try vector.cipher.open(
        vector.sealed.bytes[...], id: vector.objectId.value, shape(of: vector), with: key)
      #expect(vector.expect == "opened" && opened == vector.encoded?.bytes)
    } catch {
      #expect(name(error.kind) == vector.expect)
    }
    guard let encoded = vector.encoded else { return }
    let object = vector.cipher.seal(
      encoded.bytes[...], try vector.shape, with: try vector.contentKey)
    #expect(object.id == vector.objectId.value)
    #expect(object.key == key)
    #expect(object.bytes == vector.sealed.bytes)
    #expect(try vector.contentKey.commitment == vector.commitment?.value)
  }

  private func shape(of vector: ObjectCase) throws(ParsingError) -> ObjectShape {
    do { return try vector.shape } catch { throw ParsingError("no shape", at: 0) }
  }

  @Test("one ciphertext opens under two keys; commitment and digest tell the contents apart (§8)")
  func doubleOpening() throws {
    let cases = try ObjectCase.all("double-opening")
    #expect(cases.count == 2 && cases[0].sealed.bytes == cases[1].sealed.bytes)
    #expect(cases[0].objectId.value == cases[1].objectId.value)
    var digests: [Digest] = []
    for vector in cases {
      let key = try vector.contentKey.objectKey(of: vector.objectId.value, .chunk)
      let opened = try vector.cipher.open(
        vector.sealed.bytes[...], id: vector.objectId.value, try vector.shape, with: key)
      // AES-GCM alone is content with both.
      #expect(opened == vector.plaintext?.bytes)
      #expect(SHA256.hash(opened) == vector.rawDigest?.value)
      digests.append(SHA256.hash(opened))
    }
    #expect(digests[0] != digests[1])
    let seal = SealedKeyFacts(
      archiveID: cases[0].archiveId.value, epoch: 1, sealDigest: .zero,
      keyCommitment: try #require(cases[0].commitment).value)
    let grants = try cases.map { Grant(try $0.contentKey, sealDigest: .zero) }
    #expect(try grants[0].keys(for: seal) == .all(try cases[0].contentKey))
    do {
      _ = try grants[1].keys(for: seal)
      Issue.record("a second key was accepted for one seal")
    } catch { #expect(error.code == .wrongKey) }
  }

  @Test("equal content gives equal bytes, and nothing else does")
  func deterministic() {
    let key = ContentKey(.generate(), epoch: 1, archiveID: SHA256.hash([1]))
    let cipher = ObjectCipher(archiveID: key.archiveID, epoch: 1)
    let first = cipher.seal([1, 2, 3], .plain(.policy, byteCount: 3), with: key)
    #expect(first == cipher.seal([1, 2, 3], .plain(.policy, byteCount: 3), with: key))
    var ids: Set<Digest> = [first.id]
    var keys: Set<ObjectKey> = [first.key]
    for (bytes, shape): ([UInt8], ObjectShape) in [
      ([1, 2, 4], .plain(.policy, byteCount: 3)), ([1, 2, 3], .plain(.claims, byteCount: 3)),
      ([1, 2, 3], .chunk(codec: 0, parameter: 0, rawByteCount: 3)),
      ([1, 2, 3], .chunk(codec: 1, parameter: 0, rawByteCount: 3)),
      ([1, 2, 3], .chunk(codec: 0, parameter: 1, rawByteCount: 3)),
      ([1, 2, 3], .chunk(codec: 0, parameter: 0, rawByteCount: 4)),
    ] {
      let object = cipher.seal(bytes[...], shape, with: key)
      #expect(ids.insert(object.id).inserted && keys.insert(object.key).inserted)
    }
  }

  @Test("keys are never printed")
  func printed() {
    let secret = SHA256.hash([7])
    let key = ContentKey(EpochKey(secret: secret), epoch: 1, archiveID: .zero)
    let grant = Grant(key, sealDigest: .zero)
    var dumped = ""
    dump(key, to: &dumped)
    dump(grant, to: &dumped)
    dump(ObjectKey(secret: secret), to: &dumped)
    for text in [
      dumped, "\(key)", "\(grant)", "\(EpochKey(secret: secret))", String(reflecting: key),
    ] {
      #expect(!text.contains(secret.short))
    }
  }
}

private struct FileCase: Decodable, Sendable, CustomTestStringConvertible {
  let id: String
  let archiveId: HexDigest
  let epoch: UInt32
  let epochKey: HexDigest
  let kind: UInt8
  let bytes: HexBytes
  let expect: String
  let plaintext: HexBytes?
  var testDescription: String { id }

  static func all() throws -> [FileCase] {
    try TestVectors.cases("encryption/files.json", of: FileCase.self)
  }
}

@Suite("Encrypted files and data points (encryption.md §5)") struct EncryptedFileTests {
  @Test("read, opened and written again, or refused", arguments: try FileCase.all())
  private func file(vector: FileCase) throws {
    let kind = try #require(ObjectKind(rawValue: vector.kind))
    let key = ContentKey(
      EpochKey(secret: vector.epochKey.value), epoch: vector.epoch,
      archiveID: vector.archiveId.value)
    let cipher = ObjectCipher(archiveID: key.archiveID, epoch: key.epoch)
    do throws(ParsingError) {
      let opened: [UInt8]
      if kind == .dataPoint {
        let point = try EncryptedPoint(parsing: vector.bytes.bytes[...])
        opened = try point.open(with: key.objectKey(of: point.objectID, kind), by: cipher)
        #expect(EncryptedPoint(sealing: opened, with: key, by: cipher) == point)
        #expect(point.encoded == vector.bytes.bytes)
      } else {
        let file = try EncryptedFile(parsing: vector.bytes.bytes, kind)
        opened = try file.open(with: key.objectKey(of: file.objectID, kind), by: cipher)
        #expect(EncryptedFile(sealing: opened, kind, with: key, by: cipher) == file)
        #expect(file.encoded == vector.bytes.bytes)
      }
      #expect(vector.expect == "opened" && opened == vector.plaintext?.bytes)
    } catch {
      #expect(name(error.kind) == vector.expect, "\(error)")
    }
  }

  @Test("a content key file is read back, by its owner alone, and never replaced")
  func contentKeyFile() throws {
    try withTemporaryDirectory { folder in
      let path = folder + "/key"
      let key = EpochKey(secret: SHA256.hash([1]))
      try ContentKeyFile.write(key, to: path)
      #expect(try ContentKeyFile.read(path) == key)
      let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions]
      #expect(mode as? Int == 0o600)
      let text = "pol-content-key-1 \(key.secret.hex)\n"
      #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == Data(text.utf8))
      #expect(throws: (any Error).self) { try ContentKeyFile.write(.generate(), to: path) }
      #expect(try ContentKeyFile.read(path) == key)
      for other in [
        "", String(text.dropLast()), text + "\n", text.uppercased(), String(text.dropFirst()),
        text.replacingOccurrences(of: "-1 ", with: "-2 "),
        text.replacingOccurrences(of: "\n", with: " "), text.replacing("a", with: "g"),
        String(repeating: "x", count: 5000),
      ] {
        try Data(other.utf8).write(to: URL(fileURLWithPath: path))
        #expect(throws: (any Error).self) { try ContentKeyFile.read(path) }
      }
    }
  }

  @Test("epoch keys differ each time")
  func generated() {
    let keys = (0..<8).map { _ in EpochKey.generate() }
    #expect(Set(keys).count == 8 && !keys.contains(EpochKey(secret: .zero)))
  }
}
