import Foundation
import ProofPrimitives
import ProofTestSupport
import Testing

@testable import Cryptography

/// One file of C2SP/CCTV `age/testdata`: what must happen, and an age file.
private struct AgeCase: Sendable, CustomTestStringConvertible {
  let id: String
  let expect: String
  let identities: [String]
  let payload: String?
  let file: [UInt8]
  var testDescription: String { id }

  static func all() throws -> [AgeCase] {
    let names = try FileManager.default.contentsOfDirectory(atPath: TestVectors.path("age"))
    return try names.filter { $0 != "README.md" }.sorted().map(AgeCase.init)
  }

  init(_ name: String) throws {
    let bytes = try TestVectors.bytes("age/\(name)")
    let end = try #require(bytes.indices.first { bytes[$0...].starts(with: [10, 10]) })
    let fields = String(decoding: bytes[..<end], as: UTF8.self).split(separator: "\n").map {
      $0.split(separator: ": ", maxSplits: 1).map(String.init)
    }
    func values(_ key: String) -> [String] { fields.filter { $0[0] == key }.map { $0[1] } }
    id = name
    expect = try #require(values("expect").first)
    identities = values("identity")
    payload = values("payload").first
    let rest = Array(bytes[(end + 2)...])
    file = values("compressed").isEmpty ? rest : try AgeCase.inflated(rest)
  }

  /// zlib's format, read by Python: nothing else here needs it.
  private static func inflated(_ bytes: [UInt8]) throws -> [UInt8] {
    let script =
      "import sys, zlib; sys.stdout.buffer.write(zlib.decompress(sys.stdin.buffer.read()))"
    let result = try runProgram("python3", ["-c", script], input: bytes)
    try #require(result.status == 0, "\(result.errorText)")
    return result.output
  }

  /// The words of CCTV for an error of ours.
  static func words(_ code: CryptographyError.Code) -> String {
    switch code {
    case .badAgeFile, .unsupported: "header failure"
    case .ageArmor: "armor failure"
    case .noMatch: "no match"
    case .ageHeaderMAC: "HMAC failure"
    case .agePayload: "payload failure"
    default: code.name
    }
  }
}

@Suite("age files (C2SP age.md)") struct AgeTests {
  @Test("the published files open or are refused as they say", arguments: try AgeCase.all())
  private func published(vector: AgeCase) throws {
    let identities = try vector.identities.map { text throws in try AgeIdentity(text) }
    do throws(CryptographyError) {
      let plaintext = try AgeFile.decrypt(vector.file, with: identities)
      #expect(vector.expect == "success")
      #expect(SHA256.hash(plaintext).hex == vector.payload)
    } catch {
      #expect(AgeCase.words(error.code) == vector.expect, "\(error)")
    }
  }

  @Test("a header that was read is written with the same bytes", arguments: try AgeCase.all())
  private func headerRoundTrip(vector: AgeCase) throws {
    guard vector.expect == "success", !AgeArmor.isArmored(vector.file) else { return }
    let header = try AgeHeader(parsing: vector.file)
    // The file key of all files in this collection, which their own header names.
    let key = Array("YELLOW SUBMARINE".utf8)
    #expect(
      AgeHeader.encoded(header.stanzas, fileKey: key) == Array(vector.file[..<header.byteCount]))
  }

  @Test(
    "each recipient opens it alone, at every length around a chunk's end",
    arguments: [0, 1, 65_535, 65_536, 65_537, 131_072, 200_000])
  func roundTrip(byteCount: Int) throws {
    let plaintext = (0..<byteCount).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }
    let identities = try (0..<3).map { _ throws in try AgeIdentity.generate() }
    let file = try AgeFile.encrypt(plaintext, to: identities.map(\.recipient))
    for identity in identities {
      #expect(try AgeFile.decrypt(file, with: [identity]) == plaintext)
    }
    let stranger = try AgeIdentity.generate()
    #expect(code { try AgeFile.decrypt(file, with: [stranger]) } == .noMatch)
    #expect(code { try AgeFile.decrypt(file, with: []) } == .noMatch)
    #expect(try AgeFile.decrypt(file, with: [stranger, identities[2]]) == plaintext)
  }

  @Test("armor that is too long, or holds too much, is refused before it is read")
  func armorLimits() throws {
    let long = Array("-----".utf8) + [UInt8](repeating: 32, count: AgeFile.armoredByteLimit)
    #expect(code { try AgeFile.decrypt(long, with: []) } == .limit)
    // Lines that end in LF are shorter than those that the limit of the text allows for.
    let line = [UInt8](repeating: UInt8(ascii: "A"), count: 64) + [10]
    var full = Array("-----BEGIN AGE ENCRYPTED FILE-----\n".utf8)
    for _ in 0...AgeFile.byteLimit / 48 { full += line }
    full += Array("-----END AGE ENCRYPTED FILE-----\n".utf8)
    #expect(full.count <= AgeFile.armoredByteLimit)
    #expect(code { try AgeFile.decrypt(full, with: []) } == .limit)
    for file in [Array("-----".utf8), Array("\n\n-----BEGIN AGE ENCRYPTED FILE-----".utf8)] {
      #expect(code { try AgeFile.decrypt(file, with: []) } == .ageArmor)
    }
  }

  @Test("no byte may change, be cut off or be added")
  func altered() throws {
    let identity = try AgeIdentity.generate()
    let file = try AgeFile.encrypt([1, 2, 3], to: [identity.recipient])
    for index in file.indices {
      var other = file
      other[index] ^= 1
      #expect(throws: CryptographyError.self) { try AgeFile.decrypt(other, with: [identity]) }
      #expect(throws: CryptographyError.self) {
        try AgeFile.decrypt(Array(file[..<index]), with: [identity])
      }
    }
    #expect(code { try AgeFile.decrypt(file + [0], with: [identity]) } == .agePayload)
  }

  @Test("limits: recipients, header, plaintext")
  func limits() throws {
    let identity = try AgeIdentity.generate()
    #expect(code { try AgeFile.encrypt([], to: []) } == .limit)
    let many = Array(repeating: identity.recipient, count: 500)
    #expect(try AgeFile.decrypt(AgeFile.encrypt([5], to: many), with: [identity]) == [5])
    #expect(code { try AgeFile.encrypt([], to: many + [identity.recipient]) } == .limit)
    let endless = Array("age-encryption.org/v1\n-> ".utf8) + [UInt8](repeating: 65, count: 70_000)
    #expect(code { try AgeFile.decrypt(endless, with: [identity]) } == .limit)
    let large = [UInt8](repeating: 0, count: AgeFile.plaintextLimit + 1)
    #expect(code { try AgeFile.encrypt(large, to: [identity.recipient]) } == .limit)
    let largest = [UInt8](repeating: 0, count: AgeFile.byteLimit + 1)
    #expect(code { try AgeFile.decrypt(largest, with: [identity]) } == .limit)
  }

  @Test("nothing is encrypted to a point of low order", arguments: [UInt8(0), 1])
  func lowOrder(first: UInt8) throws {
    let recipient = AgeRecipient(publicKey: [first] + [UInt8](repeating: 0, count: 31))
    #expect(code { try AgeFile.encrypt([1], to: [recipient]) } == .badKey)
  }

  private func code<Value>(_ body: () throws -> Value) -> CryptographyError.Code? {
    do {
      _ = try body()
      return nil
    } catch { return (error as? CryptographyError)?.code }
  }
}

@Suite("age keys (C2SP age.md, BIP 173)") struct AgeKeyTests {
  private static let secret =
    "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
  private static let recipient = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"

  @Test("the example of the specification, both ways")
  func example() throws {
    let identity = try AgeIdentity(AgeKeyTests.secret)
    #expect(identity.recipient.description == AgeKeyTests.recipient)
    #expect(identity.secretText == AgeKeyTests.secret)
    #expect(try AgeRecipient(AgeKeyTests.recipient) == identity.recipient)
  }

  @Test("every changed letter, every cut, and the other case are refused")
  func altered() throws {
    for (text, isSecret) in [(AgeKeyTests.secret, true), (AgeKeyTests.recipient, false)] {
      func isRefused(_ text: String) -> Bool {
        if isSecret { (try? AgeIdentity(text)) == nil } else { (try? AgeRecipient(text)) == nil }
      }
      #expect(!isRefused(text))
      for index in text.indices {
        for letter in (isSecret ? "QPZ1B" : "qpz1b") where text[index] != letter {
          var other = text
          other.replaceSubrange(index...index, with: String(letter))
          #expect(isRefused(other), "\(other)")
        }
        #expect(isRefused(String(text[..<index])))
        var mixed = text
        let letter = String(text[index])
        mixed.replaceSubrange(
          index...index, with: isSecret ? letter.lowercased() : letter.uppercased())
        #expect(mixed == text || isRefused(mixed))
      }
      #expect(isRefused(isSecret ? text.lowercased() : text.uppercased()))
      #expect(isRefused(text + " ") && isRefused(" " + text) && isRefused(text + "\n"))
    }
  }

  @Test("a key of another length or with other padding bits is refused, whatever its checksum")
  func otherLengths() throws {
    for byteCount in [0, 16, 31, 33, 64] {
      let bytes = [UInt8](repeating: 3, count: byteCount)
      let text = Bech32.encode(prefix: "age", bytes)
      #expect(Bech32.decode(text, prefix: "age") == bytes)
      #expect(throws: CryptographyError.self) { try AgeRecipient(text) }
    }
    #expect(Bech32.decode(Bech32.encode(prefix: "age", [1, 2]), prefix: "agf") == nil)
    let long = Bech32.encode(prefix: "age", [UInt8](repeating: 0, count: 200))
    #expect(Bech32.decode(long, prefix: "age") == nil)
    // Valid checksums (computed apart): over 52 groups whose last 4 bits are not all zero, and over one
    // group, which holds no byte.
    #expect(
      Bech32.decode(
        "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqpfwgqrs", prefix: "age") == nil)
    #expect(Bech32.decode("age1qdd35qf", prefix: "age") == nil)
    #expect(Bech32.decode("age19l388n", prefix: "age") == [])
  }

  @Test("an identity file as age-keygen writes it")
  func identityFile() throws {
    let text = """
      # created: 2026-01-02T03:04:05Z
      # public key: \(AgeKeyTests.recipient)
      \(AgeKeyTests.secret)

      """
    let read = try AgeIdentity.parseFile(Array(text.utf8))
    #expect(read.map(\.recipient.description) == [AgeKeyTests.recipient])
    let own = try AgeIdentity.parseFile(Array(read[0].fileText.utf8))
    #expect(own.map(\.secretText) == [AgeKeyTests.secret])
    #expect(
      try AgeIdentity.parseFile(Array("\n\(AgeKeyTests.secret)\n\(AgeKeyTests.secret)".utf8)).count
        == 2)
  }

  @Test(
    "other files are refused as no identity file",
    arguments: [
      "", "# nothing\n", AgeKeyTests.recipient, AgeKeyTests.secret + "\r\n",
      " " + AgeKeyTests.secret, AgeKeyTests.secret + "\nAGE-PLUGIN-X-1QQQ\n", "\u{0}",
      String(repeating: AgeKeyTests.secret + "\n", count: 101),
      AgeKeyTests.secret + "\n" + String(repeating: "#", count: 65_536),
    ])
  func otherFiles(text: String) throws {
    do throws(CryptographyError) {
      _ = try AgeIdentity.parseFile(Array(text.utf8))
      Issue.record("accepted")
    } catch {
      #expect(error.code == .badKeyFile)
      #expect(!error.description.contains("AGE-SECRET-KEY-1G"))
    }
  }

  @Test("an identity is never printed")
  func printed() throws {
    let identity = try AgeIdentity(AgeKeyTests.secret)
    var dumped = ""
    dump(identity, to: &dumped)
    for text in ["\(identity)", String(reflecting: identity), dumped] {
      #expect(!text.uppercased().contains("SECRET-KEY") && !text.contains("66"))
    }
  }
}

@Suite("age files and Debian's age program") struct AgeProgramTests {
  private static let isThere = (try? runProgram("age", ["--version"]).status == 0) ?? false

  @Test(
    "each opens what the other made", .enabled(if: isThere), arguments: [0, 5, 65_536, 300_001])
  func bothWays(byteCount: Int) throws {
    let plaintext = (0..<byteCount).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 7) }
    try withTemporaryDirectory { folder in
      let keys = folder + "/keys"
      #expect(try runProgram("age-keygen", ["-o", keys]).status == 0)
      let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: keys)))
      let theirs = try #require(try AgeIdentity.parseFile(bytes).first)
      let shown = try runProgram("age-keygen", ["-y", keys]).outputText
      #expect(shown == theirs.recipient.description + "\n")

      let ours = try AgeIdentity.generate()
      let made = try AgeFile.encrypt(plaintext, to: [ours.recipient, theirs.recipient])
      #expect(try runProgram("age", ["-d", "-i", keys], input: made).output == plaintext)
      let own = folder + "/own"
      try Data(ours.fileText.utf8).write(to: URL(fileURLWithPath: own))
      #expect(try runProgram("age", ["-d", "-i", own], input: made).output == plaintext)

      let got = try runProgram(
        "age", ["-r", theirs.recipient.description, "-r", ours.recipient.description],
        input: plaintext)
      #expect(try AgeFile.decrypt(got.output, with: [ours]) == plaintext)
      #expect(try AgeFile.decrypt(got.output, with: [theirs]) == plaintext)
    }
  }
}
