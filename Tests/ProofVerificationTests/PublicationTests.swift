import ChunkStorage
import Cryptography
import Foundation
import MerkleTrees
import ProofPrimitives
import Testing

@testable import ProofArchive
@testable import ProofVerification
@testable import TransparencyLedger

@Suite("Publication (statements.md §3, §6)") struct PublicationTests {
  private func tensor(
    _ name: String, _ elements: Int, role: TensorRole = .weight,
    fill: (Int) -> Float = { Float($0) }
  ) throws -> Tensor {
    let spec = try #require(TensorSpec(name: name, role: role, type: .f32, shape: [elements]))
    var bytes: [UInt8] = []
    for index in 0..<elements {
      withUnsafeBytes(of: fill(index).bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
    }
    return try #require(Tensor(spec, bytes: bytes))
  }

  @Test("constant tensors, small ones and copies are not claimed; the largest come first")
  func claimedTensors() throws {
    let (large, small) = (try tensor("a", 2000), try tensor("b", 1023))
    let edge = try tensor("c", 1024, role: .buffer)
    let claimed = Publication.claimedTensors([
      small, edge, large, try tensor("d", 2000), try tensor("e", 5000) { _ in 0 },
      try tensor("f", 5000) { _ in 1.5 }, try tensor("g", 5000, role: .optimizer),
      try tensor("h", 3000) { $0 == 2999 ? 1 : 0 },
    ])
    // The same values under another name are the same tensor.
    let longest = try tensor("h", 3000) { $0 == 2999 ? 1 : 0 }
    #expect(claimed == [longest.digest, large.digest, edge.digest])
  }

  @Test("what finds no room in the statement goes into parts", arguments: [256, 257, 768, 769])
  func parts(count: Int) throws {
    let tensors = try (0..<count).map { number in
      try tensor("t\(number)", 1024) { Float($0 + number) }
    }
    let state = try #require(TrainingState(tensors))
    let parts = Publication.partDigests(of: state)
    let all = Publication.tensorDigests(of: state) + parts.flatMap { $0 }
    #expect(Set(all) == Set(tensors.map(\.digest)) && all.count == count)
    #expect(parts.count == (count == 256 ? 0 : count == 769 ? 2 : 1))
    #expect(parts.allSatisfy { $0 == $0.sorted() })
  }

  @Test("a publication with parts is taken, opens all it hid, and is the same when repeated")
  func plan() throws {
    let run = try TestRun(publishes: false)
    let salts = (0..<3).map { SHA256.hash([UInt8($0)]) }
    func plan() throws -> PublicationPlan {
      try PublicationPlan(
        try run.statement(), parts: [[SHA256.hash([8])], [SHA256.hash([9])]], salts: salts,
        logOrigin: run.ledger.origin, by: run.key)
    }
    run.ledger.admission = .statements
    let first = try plan()
    let hidden = try run.ledger.append(first.hidden)
    let again = try plan()
    #expect(again.hidden == first.hidden && again.statements == first.statements)
    #expect(try run.ledger.append(again.hidden).map(\.index) == hidden.map(\.index))
    let opened = try run.ledger.append(again.statements)
    let located = try run.ledger.view().allEntries().compactMap { entry in
      LedgerEntry.parse(entry.bytes).signed.map {
        LocatedStatement(index: entry.index, leafHash: entry.leafHash, signed: $0)
      }
    }
    for (hidden, opened) in zip(hidden, opened) {
      let claim = try #require(located.first { $0.index == opened.index })
      let standing = ClaimStanding(of: claim, logOrigin: run.ledger.origin) { leafHash in
        located.first { $0.leafHash == leafHash }
      }
      #expect(standing.opening == .valid(hiddenAt: hidden.index))
    }
    #expect(throws: LedgerError.self) {
      try PublicationPlan(
        try run.statement(), parts: [], salts: salts, logOrigin: run.ledger.origin, by: run.key)
    }
  }

  @Test("salts outlive the process, serve one statement only, and are told apart from damage")
  func draft() throws {
    let run = try TestRun(publishes: false)
    let statement = try run.statement()
    let path = run.scratch.file("run.publishing")
    func open(_ statement: ProofStatement, _ origin: String = "o", _ count: Int = 2) throws
      -> [Digest]
    {
      try PublicationDraft.open(path, for: statement, logOrigin: origin, count: count).salts
    }
    func code(_ work: () throws -> Void) -> String {
      do { try work() } catch let error as LedgerError { return error.code.name } catch {
        return "\(error)"
      }
      return "none"
    }
    let salts = try open(statement)
    #expect(Set(salts).count == 2)
    #expect(try open(statement) == salts)
    var other = statement
    other.location = "https://example.org/elsewhere"
    #expect(code { _ = try open(other) } == "alreadyExists")
    #expect(code { _ = try open(statement, "another log") } == "alreadyExists")
    #expect(code { _ = try open(statement, "o", 3) } == "alreadyExists")
    var opened = statement
    opened.opening = StatementOpening(hidden: .zero, salt: .zero)
    #expect(try open(opened) == salts)
    let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    #expect(mode == 0o600)
    try Data("{}".utf8).write(to: URL(filePath: path))
    #expect(code { _ = try open(statement) } == "badStatement")
    try PublicationDraft.close(path)
    try PublicationDraft.close(path)
    #expect(try open(statement) != salts)
  }
}
