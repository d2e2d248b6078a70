import Foundation
import ProofTestSupport
import Testing

@testable import Cryptography

@Suite("P-256 signing keys") struct P256SigningKeyTests {
  @Test("a key that OpenSSL made signs what OpenSSL verifies") func signs() throws {
    try withTemporaryDirectory { folder in
      let made = try runProgram(
        "openssl", ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"])
      let key = try P256SigningKey(pem: made.output)
      func put(_ bytes: [UInt8], _ name: String) throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
        return "\(folder)/\(name)"
      }
      let message = Array("a message".utf8)
      let arguments = [
        "dgst", "-sha256", "-verify", try put(try key.publicPEM(), "pub"), "-signature",
        try put(try key.signature(over: message), "sig"),
      ]
      #expect(try runProgram("openssl", arguments + [try put(message, "m")]).status == 0)
      #expect(try runProgram("openssl", arguments + [try put(message + [0], "n")]).status != 0)
    }
  }

  @Test("a key comes back from its PEM") func roundTrip() throws {
    let key = try P256SigningKey.generate()
    let again = try P256SigningKey(pem: try key.privatePEM())
    #expect(try again.publicPEM() == key.publicPEM())
  }

  @Test(
    "other keys are refused",
    arguments: [
      ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"], ["-algorithm", "ED25519"],
      [
        "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-aes-128-cbc", "-pass",
        "pass:x",
      ],
    ])
  func others(arguments: [String]) throws {
    let made = try runProgram("openssl", ["genpkey"] + arguments)
    #expect(made.status == 0)
    let error = #expect(throws: CryptographyError.self) { try P256SigningKey(pem: made.output) }
    #expect(error?.code == .badKeyFile)
  }

  @Test("what is no key is refused") func noKey() throws {
    let key = try P256SigningKey.generate()
    for bytes in [
      [], Array("no key".utf8), try key.publicPEM(), [UInt8](repeating: 65, count: 70_000),
    ] {
      #expect(throws: CryptographyError.self) { try P256SigningKey(pem: bytes) }
    }
  }
}
