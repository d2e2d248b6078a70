internal import ChunkStorage
package import Cryptography
package import ProofArchive
internal import ProofPrimitives

/// The recorder's side of the recorder protocol (`spec/recorder.md`): one line in, one line out.
///
/// The trainer that writes the lines is trusted with the paths that it names. What it says of the
/// training is recorded as said; whether it is true is the verifier's work.
package final class RecorderSession {
  /// Where the session stands (`spec/recorder.md` §2).
  private enum State {
    case waiting
    case recording(RecordedRun, Recorder)
    case sealed(Seal)
  }

  /// 16 MiB hold a step of a million indices.
  package static let lineByteLimit = 16 << 20

  let archivePath: String
  let key: SigningKey?
  /// Logs the commitment of a run that begins, and says where it stands.
  package typealias Commit =
    (CommitmentRequest) throws(RecordingError) -> OpeningRecord.Commitment?
  let commit: Commit
  let options: ArchiveWriter.Options
  /// Has the chain of a run that was opened anchored, or not.
  package typealias Anchor = (RecordedRun) throws(RecordingError) -> Anchoring?
  private let anchor: Anchor
  private var anchoring: Anchoring?
  private var state = State.waiting

  /// Seconds that `finish` and the end of the lines wait for an anchor that is under way.
  private static let lastAnchorSeconds = 10.0

  /// - Parameters:
  ///   - key: Nil is enough to resume and not to begin or finish.
  ///   - commit: The ledger's side of `begin`; the default makes a run without a ledger.
  ///   - anchor: Asked once a run is open; the default anchors none.
  package init(
    archivePath: String, key: SigningKey?,
    options: ArchiveWriter.Options = ArchiveWriter.Options(),
    commit: @escaping Commit = { _ throws(RecordingError) in nil },
    anchor: @escaping Anchor = { _ throws(RecordingError) in nil }
  ) {
    self.archivePath = archivePath
    self.key = key
    self.commit = commit
    self.anchor = anchor
    self.options = options
  }

  /// Whether the archive is sealed, so that nothing more can come.
  package var isSealed: Bool { if case .sealed = state { true } else { false } }

  /// Steps of the last checkpoint that is durable; nil when there is none.
  package var durableStep: Int? {
    if case .recording(_, let recorder) = state { recorder.durableStep } else { nil }
  }

  /// What keeps the archive from being written; nil while recording works.
  package var trouble: RecordingTrouble? {
    if case .recording(_, let recorder) = state { recorder.trouble } else { nil }
  }

  /// The reply to one line, both without the closing newline. Never fails: what is refused gives an
  /// `error` reply and changes nothing.
  package func reply(to line: some Collection<UInt8>) -> [UInt8] {
    var id: Int?
    var members: [(String, JSONValue)]
    do throws(RecordingError) {
      guard line.count <= RecorderSession.lineByteLimit else {
        throw RecorderMessage.refusal(
          "the line has more than \(RecorderSession.lineByteLimit) bytes")
      }
      var message = try RecorderMessage(RecorderSession.parse(line))
      id = try message.optionalCount("id")
      let event = try message.string("event")
      members = [("reply", .string(event))]
      members += try answer(event, &message)
    } catch {
      members = [
        ("code", .string(error.underlying?.code.description ?? error.code.name)),
        (
          "message",
          .string(error.place.isEmpty ? error.message : "\(error.place): \(error.message)")
        ),
        ("remedy", .string(error.remedy)), ("reply", .string("error")),
      ]
    }
    if let id { members.append(("id", .int(id))) }
    noteAnchors()
    return JSONValue.map(members + standing).encoded
  }

  /// Makes durable what was recorded; for when the lines end.
  package func flush() throws(RecordingError) {
    guard case .recording(_, let recorder) = state else { return }
    try recorder.flush()
    endAnchoring()
  }

  /// Why chain heads cannot be anchored; nil while that works.
  package var anchorFailure: RecordingError? { anchoring?.logger.failure }

  /// Before the seal, which closes the journal.
  private func endAnchoring() {
    _ = anchoring?.logger.finish(within: RecorderSession.lastAnchorSeconds)
    noteAnchors()
  }

  private func noteAnchors() {
    guard let anchoring, case .recording(let run, _) = state else { return }
    for logged in anchoring.logger.takeNews().logged { run.note(logged) }
  }

  /// What every reply carries.
  private var standing: [(String, JSONValue)] {
    guard case .recording(_, let recorder) = state else { return [] }
    var members: [(String, JSONValue)] = [("step", .int(recorder.step))]
    if let durable = recorder.durableStep { members.append(("durableStep", .int(durable))) }
    if let next = recorder.nextCheckpoint { members.append(("nextCheckpoint", .int(next))) }
    members += anchorMembers
    if let trouble = recorder.trouble {
      members.append(
        (
          "trouble",
          .map([
            ("code", .string(trouble.code)), ("lostSteps", .int(trouble.lostSteps)),
            ("message", .string(trouble.message)),
            ("missedCheckpoints", .int(trouble.missedCheckpoints)),
          ])
        ))
    }
    return members
  }

  private var anchorMembers: [(String, JSONValue)] {
    guard let logger = anchoring?.logger else { return [] }
    var members: [(String, JSONValue)] = []
    if let newest = logger.newest {
      members.append(
        ("anchor", .map([("index", .int(newest.index)), ("step", .int(newest.point.step))])))
    }
    if let failure = logger.failure { members.append(("anchorTrouble", .string(failure.message))) }
    return members
  }

  private static func parse(
    _ line: some Collection<UInt8>
  ) throws(RecordingError) -> JSONValue {
    do throws(ParsingError) {
      return try JSONValue(parsing: line, form: .relaxed)
    } catch {
      throw RecorderMessage.refusal("\(error.reason) at byte \(error.offset)")
    }
  }

  private func answer(
    _ event: String, _ message: inout RecorderMessage
  ) throws(RecordingError) -> [(String, JSONValue)] {
    switch (event, state) {
    case ("begin", .waiting):
      let isStrict = try message.flag("strict")
      let run = try begin(&message)
      return try opened(run, isStrict: isStrict)
    case ("resume", .waiting):
      let folder = try message.optionalPath("stateFolder")
      let isStrict = try message.flag("strict")
      try message.finish()
      let run = try openRun(at: archivePath, options: options)
      let files = try folder.map { (folder) throws(RecordingError) in
        try writeState(of: run, to: folder)
      }
      return try opened(run, isStrict: isStrict) + (files.map { [("state", $0)] } ?? [])
    case ("step", .recording(_, let recorder)): try step(&message, recorder)
    case ("checkpoint", .recording(_, let recorder)): try checkpoint(&message, recorder)
    case ("flush", .recording(_, let recorder)):
      try message.finish()
      try recorder.flush()
    case ("finish", .recording(let run, _)): return try finish(&message, run)
    case ("begin", _), ("resume", _):
      throw badEvent("\(event) comes first and once", "go on with step and checkpoint")
    case ("step", .waiting), ("checkpoint", .waiting), ("flush", .waiting), ("finish", .waiting):
      throw badEvent("\(event) comes before begin or resume", "send begin or resume first")
    case ("step", _), ("checkpoint", _), ("flush", _), ("finish", _):
      throw badEvent("the archive is sealed", "start another archive")
    default:
      throw RecorderMessage.refusal("the event \"\(printable(event, limit: 40))\" is unknown")
    }
    return []
  }

  private func badEvent(_ message: String, _ remedy: String) -> RecordingError {
    RecordingError(.badEvent, message, remedy: remedy)
  }

  private func opened(
    _ run: RecordedRun, isStrict: Bool
  ) throws(RecordingError) -> [(String, JSONValue)] {
    anchoring = try anchor(run)
    state = .recording(run, run.recorder(isStrict: isStrict, anchoring: anchoring))
    let opening = run.writer.opening
    return [
      ("archiveID", .string(opening.archiveID.hex)), ("runSeed", .string(opening.runSeed.hex)),
      ("totalSteps", .int(run.description.steps)),
    ]
  }

  private func finish(
    _ message: inout RecorderMessage, _ run: RecordedRun
  ) throws(RecordingError) -> [(String, JSONValue)] {
    let claims = try message.optionalObject("claims")
    try message.finish()
    guard let key else { throw badEvent("there is no key to seal with", "start with --key") }
    if run.isComplete { endAnchoring() }
    let seal = try sealRun(run, key: key, claims: claims)
    state = .sealed(seal)
    return [
      ("archiveRoot", .string(seal.archiveRoot.hex)),
      ("modelDigest", .string(seal.modelDigest.hex)), ("sealDigest", .string(seal.digest.hex)),
    ]
  }
}
