import Foundation
import ProofPrimitives
import Testing

@testable import Cryptography

/// Replaces the first occurrence; both have one length.
private func replacing(_ old: [UInt8], with new: [UInt8], in bytes: [UInt8]) throws -> [UInt8] {
  let place = try #require(bytes.indices.first { bytes[$0...].starts(with: old) })
  return bytes[..<place] + new + bytes[(place + old.count)...]
}

private func code(_ body: () throws -> Void) -> String {
  do {
    try body()
    return "taken"
  } catch {
    return (error as? TimestampError)?.code.name ?? "\(error)"
  }
}

@Suite("Timestamps of a real authority (time.md, RFC 3161)", .serialized)
struct TimestampTests {
  private static let imprint = SHA256.hash(Array("a tree head".utf8))
  /// A time long past, as a token writes it, and as seconds.
  private static let past = (text: Array("20210203040506Z".utf8), seconds: Int64(1_612_325_106))

  private func withAuthority(_ body: (LocalAuthority) throws -> Void) throws {
    let authority = try LocalAuthority()
    defer { authority.remove() }
    try body(authority)
  }

  private func token(_ authority: LocalAuthority) throws -> TimestampToken {
    let request = try TimestampRequest(TimestampTests.imprint)
    return try request.token(in: try authority.reply(request.encoded))
  }

  private func trust(
    _ authority: LocalAuthority, root: String = "root", lists: [[UInt8]] = []
  ) throws -> TimestampTrust {
    TimestampTrust(roots: [try authority.certificate(root)], revocationLists: lists)
  }

  /// A token of that moment in the past, signed by whom and how it is asked.
  private func pastToken(
    _ authority: LocalAuthority, by signers: [String] = ["tsa"], hash: String = "sha256",
    namesSigner: Bool = true
  ) throws -> TimestampToken {
    let token = try token(authority)
    let info = try authority.info(of: token.der)
    let start = try #require(info.indices.first { info[$0...].starts(with: [0x18, 0x0f]) })
    let changed = info[..<(start + 2)] + TimestampTests.past.text + info[(start + 17)...]
    return try TimestampToken(
      der: try authority.sign(Array(changed), by: signers, hash: hash, namesSigner: namesSigner))
  }

  @Test("a token says what was asked, and its authority is believed through its root") func honest()
    throws
  {
    try withAuthority { authority in
      let request = try TimestampRequest(TimestampTests.imprint)
      let before = Int64(Date().timeIntervalSince1970)
      let token = try request.token(in: try authority.reply(request.encoded))
      let after = Int64(Date().timeIntervalSince1970)
      #expect((before...after).contains(token.time))
      #expect(token.imprint == TimestampTests.imprint)
      #expect(token.nonce == request.nonce)
      #expect(token.policy == "1.2.3.4.1")
      #expect(token.accuracyMicroseconds == 1_500_100)
      #expect(token.serial == [0x10, 0x01])
      let standing = try token.check(try trust(authority))
      #expect(standing.authority == "/CN=Stamps")
      #expect(standing.notRevokedUntil == nil)
      #expect(standing.validUntil == 2_208_988_801)
      // openssl reads our request, and checks its own answer against it.
      try authority.run(
        "ts", "-verify", "-queryfile", "query", "-in", "reply", "-CAfile", "root.pem")
    }
  }

  @Test("a request is the bytes of time.md §3") func requestBytes() {
    let request = TimestampRequest(SHA256.hash([]), nonce: [0x41, 2, 3, 4, 5, 6, 7, 8])
    #expect(
      Hex.encode(request.encoded)
        == "30430201013031300d060960864801650304020105000420"
        + "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        + "020841020304050607080101ff")
  }

  @Test("what was not asked for, refused or replayed is no token") func answers() throws {
    try withAuthority { authority in
      let request = try TimestampRequest(TimestampTests.imprint)
      let reply = try authority.reply(request.encoded)
      let other = try TimestampRequest(SHA256.hash([1]))
      #expect(code { _ = try other.token(in: reply) } == "otherImprint")
      let sameNonce = TimestampRequest(SHA256.hash([1]), nonce: request.nonce)
      #expect(code { _ = try sameNonce.token(in: reply) } == "otherImprint")
      let again = try TimestampRequest(TimestampTests.imprint)
      #expect(again.nonce != request.nonce)
      #expect(code { _ = try again.token(in: reply) } == "otherImprint")
      let refusal = try authority.reply(request.encoded, section: "picky")
      #expect(code { _ = try request.token(in: refusal) } == "timeRefused")
      #expect(code { _ = try request.token(in: reply + [0]) } == "badToken")
      #expect(code { _ = try request.token(in: reply.dropLast()) } == "badToken")
      #expect(code { _ = try request.token(in: []) } == "badToken")
      #expect(
        code { _ = try request.token(in: Array(repeating: 0x30, count: 70_000)) } == "badToken")
    }
  }

  @Test("no bit of a token can be changed, and no byte added") func flips() throws {
    try withAuthority { authority in
      let token = try token(authority)
      let trust = try trust(authority)
      #expect(code { _ = try TimestampToken(der: token.der + [0]) } == "badToken")
      #expect(
        code { _ = try TimestampToken(der: token.der + [UInt8](repeating: 0, count: 70_000)) }
          == "badToken")
      // Between the certificates stand some that the chain does not need; in what is signed, nothing.
      let signed = try authority.info(of: token.der)
      let start = try #require(token.der.indices.first { token.der[$0...].starts(with: signed) })
      for position in start..<(start + signed.count) {
        var der = token.der
        der[position] ^= 1 << UInt8(position % 8)
        #expect(
          code { _ = try TimestampToken(der: der).check(trust) } != "taken", "byte \(position)")
      }
    }
  }

  @Test("who signs has to be trusted, for time alone, and then") func signers() throws {
    try withAuthority { authority in
      let good = try pastToken(authority)
      #expect(good.time == TimestampTests.past.seconds)
      #expect(try good.check(try trust(authority)).authority == "/CN=Stamps")
      #expect(
        code { _ = try good.check(try trust(authority, root: "stranger")) } == "untrustedTime")
      #expect(code { _ = try good.check(TimestampTrust(roots: [])) } == "untrustedTime")
      #expect(code { _ = try good.check(TimestampTrust(roots: [[1, 2]])) } == "untrustedTime")
      for kind in ["lax", "many", "none", "authority"] {
        try authority.certify(keyOf: kind, kind, kind)
        let token = try pastToken(authority, by: [kind])
        #expect(code { _ = try token.check(try trust(authority)) } == "untrustedTime", "\(kind)")
      }
      // Valid now, and not at the token's time; then the other way round.
      try authority.certify(keyOf: "young", "young", "stamping", from: "20220101000000Z")
      let young = try pastToken(authority, by: ["young"])
      #expect(code { _ = try young.check(try trust(authority)) } == "untrustedTime")
      try authority.certify(keyOf: "old", "old", "stamping", to: "20220101000000Z")
      let old = try pastToken(authority, by: ["old"])
      #expect(try old.check(try trust(authority)).validUntil == 1_640_995_201)
      // 1,024 bits of RSA.
      try authority.key("weak", bits: 1024)
      try authority.certify(keyOf: "weak", "weak", "stamping")
      let weak = try pastToken(authority, by: ["weak"])
      #expect(code { _ = try weak.check(try trust(authority)) } == "untrustedTime")
    }
  }

  @Test("the signature is one, strong, and names its certificate") func signatures() throws {
    try withAuthority { authority in
      let trust = try trust(authority)
      let sha1 = try pastToken(authority, hash: "sha1")
      #expect(code { _ = try sha1.check(trust) } == "untrustedTime")
      let unnamed = try pastToken(authority, namesSigner: false)
      #expect(code { _ = try unnamed.check(trust) } == "untrustedTime")
      try authority.certify(keyOf: "second", "second", "stamping")
      let two = try pastToken(authority, by: ["tsa", "second"])
      #expect(code { _ = try two.check(trust) } == "badToken")
      let sha512 = try pastToken(authority, hash: "sha512")
      #expect(code { _ = try sha512.check(trust) } == "taken")
    }
  }

  @Test("certificates in another order than DER's are read, and kept as they came") func order()
    throws
  {
    try withAuthority { authority in
      let token = try pastToken(authority)
      let first = try authority.certificate("tsa")
      let second = try authority.certificate("between")
      let isSorted = token.der.indices.contains { token.der[$0...].starts(with: first + second) }
      let (old, new) =
        isSorted ? (first + second, second + first) : (second + first, first + second)
      let swapped = try TimestampToken(der: try replacing(old, with: new, in: token.der))
      #expect(swapped.der != token.der)
      #expect(try swapped.check(try trust(authority)).authority == "/CN=Stamps")
    }
  }

  @Test("certificates that a token lacks are taken from what was kept") func intermediates() throws
  {
    try withAuthority { authority in
      let token = try pastToken(authority)
      // Takes the certificate between out of the set.
      try authority.write("token", bytes: token.der)
      try authority.run(
        "cms", "-resign", "-inform", "DER", "-in", "token", "-outform", "DER", "-out", "more",
        "-signer", "tsa.pem", "-inkey", "tsa.key", "-nocerts")
      let info = try authority.info(of: token.der)
      try authority.write("info", bytes: info)
      try authority.run(
        "cms", "-sign", "-binary", "-nodetach", "-cades", "-econtent_type",
        "1.2.840.113549.1.9.16.1.4",
        "-md", "sha256", "-in", "info", "-outform", "DER", "-out", "bare", "-signer", "tsa.pem",
        "-inkey",
        "tsa.key")
      let bare = try TimestampToken(der: try authority.read("bare"))
      var trust = try trust(authority)
      #expect(code { _ = try bare.check(trust) } == "untrustedTime")
      trust.intermediates = [try authority.certificate("between")]
      #expect(code { _ = try bare.check(trust) } == "taken")
      trust.intermediates = [[0x30, 0]]
      #expect(code { _ = try bare.check(trust) } == "untrustedTime")
    }
  }

  @Test("revocation counts as RFC 3161 §4 says") func revocation() throws {
    try withAuthority { authority in
      let token = try pastToken(authority)
      let empty = [
        try authority.revocationList(by: "root"), try authority.revocationList(by: "between"),
      ]
      let now = Int64(Date().timeIntervalSince1970)
      let standing = try token.check(try trust(authority, lists: empty))
      #expect((now - 60...now).contains(try #require(standing.notRevokedUntil)))
      // One issuer without a list: not known.
      for list in empty {
        #expect(try token.check(try trust(authority, lists: [list])).notRevokedUntil == nil)
      }
      // Of a part of the certificates: not known.
      let part = [empty[0], try authority.revocationList(by: "between", extensions: "part")]
      #expect(try token.check(try trust(authority, lists: part)).notRevokedUntil == nil)
      #expect(code { _ = try token.check(try trust(authority, lists: [[1]])) } == "badToken")

      // Put out of use now: what was signed before stays, what is signed later does not.
      try authority.revoke("tsa", by: "between", reason: "superseded")
      let superseded = [empty[0], try authority.revocationList(by: "between")]
      #expect(code { _ = try token.check(try trust(authority, lists: superseded)) } == "taken")
      let later = try self.token(authority)
      #expect(
        code { _ = try later.check(try trust(authority, lists: superseded)) } == "revokedTime")
    }
    for reason in ["keyCompromise", "CACompromise", nil] {
      try withAuthority { authority in
        let token = try pastToken(authority)
        try authority.revoke("tsa", by: "between", reason: reason)
        let lists = [try authority.revocationList(by: "between")]
        #expect(
          code { _ = try token.check(try trust(authority, lists: lists)) } == "revokedTime",
          "\(reason ?? "none")")
      }
    }
  }

  @Test("a list that somebody else signed in the issuer's name says nothing") func foreignList()
    throws
  {
    try withAuthority { authority in
      let token = try pastToken(authority)
      try authority.revoke("between", by: "root", reason: "keyCompromise")
      let foreign = try authority.revocationList(by: "stranger")
      #expect(code { _ = try token.check(try trust(authority, lists: [foreign])) } == "taken")
      let own = try authority.revocationList(by: "root")
      #expect(code { _ = try token.check(try trust(authority, lists: [own])) } == "revokedTime")
    }
  }
}
