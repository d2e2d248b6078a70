import Cryptography
import Foundation
import GRDB
import Glibc
import MerkleTrees
import ProofPrimitives
import Synchronization
import Testing

@testable import TransparencyLedger

@Suite("Witness (witness.md §4 to §6)") struct WitnessTests {
  @Test("a witness goes on after it is opened again, and monitors get its last note")
  func reopening() throws {
    let scratch = try ScratchFolder()
    let logKey = try NoteVerifierKey(name: testOrigin, key: testKey(1).verifyingKey)
    let key = try Witness.create(
      at: scratch.file("w"), name: "witness.example/w", key: testKey(9))
    func open() throws -> Witness {
      try Witness.open(at: scratch.file("w"), logs: [logKey], clock: { testTime })
    }
    let hash = SHA256.hash(Array(testOrigin.utf8)).hex
    let leaves = opaqueEntries(0..<9)
    #expect(try open().latestHead(originHash: hash) == nil)
    for (old, new) in [(0, 3), (3, 5), (5, 5), (5, 9)] {
      let answer = try open().answer(addCheckpoint: witnessRequest(leaves, from: old, to: new))
      #expect(answer.status == 200)
    }
    let served = try #require(try open().latestHead(originHash: hash))
    let note = try SignedNote(parsing: served)
    #expect(try note.verify(by: [logKey, key]).count == 2)
    #expect(try TreeHead(parsing: note.text).size == TreeSize(9))
    #expect(try open().latestHead(originHash: hash.uppercased()) == nil)
    #expect(try open().latestHead(originHash: SHA256.hash([]).hex) == nil)
  }

  @Test("a folder that lacks a file, or has another key, does not open; nothing is written over")
  func folder() throws {
    let scratch = try ScratchFolder()
    let logKey = try NoteVerifierKey(name: testOrigin, key: testKey(1).verifyingKey)
    _ = try Witness.create(at: scratch.file("w"), name: "witness.example/w", key: testKey(9))
    var status = stat()
    #expect(stat(scratch.file("w"), &status) == 0 && status.st_mode & 0o777 == 0o700)
    #expect(stat(scratch.file("w/witness.pem"), &status) == 0 && status.st_mode & 0o777 == 0o600)
    #expect(code { _ = try Witness.create(at: scratch.file("w"), name: "x") } == "alreadyExists")
    for name in ["witness.pem", "witness.sqlite", "vkey"] {
      try scratch.copy("w", to: "copy")
      try scratch.remove("copy/\(name)")
      #expect(
        code { _ = try Witness.open(at: scratch.file("copy"), logs: [logKey]) } == "notALedger")
      #expect(!FileManager.default.fileExists(atPath: scratch.file("copy/\(name)")))
    }
    try scratch.copy("w", to: "copy")
    try scratch.write(Array(try testKey(8).pem.utf8), to: "copy/witness.pem")
    #expect(code { _ = try Witness.open(at: scratch.file("copy"), logs: [logKey]) } == "badKey")
  }

  @Test("each origin has a record of its own, and either of its keys may sign") func origins()
    throws
  {
    let scratch = try ScratchFolder()
    let state = try WitnessState(creatingAt: scratch.file("w.sqlite"))
    let keys = try [
      NoteVerifierKey(name: testOrigin, key: testKey(1).verifyingKey),
      NoteVerifierKey(name: testOrigin, key: testKey(2).verifyingKey),
      NoteVerifierKey(name: "example.org/other", key: testKey(3).verifyingKey),
    ]
    let witness = Witness(
      cosigner: try Cosigner(name: "w", key: testKey(9)), state: state, logs: keys,
      clock: { testTime })
    let leaves = opaqueEntries(0..<9)
    #expect(try witness.answer(addCheckpoint: witnessRequest(leaves, from: 0, to: 5)).status == 200)
    let head = TreeHead(
      origin: "example.org/other", size: TreeSize(1),
      root: MerkleTree.leafHash(of: leaves[0]))
    let other = AddCheckpointRequest(
      oldSize: .zero, proof: ConsistencyProof(hashes: []),
      note: try SignedTreeHead(
        signing: head, by: NoteSigner(name: "example.org/other", key: testKey(3))
      ).note)
    #expect(witness.answer(addCheckpoint: other.encoded).status == 200)
    let second = try witnessRequest(leaves, from: 5, to: 9, key: testKey(2))
    #expect(witness.answer(addCheckpoint: second).status == 200)
    let third = try witnessRequest(leaves, from: 9, to: 9, key: testKey(4))
    #expect(witness.answer(addCheckpoint: third).status == 403)
  }

  @Test("evidence holds both notes, is kept once a text, and is bounded a kind") func evidence()
    throws
  {
    let scratch = try ScratchFolder()
    let logKey = try NoteVerifierKey(name: testOrigin, key: testKey(1).verifyingKey)
    let state = try WitnessState(creatingAt: scratch.file("w.sqlite"))
    let witness = Witness(
      cosigner: try Cosigner(name: "w", key: testKey(9)), state: state, logs: [logKey],
      clock: { testTime })
    let leaves = opaqueEntries(0..<40)
    #expect(
      try witness.answer(addCheckpoint: witnessRequest(leaves, from: 0, to: 30)).status == 200)
    let fork = try witnessRequest(opaqueEntries(100..<130), from: 30, to: 30)
    for _ in 0..<3 {
      let answer = witness.answer(addCheckpoint: fork)
      #expect(answer.status == 422 && answer.body.starts(with: Array("forked: ".utf8)))
    }
    let kept = try witness.evidence(origin: testOrigin)
    #expect(kept.map(\.kind) == [.forked])
    // Two notes, each by the log, of one size and two roots: what anybody can check.
    let heads = try [kept[0].remembered, kept[0].shown].map {
      try SignedTreeHead(parsing: $0, by: logKey).head
    }
    #expect(heads[0].size == heads[1].size && heads[0].root != heads[1].root)
    // Old heads are free to replay, and must not push out a fork.
    for size in 1..<25 {
      let answer = try witness.answer(addCheckpoint: witnessRequest(leaves, from: 0, to: size))
      #expect(answer.status == 409)
    }
    let another = try witnessRequest(opaqueEntries(200..<230), from: 30, to: 30)
    #expect(witness.answer(addCheckpoint: another).status == 422)
    let all = try witness.evidence(origin: testOrigin)
    #expect(all.count { $0.kind == .rolledBack } == WitnessState.evidenceLimit)
    #expect(all.count { $0.kind == .forked } == 2)
  }

  @Test("the store itself takes neither a smaller size nor another root") func store() throws {
    let scratch = try ScratchFolder()
    let state = try WitnessState(creatingAt: scratch.file("w.sqlite"))
    func put(_ size: Int, _ root: Int) throws {
      _ = try state.decide([1]) { _ in
        WitnessState.Decision(
          answer: WitnessAnswer(status: 200, body: []),
          record: .init(size: TreeSize(size), root: testDigest(root), time: 1, note: [10]))
      }
    }
    try put(5, 5)
    #expect(code { try put(4, 4) } == "headConflict")
    #expect(code { try put(5, 6) } == "headConflict")
    #expect(try state.record([1])?.root == testDigest(5))
    try put(5, 5)
    try put(6, 6)
    #expect(try state.record([1])?.size == TreeSize(6))
  }

  @Test("a record that was altered is an error, and the client is not told where it lies")
  func damaged() throws {
    let scratch = try ScratchFolder()
    let logKey = try NoteVerifierKey(name: testOrigin, key: testKey(1).verifyingKey)
    let path = scratch.file("w.sqlite")
    let witness = Witness(
      cosigner: try Cosigner(name: "w", key: testKey(9)), state: try WitnessState(creatingAt: path),
      logs: [logKey], clock: { testTime })
    let leaves = opaqueEntries(0..<5)
    #expect(try witness.answer(addCheckpoint: witnessRequest(leaves, from: 0, to: 3)).status == 200)
    let queue = try DatabaseQueue(path: path)
    try queue.write { try $0.execute(sql: "UPDATE heads SET root = 'x'") }
    let answer = try witness.answer(addCheckpoint: witnessRequest(leaves, from: 3, to: 5))
    #expect(answer.status == 500)
    #expect(!String(decoding: answer.body, as: UTF8.self).contains(scratch.path))
    #expect(!String(decoding: answer.body, as: UTF8.self).contains("sqlite"))
  }

  @Test("while one connection decides, no other reads the record") func oneAtATime() throws {
    let scratch = try ScratchFolder()
    let first = try WitnessState(creatingAt: scratch.file("w.sqlite"))
    let states = [first, try WitnessState(openingAt: scratch.file("w.sqlite"))]
    let inside = Atomic(0)
    let overlaps = Atomic(0)
    DispatchQueue.concurrentPerform(iterations: 2) { thread in
      _ = try? states[thread].decide([1]) { record in
        if inside.add(1, ordering: .relaxed).newValue > 1 { overlaps.add(1, ordering: .relaxed) }
        // Time for the other to come in, if it can.
        usleep(300_000)
        inside.subtract(1, ordering: .relaxed)
        let size = TreeSize((record?.size.value ?? 0) + 1)
        return WitnessState.Decision(
          answer: WitnessAnswer(status: 200, body: []),
          record: .init(size: size, root: testDigest(1), time: 1, note: [10]))
      }
    }
    #expect(overlaps.load(ordering: .relaxed) == 0)
    #expect(try first.record([1])?.size == TreeSize(2))
  }

  /// Threads race to get one of two trees cosigned, each through its own connection, step by step.
  @Test(
    "racing requests on two connections never get two inconsistent heads cosigned",
    arguments: [1, 2])
  func races(connections: Int) throws {
    let scratch = try ScratchFolder()
    let logKey = try NoteVerifierKey(name: testOrigin, key: testKey(1).verifyingKey)
    let cosigner = try Cosigner(name: "w", key: testKey(9))
    let path = scratch.file("w.sqlite")
    var states = [try WitnessState(creatingAt: path)]
    while states.count < connections { states.append(try WitnessState(openingAt: path)) }
    let witnesses = states.map {
      Witness(cosigner: cosigner, state: $0, logs: [logKey], clock: { testTime })
    }
    // Two trees that share their first 2 entries and no more.
    let trees = [
      opaqueEntries(0..<12), opaqueEntries(0..<2) + opaqueEntries(100..<110),
    ]
    let requests = try trees.map { tree in
      try (2..<12).map { try witnessRequest(tree, from: $0 == 2 ? 0 : $0 - 1, to: $0) }
    }
    let answers = Mutex<[(tree: Int, size: Int, status: Int)]>([])
    DispatchQueue.concurrentPerform(iterations: 4) { thread in
      let tree = thread % 2
      for (step, body) in requests[tree].enumerated() {
        let answer = witnesses[thread / 2 % connections].answer(addCheckpoint: body)
        answers.withLock { $0.append((tree, step + 2, answer.status)) }
      }
    }
    let found = answers.withLock { $0 }
    #expect(found.allSatisfy { [200, 400, 409, 422].contains($0.status) })
    let cosigned = found.filter { $0.status == 200 }
    // From size 3 on a head is of one tree or of the other, and one of each size at most.
    #expect(cosigned.count == 10)
    let own = Set(cosigned.filter { $0.size > 2 }.map(\.tree))
    #expect(own.count <= 1)
    for size in 3...11 {
      #expect(cosigned.count { $0.size == size } <= 1)
    }
  }
}
