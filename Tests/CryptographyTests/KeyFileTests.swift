import Cryptography
@preconcurrency import Glibc
import ProofPrimitives
import ProofTestSupport
import Testing

private struct KeyCase: Decodable, Sendable, CustomTestStringConvertible {
  let id: String
  let kind: String
  let pem: String
  let raw: HexBytes?
  var testDescription: String { id }

  static func all() throws -> [KeyCase] {
    try TestVectors.cases("primitives/keys.json", of: KeyCase.self)
  }
}

// One after another: one test puts a file in place of standard input.
@Suite("Key files in PEM form (RFC 8410)", .serialized) struct KeyFileTests {
  @Test(
    "Ed25519 keys are read and written alike; all else is refused", arguments: try KeyCase.all())
  private func vectors(vector: KeyCase) throws {
    let pem = Array(vector.pem.utf8)
    guard let raw = vector.raw?.bytes else {
      #expect {
        if vector.kind == "private" { _ = try SigningKey(pem: pem) }
        if vector.kind == "public" { _ = try VerifyingKey(pem: pem) }
      } throws: {
        ($0 as? CryptographyError)?.code == .badKeyFile
      }
      return
    }
    if vector.kind == "private" {
      let key = try SigningKey(pem: pem)
      #expect(key.pem == vector.pem)
      #expect(key.verifyingKey == (try SigningKey(seed: raw)).verifyingKey)
    } else {
      let key = try VerifyingKey(pem: pem)
      #expect(key.rawBytes == raw)
      #expect(key.pem == vector.pem)
    }
  }

  @Test("a file beyond 64 KiB is refused, whatever it holds")
  func tooLong() throws {
    let key = try SigningKey.generate()
    let pem = Array(key.pem.utf8)
    let room = [UInt8](repeating: 10, count: 65_536 - pem.count)
    #expect(try SigningKey(pem: room + pem).verifyingKey == key.verifyingKey)
    #expect(throws: CryptographyError.self) { try SigningKey(pem: [10] + room + pem) }
  }

  @Test("openssl reads our keys and writes the same, public key too")
  func toOpenSSL() throws {
    let key = try SigningKey.generate()
    let copy = try runProgram("openssl", ["pkey"], input: Array(key.pem.utf8))
    #expect(copy.status == 0, "\(copy.errorText)")
    #expect(copy.outputText == key.pem)
    let half = try runProgram("openssl", ["pkey", "-pubout"], input: Array(key.pem.utf8))
    #expect(half.outputText == key.verifyingKey.pem)
    let der = try runProgram("openssl", ["pkey", "-pubout", "-outform", "DER"], input: copy.output)
    #expect(der.output == key.verifyingKey.spki)
  }

  @Test("keys that openssl makes are read, and its signatures are valid")
  func fromOpenSSL() throws {
    let made = try runProgram("openssl", ["genpkey", "-algorithm", "ed25519"])
    #expect(made.status == 0, "\(made.errorText)")
    let key = try SigningKey(pem: made.output)
    #expect(key.pem == made.outputText)
    let half = try runProgram("openssl", ["pkey", "-pubout"], input: made.output)
    #expect(try VerifyingKey(pem: half.output) == key.verifyingKey)
  }

  @Test(
    "keys of other kinds that openssl makes are refused",
    arguments: [
      ["-algorithm", "x25519"], ["-algorithm", "ed448"],
      ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
      ["-algorithm", "ed25519", "-aes256", "-pass", "pass:secret"],
    ])
  func otherKinds(arguments: [String]) throws {
    let made = try runProgram("openssl", ["genpkey"] + arguments)
    #expect(made.status == 0, "\(made.errorText)")
    #expect(made.outputText.contains("PRIVATE KEY"))
    #expect(throws: CryptographyError.self) { try SigningKey(pem: made.output) }
  }

  @Test("nobody is asked for the pass phrase of an encrypted key")
  func encrypted() throws {
    let vector = try #require(try KeyCase.all().first { $0.id == "encrypted-private" })
    try withTemporaryDirectory { folder in
      // Where there is no terminal OpenSSL would read it from standard input: here it could.
      let answer = try #require(fopen(folder + "/answer", "w"))
      fputs("secret\n", answer)
      fclose(answer)
      let (before, file) = (dup(0), open(folder + "/answer", O_RDONLY))
      dup2(file, 0)
      clearerr(stdin)
      defer {
        dup2(before, 0)
        close(before)
        close(file)
      }
      #expect(throws: CryptographyError.self) { try SigningKey(pem: Array(vector.pem.utf8)) }
      #expect(lseek(0, 0, SEEK_CUR) == 0)
    }
  }
}
