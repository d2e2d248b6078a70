package import MerkleTrees
import ProofPrimitives

/// Gathering cosignatures on one tree head, until a policy's quorum holds (`spec/witness.md` §7, §8).
///
/// How requests travel is the caller's: it may ask witnesses one by one with `ask`, or all at once with
/// `request` and `take`.
package struct CosigningRound: Sendable {
  /// Answers hold a few lines.
  package static let answerByteLimit = 65_536
  /// A witness whose size changes under each request is asked by somebody else too.
  private static let attemptLimit = 4

  /// The ledger under the head that is to be cosigned.
  package let view: LedgerView
  package let policy: LedgerPolicy
  /// By position in the policy's witnesses.
  private var lines: [Int: NoteSignature] = [:]

  package enum Step: Hashable, Sendable {
    /// The witness cosigned, at this time on its clock.
    case cosigned(time: UInt64)
    /// It last cosigned a tree of this size: ask again from there.
    case askFrom(TreeSize)
  }

  package init(_ view: LedgerView, policy: LedgerPolicy) {
    self.view = view
    self.policy = policy
  }

  package var quorumHolds: Bool { policy.holds(Set(lines.keys)) }

  /// The head with the log's lines and those of the witnesses so far, in the policy's order.
  package var note: SignedNote {
    let own = view.signedHead.note
    return SignedNote(
      text: own.text,
      signatures: own.signatures + lines.sorted { $0.key < $1.key }.map(\.value))
  }

  /// The body to send to a witness that last cosigned a tree of `oldSize`; zero when that is not
  /// known. Reads tiles.
  package func request(from oldSize: TreeSize) throws(LedgerError) -> [UInt8] {
    AddCheckpointRequest(
      oldSize: oldSize, proof: try view.consistencyProof(from: oldSize), note: view.signedHead.note
    ).encoded
  }

  /// Takes an answer to the request from `oldSize`.
  ///
  /// - Throws: `.witnessRefused`, `.badAnswer`, `.badSignature`; `.rolledBack` when the witness has
  ///   cosigned a larger tree than this.
  package mutating func take(
    _ answer: WitnessAnswer, by witness: Int, from oldSize: TreeSize
  ) throws(LedgerError) -> Step {
    guard policy.witnesses.indices.contains(witness) else {
      throw bad("the policy has no witness \(witness)")
    }
    guard answer.body.count <= CosigningRound.answerByteLimit else {
      throw bad("the witness's answer is too long")
    }
    switch answer.status {
    case 200: return .cosigned(time: try take(lines: answer.body, by: witness))
    case 409: return .askFrom(try size(answer.body, after: oldSize))
    default:
      let text = String(decoding: answer.body.prefix { $0 != 10 }, as: UTF8.self)
      throw LedgerError(
        .witnessRefused, "the witness answered \(answer.status): \(printable(text))",
        remedy: answer.status == 422
          ? "compare this log's heads with those of the witness: it may have seen another tree"
          : "ask the witness's owner whether it follows this log")
    }
  }

  /// Asks one witness, again after each 409, until it cosigns.
  ///
  /// - Parameters:
  ///   - lastSize: What it last cosigned, as far as is known; else zero.
  ///   - send: Carries a body to the witness's `add-checkpoint` and brings its answer.
  /// - Returns: The time of its cosignature.
  package mutating func ask(
    _ witness: Int, lastSize: TreeSize,
    send: ([UInt8]) throws(LedgerError) -> WitnessAnswer
  ) throws(LedgerError) -> UInt64 {
    var oldSize = min(lastSize, view.head.size)
    for _ in 0..<CosigningRound.attemptLimit {
      switch try take(try send(try request(from: oldSize)), by: witness, from: oldSize) {
      case .cosigned(let time): return time
      case .askFrom(let size): oldSize = size
      }
    }
    throw LedgerError(
      .witnessRefused, "the witness named another size each time it was asked",
      remedy: "find out who else sends it heads of this log, then try again")
  }

  /// Takes over what another copy of this round has gathered, on another thread.
  package mutating func join(_ other: CosigningRound) {
    guard other.view.signedHead == view.signedHead else { return }
    lines.merge(other.lines) { _, new in new }
  }

  private mutating func take(lines body: [UInt8], by witness: Int) throws(LedgerError) -> UInt64 {
    let own = view.signedHead.note
    let answered: SignedNote
    do {
      answered = try SignedNote(parsing: own.encoded + body)
    } catch {
      throw bad("the witness's answer is not signature lines: \(error.message)")
    }
    // An empty line in the answer would move the end of the text.
    guard answered.text == own.text else { throw bad("the witness's answer holds an empty line") }
    let found = try SignedNote(
      text: own.text, signatures: Array(answered.signatures.dropFirst(own.signatures.count))
    ).signatures(by: [policy.witnesses[witness].key])
    guard let line = found.first?.signature, let time = Cosignature(line)?.time else {
      throw bad("the witness's answer has no line by its key")
    }
    lines[witness] = line
    return time
  }

  private func size(_ body: [UInt8], after oldSize: TreeSize) throws(LedgerError) -> TreeSize {
    guard body.last == 10, let size = decimal(String(decoding: body.dropLast(), as: UTF8.self)),
      TreeSize(size).isWithinLimit, TreeSize(size) != oldSize
    else { throw bad("the witness's answer to a wrong size is not another size") }
    guard TreeSize(size) <= view.head.size else {
      throw LedgerError(
        .rolledBack,
        "the witness has cosigned a tree of \(size) entries, and this log signs one of "
          + "\(view.head.size)",
        remedy: "if no newer head of this log is out, it has lost entries: stop it, and compare it "
          + "with the witness's head")
    }
    return TreeSize(size)
  }

  private func bad(_ reason: String) -> LedgerError {
    LedgerError(.badAnswer, reason, remedy: "ask the witness's owner; check its URL in the policy")
  }
}
