import Cryptography
import Foundation
import MerkleTrees
import ProofPrimitives
import Testing

@testable import TransparencyLedger

/// What an authority answered once (`testvectors/time`).
private func kept(_ name: String) throws -> [UInt8] {
  let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appending(path: "testvectors/time")
  return Array(try Data(contentsOf: folder.appending(path: name)))
}

private let a = String(repeating: "a", count: 64)
private let b = String(repeating: "b", count: 64)

@Suite("The index of tokens (time.md §6)") struct TimeIndexTests {
  private func index(_ text: String) throws -> TimeIndex {
    try TimeIndex(parsing: Array(text.utf8))
  }

  @Test("every line is read, and written as it was") func lines() throws {
    let text =
      "head 0 \(a)\nentry 18446744073709551615 \(b)\ntoken \(a) \(b)\ncertificate \(a) \(b)\ncrl \(a) \(b)\n"
    let index = try index(text)
    #expect(index.lines.count == 5)
    #expect(index.lines.map(\.text).joined() == text)
    // What follows the last newline is being written.
    #expect(try self.index(text + "head 1 a") == index)
    #expect(try self.index("") == TimeIndex())
    #expect(try self.index("head 1 a") == TimeIndex())
  }

  @Test(
    "a line that is none is refused",
    arguments: [
      "head 01 \(a)", "head -1 \(a)", "head 4611686018427387905 \(a)", "head x \(a)", "head 1",
      "head 1 \(a) ", " head 1 \(a)", "head  1 \(a)", "Head 1 \(a)", "head 1 \(a.dropLast())",
      "head 1 \(a.uppercased())", "entry \(a) \(b)", "token 1 \(a)", "list \(a) \(b)", "",
      "head 1 \(a)\r", "crl \(a)", "\u{0}",
    ]) func refusals(line: String)
  {
    #expect(throws: LedgerError.self) { try index("head 1 \(a)\n\(line)\n") }
    #expect((try? index("head 1 \(a)\n\(line)\n")) == nil)
  }

  @Test("the smallest head over an entry says the most") func heads() throws {
    let index = try index("head 9 \(a)\nhead 3 \(a)\nhead 3 \(b)\nhead 5 \(b)\nentry 3 \(b)\n")
    #expect(index.heads(covering: LeafIndex(3)).map(\.value) == [5, 9])
    #expect(index.heads(covering: LeafIndex(0)).map(\.value) == [3, 5, 9])
    #expect(index.heads(covering: LeafIndex(9)).isEmpty)
    #expect(index.tokens(of: .head(TreeSize(3))).count == 2)
    #expect(index.tokens(of: .entry(LeafIndex(3))).count == 1)
    #expect(index.stampedSize == TreeSize(9))
  }

  @Test("a file's name has one spelling") func paths() throws {
    let digest = try #require(Digest(hex: a))
    for path in [TimePath.token(digest), .certificate(digest), .revocationList(digest)] {
      #expect(TimePath(path: path.path) == path)
    }
    for path in [
      "time/token/\(a)", "time/token/\(a).cer", "time/crl/\(a).tst", "time/token/\(a).tst/",
      "time//token/\(a).tst", "time/token/\(a.uppercased()).tst", "time/token/.tst", "time/index",
      "time/token/../token/\(a).tst", "xtime/token/\(a).tst",
    ] {
      #expect(TimePath(path: path) == nil, "\(path)")
    }
  }
}

@Suite("Where tokens are kept (time.md §6)") struct TokenStoreTests {
  @Test("files are there before the index names them, and nothing is written twice") func adding()
    throws
  {
    let scratch = try ScratchFolder()
    _ = try LocalLedger.create(at: scratch.ledger, origin: testOrigin)
    let store = try TokenStore(directory: scratch.ledger)
    #expect(try store.index() == TimeIndex())
    let token = try TimestampToken(der: try kept("token.tst"))
    let certificates = [try kept("root.cer"), try kept("between.cer")]
    for _ in 0..<2 {
      try store.add(
        token, for: .head(TreeSize(1)), certificates: certificates,
        revocationLists: [try kept("between.crl")])
    }
    let index = try store.index()
    let digest = SHA256.hash(token.der)
    #expect(index.lines.count == 4)
    #expect(index.tokens(of: .head(TreeSize(1))) == [digest])
    #expect(try scratch.bytes("log/\(TimePath.token(digest).path)") == token.der)
    for certificate in certificates {
      let path = TimePath.certificate(SHA256.hash(certificate))
      #expect(try scratch.bytes("log/\(path.path)") == certificate)
    }
    #expect(index.certificates(of: digest).count == 2)
    #expect(index.revocationLists(of: digest) == [SHA256.hash(try kept("between.crl"))])
  }

  @Test("a line that a crash cut off is written anew") func torn() throws {
    let scratch = try ScratchFolder()
    _ = try LocalLedger.create(at: scratch.ledger, origin: testOrigin)
    let store = try TokenStore(directory: scratch.ledger)
    let token = try TimestampToken(der: try kept("token.tst"))
    try store.add(token, for: .head(TreeSize(1)))
    let whole = try scratch.bytes("log/time/index")
    for count in [0, 1, 40, whole.count - 1] {
      try scratch.write(Array(whole[..<count]), to: "log/time/index")
      try store.add(token, for: .head(TreeSize(1)))
      #expect(try scratch.bytes("log/time/index") == whole, "\(count)")
    }
  }

  @Test("a file that is there with other bytes is left as it is") func damaged() throws {
    let scratch = try ScratchFolder()
    _ = try LocalLedger.create(at: scratch.ledger, origin: testOrigin)
    let store = try TokenStore(directory: scratch.ledger)
    let token = try TimestampToken(der: try kept("token.tst"))
    try store.add(token, for: .head(TreeSize(1)))
    let path = "log/\(TimePath.token(SHA256.hash(token.der)).path)"
    try scratch.write([1], to: path)
    #expect(throws: LedgerError.self) { try store.add(token, for: .head(TreeSize(2))) }
    #expect(try scratch.bytes(path) == [1])
    #expect(try store.index().lines.count == 1)
  }

  @Test("tokens are the owner's to store") func mirror() throws {
    let scratch = try ScratchFolder()
    _ = try LocalLedger.create(at: scratch.ledger, origin: testOrigin)
    try scratch.remove("log.private")
    #expect(throws: LedgerError.self) { try TokenStore(directory: scratch.ledger) }
  }
}
