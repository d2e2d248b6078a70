package import Cryptography
import Glibc
import MerkleTrees
import ProofPrimitives

/// A witness: it remembers the last tree head it cosigned of each log it follows, and cosigns a new one
/// only when that is proved to go on from it (C2SP tlog-witness; `spec/witness.md`).
///
/// Several tasks, and several processes on one folder, may use it at once. Calls block on the disk.
package struct Witness: Sendable {
  private let cosigner: Cosigner
  let state: WitnessState
  /// The keys trusted for each origin.
  private let logs: [[UInt8]: [NoteVerifierKey]]
  /// Their origins, by SHA-256 in lower-case hexadecimal.
  private let origins: [String: [UInt8]]
  private let clock: @Sendable () -> UInt64

  package var verifierKey: NoteVerifierKey { cosigner.verifierKey }

  init(
    cosigner: Cosigner, state: WitnessState, logs: [NoteVerifierKey],
    clock: @escaping @Sendable () -> UInt64
  ) {
    self.cosigner = cosigner
    self.state = state
    self.logs = Dictionary(grouping: logs.filter { $0.role == .log }) { Array($0.name.utf8) }
    origins = Dictionary(uniqueKeysWithValues: self.logs.keys.map { (SHA256.hash($0).hex, $0) })
    self.clock = clock
  }

  /// Answers the body of an `add-checkpoint` request; what is answered is on the disk.
  package func answer(addCheckpoint body: [UInt8]) -> WitnessAnswer {
    let request: AddCheckpointRequest
    do { request = try AddCheckpointRequest(parsing: body) } catch { return refusal(400, error) }
    let origin = request.note.firstLine
    guard let keys = logs[origin] else {
      return refusal(404, "wrongOrigin", "this witness does not follow a log of this origin")
    }
    let lines: [NoteSignature]
    do { lines = try request.note.verify(by: keys) } catch { return refusal(403, error) }
    let head: TreeHead
    do { head = try TreeHead(form: request.note.text) } catch { return refusal(400, error) }
    do {
      // Lines of strangers are left out; of one key, one line is enough.
      let own = keys.compactMap { key in lines.first { key.isNamed(by: $0) } }
      let submitted = SignedNote(text: request.note.text, signatures: own)
      return try state.decide(origin) { record throws(LedgerError) in
        let evidence = Witness.evidence(request, head, submitted, record)
        return if let refusal = refusal(request, head, record) {
          WitnessState.Decision(answer: refusal, evidence: evidence)
        } else {
          try cosign(submitted, head, record)
        }
      }
    } catch {
      // Where the witness keeps things is not the client's to know.
      return refusal(500, error.code.name, "the witness could not use its state")
    }
  }

  /// The last cosigned note of the origin whose SHA-256 is `originHash` in lower-case hexadecimal; nil when
  /// there is none.
  package func latestHead(originHash: String) throws(LedgerError) -> [UInt8]? {
    guard let origin = origins[originHash] else { return nil }
    return try state.record(origin)?.note
  }

  /// What was kept against a log, oldest first.
  package func evidence(origin: String) throws(LedgerError) -> [WitnessEvidence] {
    try state.evidence(Array(origin.utf8))
  }
}

extension Witness {
  /// Why the head is not cosigned; nil when it may be. The order is that of tlog-witness.
  private func refusal(
    _ request: AddCheckpointRequest, _ head: TreeHead, _ record: WitnessState.Record?
  ) -> WitnessAnswer? {
    let size = record?.size ?? .zero
    guard request.oldSize <= head.size else {
      return refusal(400, "badRequest", "the old size is above the head's")
    }
    guard request.oldSize == size else {
      return WitnessAnswer(
        status: 409, contentType: WitnessAnswer.sizeType, body: Array("\(size)\n".utf8))
    }
    guard head.hasPossibleRoot else {
      return refusal(422, "badTreeHead", "the size is 0 and the root is not SHA-256 of nothing")
    }
    if let record, head.size == size, head.root != record.root {
      return refusal(422, "forked", "another root for \(size) entries was cosigned before")
    }
    guard
      request.proof.isValid(
        oldSize: size, oldRoot: record?.root ?? MerkleTree.emptyRoot, newSize: head.size,
        newRoot: head.root)
    else {
      return refusal(422, "unproved", "the proof from \(size) to \(head.size) does not verify")
    }
    return nil
  }

  /// Signed heads that do not go together, whatever the request is answered.
  private static func evidence(
    _ request: AddCheckpointRequest, _ head: TreeHead, _ submitted: SignedNote,
    _ record: WitnessState.Record?
  ) -> WitnessEvidence? {
    guard let record else { return nil }
    let kind: WitnessEvidence.Kind
    if head.size < record.size {
      kind = .rolledBack
    } else if head.size == record.size {
      guard head.root != record.root else { return nil }
      kind = .forked
    } else {
      guard request.oldSize == record.size,
        !request.proof.isValid(
          oldSize: record.size, oldRoot: record.root, newSize: head.size, newRoot: head.root)
      else { return nil }
      kind = .unproved
    }
    return WitnessEvidence(kind: kind, remembered: record.note, shown: submitted.encoded)
  }

  private func cosign(
    _ submitted: SignedNote, _ head: TreeHead, _ record: WitnessState.Record?
  ) throws(LedgerError) -> WitnessState.Decision {
    let time = clock()
    // A larger tree at an earlier time would deny what was stated before.
    guard Cosignature.isTime(time), time >= record?.time ?? 0 else {
      return .init(
        answer: refusal(503, "badClock", "the witness's clock stands before its last cosignature"))
    }
    let line = try cosigner.cosign(submitted.text, time: time)
    let note = SignedNote(text: submitted.text, signatures: submitted.signatures + [line])
    return .init(
      answer: WitnessAnswer(status: 200, body: Array(line.line.utf8)),
      record: .init(size: head.size, root: head.root, time: time, note: note.encoded))
  }

  private func refusal(_ status: Int, _ error: LedgerError) -> WitnessAnswer {
    refusal(status, error.code.name, error.message)
  }

  private func refusal(_ status: Int, _ code: String, _ message: String) -> WitnessAnswer {
    WitnessAnswer(status: status, body: Array("\(code): \(message)\n".utf8))
  }
}

extension Witness {
  private enum File {
    static let key = "witness.pem"
    static let state = "witness.sqlite"
    static let verifierKey = "vkey"
  }

  /// Makes the folder of a new witness. Nothing that is there is ever written over.
  ///
  /// - Parameter key: The signing key; a new one when nil. It is used nowhere else.
  package static func create(
    at directory: String, name: String, key: SigningKey? = nil
  ) throws(LedgerError) -> NoteVerifierKey {
    let files = DurableFiles(root: directory)
    guard try files.isVacant() else {
      throw LedgerError(
        .alreadyExists, "the folder is not empty", remedy: "choose a new one", path: directory)
    }
    let signingKey: SigningKey
    do {
      signingKey = if let key { key } else { try SigningKey.generate() }
    } catch {
      throw LedgerError(
        .cryptography, "no key could be made", remedy: error.remedy, cause: error)
    }
    let cosigner = try Cosigner(name: name, key: signingKey)
    try files.makeRoot(mode: 0o700)
    _ = try WitnessState(creatingAt: files.place(File.state))
    try files.replace(File.key, with: Array(signingKey.pem.utf8), mode: 0o600)
    // The name lies here alone, so this comes last: without it nothing opens.
    try files.replace(File.verifierKey, with: Array("\(cosigner.verifierKey)\n".utf8))
    return cosigner.verifierKey
  }

  /// - Parameters:
  ///   - logs: The keys of the logs it follows; a key's name is its log's origin.
  ///   - clock: Seconds since 1970.
  package static func open(
    at directory: String, logs: [NoteVerifierKey],
    clock: @escaping @Sendable () -> UInt64 = { UInt64(max(0, time(nil))) }
  ) throws(LedgerError) -> Witness {
    let files = DurableFiles(root: directory)
    guard let pem = try files.read(File.key, limit: 65_536),
      let text = try files.read(File.verifierKey, limit: NoteVerifierKey.textByteLimit + 1),
      try files.isRegularOrMissing(File.state)
    else {
      throw LedgerError(
        .notALedger, "the folder lacks the key, its name or the record of cosigned heads",
        remedy: "give the folder that `pol witness init` made; a lost record cannot be made again",
        path: directory)
    }
    let verifierKey = try NoteVerifierKey(
      text: String(decoding: text.last == 10 ? text.dropLast() : text[...], as: UTF8.self),
      role: .cosigner)
    let key: SigningKey
    do {
      key = try SigningKey(pem: pem)
    } catch {
      throw LedgerError(
        .badKey, error.message, remedy: error.remedy, path: files.place(File.key), cause: error)
    }
    let cosigner = try Cosigner(name: verifierKey.name, key: key)
    guard cosigner.verifierKey == verifierKey else {
      throw LedgerError(
        .badKey, "the private key is not that of the verifier key beside it",
        remedy: "restore the two files", path: files.place(File.key))
    }
    return Witness(
      cosigner: cosigner, state: try WitnessState(openingAt: files.place(File.state)), logs: logs,
      clock: clock)
  }
}
