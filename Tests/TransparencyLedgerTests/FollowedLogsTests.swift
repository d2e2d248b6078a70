import Cryptography
import Foundation
import MerkleTrees
import ProofPrimitives
import Testing

@testable import TransparencyLedger

@Suite("The logs that a witness follows (witness.md §5)") struct FollowedLogsTests {
  private func newWitness(_ scratch: ScratchFolder) throws -> String {
    _ = try Witness.create(at: scratch.file("w"), name: "witness.example/w", key: testKey(9))
    return scratch.file("w")
  }

  @Test("keys are added one by one, once each, and are found when the witness is opened")
  func following() throws {
    let scratch = try ScratchFolder()
    let folder = try newWitness(scratch)
    #expect(try Witness.followedLogs(at: folder).isEmpty)
    let keys = try (1...3).map { number in
      try NoteVerifierKey(
        name: number == 3 ? "example.org/other" : testOrigin,
        key: testKey(UInt8(number)).verifyingKey)
    }
    for key in keys { #expect(try Witness.follow(key, at: folder)) }
    #expect(try !Witness.follow(keys[1], at: folder))
    #expect(try Witness.followedLogs(at: folder) == keys)
    let witness = try Witness.open(at: folder)
    #expect(try witness.lastCosigned(origin: testOrigin) == nil)
    let request = try witnessRequest(opaqueEntries(0..<5), from: 0, to: 5)
    #expect(witness.answer(addCheckpoint: request).status == 200)
    #expect(try witness.lastCosigned(origin: testOrigin)?.size == TreeSize(5))
  }

  @Test("one public key has one name and one role, and a file that breaks is named")
  func refusals() throws {
    let scratch = try ScratchFolder()
    let folder = try newWitness(scratch)
    let key = try NoteVerifierKey(name: testOrigin, key: testKey(1).verifyingKey)
    _ = try Witness.follow(key, at: folder)
    let renamed = try NoteVerifierKey(name: "example.org/b", key: testKey(1).verifyingKey)
    #expect(code { _ = try Witness.follow(renamed, at: folder) } == "badKey")
    let own = try NoteVerifierKey(name: "example.org/c", key: testKey(9).verifyingKey)
    #expect(code { _ = try Witness.follow(own, at: folder) } == "badKey")
    let cosigner = try Cosigner(name: "x", key: testKey(3)).verifierKey
    #expect(code { _ = try Witness.follow(cosigner, at: folder) } == "badKey")
    #expect(try Witness.followedLogs(at: folder) == [key])
    try scratch.write(Array("\(key)\n\(cosigner)\n".utf8), to: "w/\(Witness.logsFile)")
    let error = #expect(throws: LedgerError.self) { try Witness.open(at: folder) }
    #expect(error?.code.name == "badKey" && error?.message.hasPrefix("line 2: ") ?? false)
    #expect(code { _ = try Witness.follow(key, at: scratch.file("nowhere")) } == "notALedger")
  }

  @Test("there is an end to how many") func limit() throws {
    let scratch = try ScratchFolder()
    let folder = try newWitness(scratch)
    func key(_ number: Int) throws -> NoteVerifierKey {
      let seed = SHA256.hash(Array("log \(number)".utf8)).bytes
      return try NoteVerifierKey(
        name: "log.example/\(number)", key: SigningKey(seed: seed).verifyingKey)
    }
    let text = try (0..<Witness.logLimit).map { "\(try key($0))\n" }.joined()
    try scratch.write(Array(text.utf8), to: "w/\(Witness.logsFile)")
    #expect(try Witness.followedLogs(at: folder).count == Witness.logLimit)
    #expect(code { _ = try Witness.follow(try key(Witness.logLimit), at: folder) } == "tooLarge")
    #expect(try !Witness.follow(try key(0), at: folder))
  }
}
