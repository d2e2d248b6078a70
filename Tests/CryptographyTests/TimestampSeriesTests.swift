import Foundation
import ProofPrimitives
import Testing

@testable import Cryptography

/// What an authority answered once (`testvectors/time`).
private func kept(_ name: String) throws -> [UInt8] {
  let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appending(path: "testvectors/time")
  return Array(try Data(contentsOf: folder.appending(path: name)))
}

private func token(_ name: String) throws -> TimestampToken {
  try TimestampToken(der: try kept(name))
}

private func trust() throws -> TimestampTrust {
  TimestampTrust(roots: [try kept("root.cer")])
}

private func code(_ body: () throws -> Void) -> String {
  do {
    try body()
    return "taken"
  } catch {
    return (error as? TimestampError)?.code.name ?? "\(error)"
  }
}

@Suite("Tokens that were kept (time.md §4, §5)") struct TimestampSeriesTests {
  private static let imprint = SHA256.hash([])

  @Test("a token is worth what it was, whatever the reader's year is") func past() throws {
    let token = try token("token.tst")
    #expect(token.imprint == TimestampSeriesTests.imprint)
    #expect(token.time == 1_612_325_106)
    let standing = try token.check(try trust())
    #expect(standing.authority == "/CN=Vectors")
    #expect(standing.validUntil == 1_640_995_201)
    #expect(standing.certificates.count == 3)
    #expect(standing.certificates.last == (try kept("root.cer")))
    #expect(standing.certificates[1] == (try kept("between.cer")))
  }

  @Test("a reply is the token and a status before it") func reply() throws {
    let token = try TimestampRequest.token(inReply: try kept("reply.tsr"))
    #expect(token.der == (try kept("token.tst")))
    let request = TimestampRequest(
      TimestampSeriesTests.imprint, nonce: [0x41, 2, 3, 4, 5, 6, 7, 8])
    #expect(request.encoded == (try kept("query.tsq")))
    #expect(try request.token(in: try kept("reply.tsr")) == token)
    #expect(
      code { _ = try TimestampRequest.token(inReply: try kept("refused.tsr")) } == "timeRefused")
  }

  @Test("no beginning of a token, a reply or a list is one") func cutShort() throws {
    for (name, read) in [
      ("token.tst", { _ = try TimestampToken(der: $0) }),
      ("reply.tsr", { _ = try TimestampRequest.token(inReply: $0) }),
      ("between.crl", { _ = try RevocationList($0) }),
      ("root.cer", { _ = try CertificateFile.parse($0, .certificates) }),
    ] as [(String, ([UInt8]) throws -> Void)] {
      let whole = try kept(name)
      #expect(code { try read(whole) } == "taken")
      for count in whole.indices {
        #expect(code { try read(Array(whole[..<count])) } == "badToken", "\(name) of \(count)")
      }
    }
  }

  @Test("certificates in another order than DER's are read") func unsorted() throws {
    #expect(try token("unsorted.tst").check(try trust()).authority == "/CN=Vectors")
  }

  @Test("a renewal goes on from a token while that can be relied on") func renewal() throws {
    let trust = try trust()
    var series = try TimestampSeries(
      try token("token.tst"), over: TimestampSeriesTests.imprint, trust)
    try series.renew(by: try token("renewal.tst"), trust)
    #expect(series.time == 1_612_325_106)
    #expect(series.validUntil == 2_208_988_801)
    #expect(series.links.count == 2)
    // Nobody's word any more: over the one before, and not over this one.
    #expect(code { try series.renew(by: try token("renewal.tst"), trust) } == "otherImprint")
  }

  @Test("a renewal that came too late, is over something else, or by nobody who is trusted is none")
  func noRenewal() throws {
    let trust = try trust()
    var series = try TimestampSeries(
      try token("token.tst"), over: TimestampSeriesTests.imprint, trust)
    #expect(code { try series.renew(by: try token("late.tst"), trust) } == "untrustedTime")
    #expect(code { try series.renew(by: try token("unsorted.tst"), trust) } == "otherImprint")
    let stranger = TimestampTrust(roots: [try kept("stranger.cer")])
    #expect(
      code { try series.renew(by: try token("renewal.tst"), stranger) } == "untrustedTime")
    #expect(series.links.count == 1)
    #expect(
      code { _ = try TimestampSeries(try token("renewal.tst"), over: .zero, trust) }
        == "otherImprint")
    #expect(
      code {
        _ = try TimestampSeries(try token("many.tst"), over: TimestampSeriesTests.imprint, trust)
      } == "untrustedTime")
  }

  @Test("a revocation by a kept list counts from its date, put out of use as it is") func list()
    throws
  {
    var trust = try trust()
    trust.revocationLists = try CertificateFile.parse(try kept("lists.pem"), .revocationLists)
    #expect(trust.revocationLists.count == 2)
    #expect(trust.revocationLists.contains(try kept("between.crl")))
    #expect(try token("token.tst").check(trust).notRevokedUntil != nil)
  }
}

@Suite("Files of certificates (time.md §6)") struct CertificateFileTests {
  @Test("PEM holds any number, among other things; DER one") func forms() throws {
    let both = try CertificateFile.parse(try kept("certificates.pem"), .certificates)
    #expect(both == [try kept("root.cer"), try kept("between.cer")])
    #expect(
      try CertificateFile.parse(try kept("root.cer"), .certificates) == [try kept("root.cer")])
    let mixed = try kept("lists.pem") + Array("a note\n".utf8) + kept("certificates.pem")
    #expect(try CertificateFile.parse(mixed, .certificates) == both)
    #expect(try CertificateFile.parse(mixed, .revocationLists).count == 2)
  }

  @Test("what holds none, or a damaged one, is refused") func refusals() throws {
    let pem = try kept("certificates.pem")
    for bytes in [
      [], Array("no PEM\n".utf8), try kept("lists.pem"), try kept("between.crl"),
      Array(pem.dropLast(40)), try kept("root.cer") + [0],
      Array(String(decoding: pem, as: UTF8.self).replacingOccurrences(of: "MII", with: "MIJ").utf8),
      [UInt8](repeating: 0x30, count: CertificateFile.byteLimit + 1),
    ] {
      #expect(
        code { _ = try CertificateFile.parse(bytes, .certificates) } == "badToken",
        "\(bytes.count) bytes")
    }
    let many = [[UInt8]](repeating: pem, count: CertificateFile.countLimit / 2 + 1)
    #expect(
      code { _ = try CertificateFile.parse(many.flatMap(\.self), .certificates) } == "badToken")
  }
}

@Suite("Policies of authorities (time.md §3)") struct TimestampPolicyTests {
  @Test("a policy stands between the digest and the nonce") func encoding() throws {
    let request = TimestampRequest(
      SHA256.hash([]), nonce: [0x41, 2, 3, 4, 5, 6, 7, 8], policy: try TimestampPolicy("1.2.3.4.1"))
    #expect(
      Hex.encode(request.encoded)
        == "30490201013031300d060960864801650304020105000420"
        + "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        + "06042a030401" + "020841020304050607080101ff")
  }

  @Test("a token under another policy answers another request") func other() throws {
    for (policy, answer) in [("1.2.3.4.1", "taken"), ("1.2.3.4.5", "otherImprint")] {
      let request = TimestampRequest(
        SHA256.hash([]), nonce: [0x41, 2, 3, 4, 5, 6, 7, 8], policy: try TimestampPolicy(policy))
      #expect(code { _ = try request.token(in: try kept("reply.tsr")) } == answer)
    }
  }

  @Test(
    "what is no identifier is refused",
    arguments: [
      "", "1", "1.", "9.1", "1.2.x", "sha256", "1.2 ", "1..2", "1.02.3",
      "1.2." + Array(repeating: "16384", count: 20).joined(separator: "."),
    ]) func refusals(text: String)
  {
    #expect(code { _ = try TimestampPolicy(text) } == "badToken")
  }
}
