import Cryptography
import Foundation
import MerkleTrees
import ProofPrimitives
import Testing

@testable import TransparencyLedger

@Suite("Gathering cosignatures (witness.md §7, §8)") struct CosigningRoundTests {
  private func answer(_ status: Int, _ text: String) -> WitnessAnswer {
    WitnessAnswer(status: status, body: Array(text.utf8))
  }

  @Test("a quorum is gathered from witnesses that know nothing, something, and everything")
  func gathering() throws {
    let scratch = try ScratchFolder()
    let ledger = try newLedger(scratch)
    let others = try TestWitnesses(scratch)
    _ = try ledger.append(opaqueEntries(0..<3))
    _ = try others.collect(try ledger.signedView(), [1, 2])
    _ = try ledger.append(opaqueEntries(3..<700))
    let view = try ledger.signedView()
    _ = try others.collect(view, [2])

    var round = CosigningRound(view, policy: others.policy)
    #expect(!round.quorumHolds)
    #expect(
      code { _ = try SignedTreeHead(note: round.note, by: view.verifierKey, policy: others.policy) }
        == "quorumMissing")
    for position in 0..<3 {
      let time = try round.ask(position, lastSize: .zero) { body throws(LedgerError) in
        others.witnesses[position].answer(addCheckpoint: body)
      }
      #expect(time == testTime)
      #expect(round.quorumHolds == (position > 0))
    }
    let signed = try SignedTreeHead(
      note: round.note, by: view.verifierKey, policy: others.policy)
    #expect(try others.policy.evaluate(signed.note).cosigned.map(\.witness) == [0, 1, 2])
    // One who remembers a larger size than the head's is asked from the head's.
    _ = try round.ask(0, lastSize: TreeSize(9999)) { body throws(LedgerError) in
      #expect(body.starts(with: Array("old 700\n".utf8)))
      return others.witnesses[0].answer(addCheckpoint: body)
    }
  }

  @Test("what a witness should not answer is refused, and leaves no line") func refusals() throws {
    let scratch = try ScratchFolder()
    let ledger = try newLedger(scratch)
    let others = try TestWitnesses(scratch)
    _ = try ledger.append(opaqueEntries(0..<5))
    let view = try ledger.signedView()
    let text = view.signedHead.note.text
    func line(_ number: UInt8, _ text: [UInt8], name: String? = nil) throws -> String {
      try Cosigner(name: name ?? "witness.example/\(number - 50)", key: testKey(number))
        .cosign(text, time: testTime).line
    }
    let good = try line(50, text)
    // Well formed, of a stranger, and too much to carry.
    let wide = NoteSignature(name: "x", keyID: 1, bytes: [UInt8](repeating: 0, count: 60_000))
    let long = String(repeating: "x", count: CosigningRound.answerByteLimit)
    let cases: [(WitnessAnswer, String)] = [
      (answer(200, ""), "badAnswer"),
      (answer(200, "ok\n"), "badAnswer"),
      (answer(200, String(good.dropLast())), "badAnswer"),
      (answer(200, "\n" + good), "badAnswer"),
      (answer(200, "more text\n\n" + good), "badAnswer"),
      (answer(200, "more text\n\n" + (try line(51, text)) + good), "badAnswer"),
      (answer(200, wide.line + good), "badAnswer"),
      (answer(200, try line(51, text)), "badAnswer"),
      (answer(200, try line(50, text, name: "witness.example/x")), "badAnswer"),
      (answer(200, view.signedHead.note.signatures[0].line), "badAnswer"),
      (answer(200, String(repeating: good, count: 64)), "badAnswer"),
      (answer(200, good + long), "badAnswer"),
      (answer(200, try line(50, text + Array("x\n".utf8))), "badSignature"),
      (answer(200, good + (try line(50, text + Array("x\n".utf8)))), "badSignature"),
      (answer(409, "2\n"), "badAnswer"),
      (answer(409, "3"), "badAnswer"),
      (answer(409, "03\n"), "badAnswer"),
      (answer(409, "\n"), "badAnswer"),
      (answer(409, "<html>\n"), "badAnswer"),
      (answer(409, "9223372036854775808\n"), "badAnswer"),
      (answer(409, "6\n"), "rolledBack"),
      (answer(400, "badRequest: x\n"), "witnessRefused"),
      (answer(403, ""), "witnessRefused"),
      (answer(404, "no\n"), "witnessRefused"),
      (answer(422, "forked: x\n"), "witnessRefused"),
      (answer(429, ""), "witnessRefused"),
      (answer(500, ""), "witnessRefused"),
      (answer(201, good), "witnessRefused"),
      (answer(302, good), "witnessRefused"),
    ]
    for (answer, expected) in cases {
      var round = CosigningRound(view, policy: others.policy)
      let found = code { _ = try round.take(answer, by: 0, from: TreeSize(2)) }
      #expect(
        found == expected,
        "\(answer.status) \(String(decoding: answer.body, as: UTF8.self).prefix(60))")
      #expect(round.note == view.signedHead.note)
    }
    var round = CosigningRound(view, policy: others.policy)
    #expect(code { _ = try round.take(answer(200, good), by: 3, from: .zero) } == "badAnswer")
    #expect(try round.take(answer(409, "3\n"), by: 0, from: .zero) == .askFrom(TreeSize(3)))
    #expect(try round.take(answer(409, "0\n"), by: 0, from: TreeSize(2)) == .askFrom(.zero))
    // Lines of others beside its own are ignored.
    let both = answer(200, try line(51, text) + good)
    #expect(try round.take(both, by: 0, from: .zero) == .cosigned(time: testTime))
    #expect(round.note.signatures.count == 2)
  }

  @Test("rounds that went on beside each other are joined, of one head only") func joining() throws
  {
    let scratch = try ScratchFolder()
    let ledger = try newLedger(scratch)
    let others = try TestWitnesses(scratch)
    _ = try ledger.append(opaqueEntries(0..<5))
    var round = CosigningRound(try ledger.signedView(), policy: others.policy)
    func asked(_ position: Int) throws -> CosigningRound {
      var copy = CosigningRound(try ledger.signedView(), policy: others.policy)
      _ = try copy.ask(position, lastSize: .zero) { body throws(LedgerError) in
        others.witnesses[position].answer(addCheckpoint: body)
      }
      return copy
    }
    round.join(try asked(2))
    round.join(try asked(0))
    #expect(round.quorumHolds)
    #expect(try others.policy.evaluate(round.note).cosigned.map(\.witness) == [0, 2])
    _ = try ledger.append(opaqueEntries(5..<6))
    var next = CosigningRound(try ledger.signedView(), policy: others.policy)
    next.join(round)
    #expect(!next.quorumHolds && next.note == next.view.signedHead.note)
  }

  @Test("a witness that names another size each time is given up") func endless() throws {
    let scratch = try ScratchFolder()
    let ledger = try newLedger(scratch)
    let others = try TestWitnesses(scratch)
    _ = try ledger.append(opaqueEntries(0..<5))
    var round = CosigningRound(try ledger.signedView(), policy: others.policy)
    var count = 0
    #expect(
      code {
        _ = try round.ask(0, lastSize: .zero) { _ throws(LedgerError) in
          count += 1
          return answer(409, "\(count % 2 + 1)\n")
        }
      } == "witnessRefused")
    #expect(count == 4)
  }

  @Test("a witness that saw a fork refuses, and a log that lost entries is told") func misbehaving()
    throws
  {
    let scratch = try ScratchFolder()
    let ledger = try newLedger(scratch)
    let others = try TestWitnesses(scratch)
    let forks = opaqueEntries(100..<120)
    #expect(
      try others.witnesses[0].answer(addCheckpoint: witnessRequest(forks, from: 0, to: 5)).status
        == 200)
    #expect(
      try others.witnesses[1].answer(addCheckpoint: witnessRequest(forks, from: 0, to: 3)).status
        == 200)
    #expect(
      try others.witnesses[2].answer(addCheckpoint: witnessRequest(forks, from: 0, to: 9)).status
        == 200)
    _ = try ledger.append(opaqueEntries(0..<5))
    let view = try ledger.signedView()
    for (position, expected, kind) in [
      (0, "witnessRefused", WitnessEvidence.Kind.forked), (1, "witnessRefused", .unproved),
      (2, "rolledBack", .rolledBack),
    ] {
      #expect(code { _ = try others.collect(view, [position]) } == expected)
      let kinds = try others.witnesses[position].evidence(origin: testOrigin).map(\.kind)
      #expect(Set(kinds) == [kind], "\(position)")
    }
  }
}
