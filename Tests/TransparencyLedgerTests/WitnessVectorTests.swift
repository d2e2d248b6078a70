import Cryptography
import Foundation
import MerkleTrees
import ProofPrimitives
import Testing

@testable import TransparencyLedger

private struct WitnessVectors: Decodable {
  struct Case: Decodable {
    let id: String
    let bytes: String
    let expect: String
    /// Of cosignatures: the seconds stated.
    let times: [String]?
    /// Of policies: a note to judge, who cosigned it, and the line that the error names.
    let note: String?
    let signers: [String]?
    let line: String?
    /// Of policies: `prefix`, an `x` so many times, `suffix`.
    let `repeat`: String?
    let prefix: String?
    let suffix: String?
    /// Of witnesses.
    let before: [String]?
    let beforeTime: String?
    let time: String?
    let contentType: String?
    let answer: String?
    let evidence: String?

    func input() throws -> [UInt8] {
      guard let count = self.repeat else { return try #require(Hex.decode(bytes)) }
      return try #require(Hex.decode(prefix ?? ""))
        + [UInt8](repeating: 120, count: try #require(Int(count)))
        + #require(Hex.decode(suffix ?? ""))
    }
  }

  let cases: [Case]
  let logKey: String
  let vkey: String?
  let seed: String?
  let name: String?

  init(named name: String) throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let data = try Data(contentsOf: root.appending(path: "testvectors/ledger/\(name).json"))
    self = try JSONDecoder().decode(WitnessVectors.self, from: data)
  }
}

@Suite("Witness vectors (witness.md)") struct WitnessVectorTests {
  @Test("cosignatures (§2)") func cosignatures() throws {
    let file = try WitnessVectors(named: "cosignature")
    let logKey = try NoteVerifierKey(text: file.logKey)
    let key = try NoteVerifierKey(text: try #require(file.vkey), role: .cosigner)
    #expect(key.description == file.vkey)
    let policy = try LedgerPolicy(
      parsing: Array("log \(logKey)\nwitness w \(key)\nquorum w\n".utf8))
    for one in file.cases {
      let bytes = try one.input()
      var times: [String] = []
      let found = code {
        let signed = try SignedTreeHead(parsing: bytes, by: logKey, policy: policy)
        times = try policy.evaluate(signed.note).cosigned.map { String($0.time) }
      }
      #expect(found == (one.expect == "valid" ? "none" : one.expect), "\(one.id)")
      #expect(times == one.times ?? [], "\(one.id)")
    }
  }

  @Test("policies, and notes judged by them (§3)") func policies() throws {
    let file = try WitnessVectors(named: "policy")
    let logKey = try NoteVerifierKey(text: file.logKey)
    for one in file.cases {
      let bytes = try one.input()
      let note = try SignedNote(parsing: try #require(one.note.flatMap { Hex.decode($0) }))
      var message = ""
      let found = code {
        let policy: LedgerPolicy
        do throws(LedgerError) {
          policy = try LedgerPolicy(parsing: bytes)
        } catch {
          message = error.message
          throw error
        }
        #expect(policy.text == bytes, "\(one.id)")
        // The same whether the key is given or found in the policy.
        let signed = code { _ = try SignedTreeHead(note: note, by: logKey, policy: policy) }
        if !policy.logs.isEmpty, signed != "quorumMissing", one.expect != "notInPolicy" {
          #expect(try policy.logKey(of: note) == logKey, "\(one.id)")
        }
        _ = try SignedTreeHead(note: note, by: logKey, policy: policy)
        let finding = try policy.evaluate(note)
        #expect(finding.quorumHolds, "\(one.id)")
        let names = finding.cosigned.map { policy.witnesses[$0.witness].key.name }
        #expect(
          Set(names).isSubset(of: Set((one.signers ?? []).map { "witness.example/\($0)" })),
          "\(one.id)")
      }
      #expect(found == (one.expect == "valid" ? "none" : one.expect), "\(one.id)")
      if let line = one.line {
        #expect(message.hasPrefix("line \(line): "), "\(one.id) \(message)")
      }
    }
  }

  @Test("requests to a witness (§4 to §6)") func witness() throws {
    let file = try WitnessVectors(named: "witness")
    let key = try SigningKey(seed: try #require(file.seed.flatMap { Hex.decode($0) }))
    let cosigner = try Cosigner(name: try #require(file.name), key: key)
    let logKey = try NoteVerifierKey(text: file.logKey)
    for one in file.cases {
      let scratch = try ScratchFolder()
      let state = try WitnessState(creatingAt: scratch.file("w.sqlite"))
      func witness(at time: String?) throws -> Witness {
        let time = try #require(time.flatMap { UInt64($0) })
        return Witness(cosigner: cosigner, state: state, logs: [logKey], clock: { time })
      }
      for body in one.before ?? [] {
        let answer = try witness(at: one.beforeTime).answer(
          addCheckpoint: try #require(Hex.decode(body)))
        #expect(answer.status == 200, "\(one.id)")
      }
      let origin = Array(logKey.name.utf8)
      let before = try state.record(origin)
      let body = try one.input()
      let answer = try witness(at: one.time).answer(addCheckpoint: body)
      #expect(String(answer.status) == one.expect, "\(one.id)")
      #expect(answer.contentType == one.contentType, "\(one.id)")
      if let expected = one.answer { #expect(Hex.encode(answer.body) == expected, "\(one.id)") }
      if one.id.hasPrefix("wrong-root-of-nothing"), answer.status == 422 {
        #expect(answer.body.starts(with: Array("badTreeHead: ".utf8)), "\(one.id)")
      }
      #expect(answer.body.last == 10 && answer.body.count { $0 == 10 } == 1, "\(one.id)")
      let evidence = try state.evidence(origin)
      #expect(evidence.map(\.kind.rawValue) == [one.evidence].compactMap { $0 }, "\(one.id)")
      guard answer.status == 200 else {
        #expect(try state.record(origin) == before, "\(one.id)")
        continue
      }
      // What it says is what it keeps, and what it keeps is one note with two lines.
      let record = try #require(try state.record(origin))
      let kept = try SignedNote(parsing: record.note)
      #expect(kept.signatures.count == 2, "\(one.id)")
      #expect(kept.signatures.last?.line == String(decoding: answer.body, as: UTF8.self))
      #expect(try kept.verify(by: [logKey, cosigner.verifierKey]).count == 2, "\(one.id)")
      let request = try AddCheckpointRequest(parsing: body)
      #expect(request.encoded == body, "\(one.id)")
    }
  }

  @Test("a request over its limit is refused before it is read") func limit() throws {
    let long = [UInt8](repeating: 10, count: AddCheckpointRequest.byteLimit + 1)
    let error = #expect(throws: LedgerError.self) { try AddCheckpointRequest(parsing: long) }
    #expect(error?.message == "the body is too long")
  }

  @Test("a key is taken in its own role only") func roles() throws {
    let log = try NoteVerifierKey(name: "a", key: testKey(1).verifyingKey)
    let cosigner = try Cosigner(name: "a", key: testKey(1)).verifierKey
    #expect(log != cosigner && log.keyID != cosigner.keyID)
    #expect(code { _ = try NoteVerifierKey(text: cosigner.description) } == "badKey")
    #expect(code { _ = try NoteVerifierKey(text: log.description, role: .cosigner) } == "badKey")
    // A type that is not the role's, with the key ID of the role's.
    let mixed = "a+\(Hex.encode(log.keyIDBytes))+\(Base64.encode([4] + log.key.rawBytes))"
    #expect(code { _ = try NoteVerifierKey(text: mixed) } == "badKey")
    #expect(code { _ = try Cosigner(name: "a", key: testKey(1)).cosign([], time: 0) } == "badClock")
  }
}
