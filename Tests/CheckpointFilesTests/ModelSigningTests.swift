import ChunkStorage
import Cryptography
import Foundation
import ProofPrimitives
import ProofTestSupport
import Testing

@testable import CheckpointFiles

@Suite("OpenSSF model signing (conversion.md §7)") struct ModelSigningTests {
  @Test("the bundle names the files, and OpenSSL verifies its signature") func bundle() throws {
    try withTemporaryDirectory { folder in
      let model = folder + "/model"
      try FileManager.default.createDirectory(
        atPath: model + "/part", withIntermediateDirectories: true)
      try write([1, 2], model + "/b")
      try write([], model + "/part/a")
      try write([9], model + "/model.sig")
      try write([9], model + "/.gitignore")
      let key = try P256SigningKey.generate()
      let bytes = try ModelSigningBundle.make(
        folder: model, signatureName: "model.sig", key: key)
      let json = try JSONValue(parsing: bytes, form: .canonical)
      let envelope = try #require(json["dsseEnvelope"])
      let payload = try #require(envelope["payload"]?.stringValue.flatMap { Base64.decode($0) })
      let statement = try JSONValue(parsing: payload, form: .canonical)
      let resources = try #require(statement["predicate"]?["resources"]?.arrayValue)
      #expect(resources.map { $0["name"]?.stringValue } == ["b", "part/a"])
      let digests = [SHA256.hash([1, 2]), SHA256.hash([UInt8]())]
      #expect(resources.map { $0["digest"]?.stringValue } == digests.map(\.hex))
      let subject = try #require(statement["subject"]?.arrayValue?.first)
      #expect(subject["name"] == .string("model"))
      #expect(
        subject["digest"]?["sha256"] == .string(SHA256.hash(digests.flatMap(\.bytes)).hex))
      let hint = SHA256.hash(try key.publicPEM()).hex
      #expect(json["verificationMaterial"]?["publicKey"]?["hint"] == .string(hint))

      let signature = try #require(
        envelope["signatures"]?.arrayValue?.first?["sig"]?.stringValue.flatMap { Base64.decode($0) }
      )
      let type = "application/vnd.in-toto+json"
      let signed = Array("DSSEv1 \(type.utf8.count) \(type) \(payload.count) ".utf8) + payload
      try write(signed, folder + "/signed")
      try write(signature, folder + "/signature")
      try write(try key.publicPEM(), folder + "/key.pub")
      let check = try runProgram(
        "openssl",
        [
          "dgst", "-sha256", "-verify", folder + "/key.pub", "-signature", folder + "/signature",
          folder + "/signed",
        ])
      #expect(check.status == 0, "\(check.outputText) \(check.errorText)")
    }
  }

  @Test("links and an empty folder are refused") func refusals() throws {
    try withTemporaryDirectory { folder in
      let key = try P256SigningKey.generate()
      #expect(throws: CheckpointFileError.self) {
        try ModelSigningBundle.make(folder: folder, signatureName: nil, key: key)
      }
      try write([1], folder + "/a")
      _ = try ModelSigningBundle.make(folder: folder, signatureName: nil, key: key)
      #expect(symlink(folder + "/a", folder + "/b") == 0)
      let error = #expect(throws: CheckpointFileError.self) {
        try ModelSigningBundle.make(folder: folder, signatureName: nil, key: key)
      }
      #expect(error?.code == .malformed)
    }
  }
}
