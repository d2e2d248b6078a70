import Cryptography
import Foundation
import MerkleTrees
import ProofPrimitives
import Testing

@testable import TransparencyLedger

private struct EvidenceVectors: Decodable {
  struct Finding: Decodable, Equatable {
    let committedAt: Int
    let runCommittedAt: Int
    let times: [String]
    let seen: [String]
  }

  struct Case: Decodable, CustomTestStringConvertible {
    let id: String
    let file: String
    let expect: String
    let key: Bool
    let policy: String
    let roots: String
    let finding: Finding?

    var testDescription: String { id }
  }

  let cases: [Case]
  let logKey: String
  let root: String
  let another: String

  static let all: EvidenceVectors? = {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let data = try? Data(contentsOf: root.appending(path: "testvectors/evidence/evidence.json"))
    return data.flatMap { try? JSONDecoder().decode(EvidenceVectors.self, from: $0) }
  }()

  func check(_ one: Case) throws -> EvidenceFinding {
    let evidence = try EvidenceFile(parsing: Array(one.file.utf8))
    #expect(evidence.encoded == Array(one.file.utf8))
    let policy =
      one.policy.isEmpty ? nil : try LedgerPolicy(parsing: Array(one.policy.utf8))
    let roots: [[UInt8]]? =
      switch one.roots {
      case "root": [try #require(Hex.decode(root))]
      case "another": [try #require(Hex.decode(another))]
      default: nil
      }
    var key = one.key ? try NoteVerifierKey(text: logKey) : nil
    if key == nil, let policy, !policy.logs.isEmpty {
      key = try policy.logKey(of: try #require(evidence.items.first?.receipts.first).note)
    }
    #expect(key != nil || one.expect != "valid")
    return try evidence.check(
      by: key ?? evidence.statedKey, policy: policy, trust: roots.map { TimestampTrust(roots: $0) })
  }
}

extension EvidenceVectors.Finding {
  init(_ found: EvidenceFinding) {
    committedAt = found.standing.map { Int($0.committedAt.value) } ?? -1
    runCommittedAt = found.standing?.runCommitment.map { Int($0.value) } ?? -1
    seen = (found.entries.first?.seen ?? []).sorted { $0.witness < $1.witness }
      .map { "\($0.witness) \($0.time)" }
    times = found.tokens.map { token in
      let subject =
        switch token.subject {
        case .entry(let position): "entry \(position)"
        case .head(let position): "head \(position)"
        case .token(let position): "token \(position)"
        }
      let worth =
        switch token.worth {
        case .stated: "stated"
        case .holds: "holds"
        case .nothing(let error): "nothing \(error.code.name)"
        }
      return "\(subject) \(worth)" + (token.renewedAt == nil ? "" : " renewed")
    }
  }
}

@Suite("Evidence files (evidence.md)") struct EvidenceVectorTests {
  @Test(
    "each case shows what is written, or is refused for its one fault",
    arguments: EvidenceVectors.all?.cases ?? [])
  fileprivate func vectors(one: EvidenceVectors.Case) throws {
    let file = try #require(EvidenceVectors.all)
    guard let expected = one.finding else {
      #expect(code { _ = try file.check(one) } == one.expect)
      return
    }
    #expect(try EvidenceVectors.Finding(file.check(one)) == expected)
  }

  @Test("the vectors are there") func present() throws {
    #expect(try #require(EvidenceVectors.all).cases.count > 60)
  }

  @Test("a file made from a ledger holds what the proof stands on, and older receipts")
  func making()
    throws
  {
    let scratch = try ScratchFolder()
    let ledger = try newLedger(scratch)
    let key = try testKey(5)
    let run = try commitmentEntry(1, key: key)
    var proof = try proofStatement(model: 1, key: key)
    proof.commitment = MerkleTree.leafHash(of: run)
    proof.parents = []
    let entry = try LedgerEntry.signed(proof.encoded, by: key)
    _ = try ledger.append([run])
    let early = try #require(try ledger.append([entry]).first).proof
    _ = try ledger.append([try commitmentEntry(2, key: key)])
    let source = DirectoryLedgerSource(directory: scratch.ledger)
    let view = try LedgerView(source: source, verifierKey: ledger.verifierKey)
    let evidence = try EvidenceFile(
      of: LeafIndex(1), in: view,
      find: { names throws(LedgerError) in
        try view.allEntries().filter { names.contains($0.leafHash) }
      }, receipts: [early])
    #expect(evidence.items.count == 2)
    #expect(evidence.items.first?.receipts.count == 2)
    let again = try EvidenceFile(parsing: evidence.encoded)
    let found = try again.check(by: ledger.verifierKey, policy: nil, trust: nil)
    #expect(found.standing?.runCommitment == LeafIndex(0))
    #expect(found.head.head.size == view.head.size)
  }
}
