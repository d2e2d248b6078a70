/// Why ledger work could not be done. What a ledger *says* is a result; this is not that.
package struct LedgerError: Error, Sendable, CustomStringConvertible {
  /// Match on this, never on text. The names are those of `spec/ledger.md` §10 and
  /// `spec/witness.md` §9.
  package struct Code: Hashable, Sendable, CustomStringConvertible {
    package let name: String
    package var description: String { name }

    // Bytes that are not what they should be.
    package static let badKey = Code(name: "badKey")
    package static let badNote = Code(name: "badNote")
    package static let badSignature = Code(name: "badSignature")
    package static let unsigned = Code(name: "unsigned")
    package static let badTreeHead = Code(name: "badTreeHead")
    package static let wrongOrigin = Code(name: "wrongOrigin")
    package static let badProof = Code(name: "badProof")
    package static let proofMismatch = Code(name: "proofMismatch")
    package static let badEnvelope = Code(name: "badEnvelope")
    package static let badStatement = Code(name: "badStatement")
    package static let wrongKeyID = Code(name: "wrongKeyID")
    package static let entryTooLong = Code(name: "entryTooLong")
    package static let badBundle = Code(name: "badBundle")
    package static let badHistory = Code(name: "badHistory")
    package static let badTimeIndex = Code(name: "badTimeIndex")

    // Statements that a log does not take (`spec/statements.md` §12).
    package static let unknownEntry = Code(name: "unknownEntry")
    package static let wrongKind = Code(name: "wrongKind")
    package static let otherKey = Code(name: "otherKey")
    package static let openingMismatch = Code(name: "openingMismatch")
    package static let reservedKind = Code(name: "reservedKind")
    package static let withdrawnKey = Code(name: "withdrawnKey")

    // A log that ended, or goes on for another (`spec/ledger.md` §8a).
    package static let logEnded = Code(name: "logEnded")
    package static let notBegun = Code(name: "notBegun")
    package static let grewAfterEnd = Code(name: "grewAfterEnd")
    package static let notSuccessor = Code(name: "notSuccessor")

    // Witnesses and policies (`spec/witness.md` §9).
    package static let badPolicy = Code(name: "badPolicy")
    package static let notInPolicy = Code(name: "notInPolicy")
    package static let quorumMissing = Code(name: "quorumMissing")
    package static let badRequest = Code(name: "badRequest")
    package static let badAnswer = Code(name: "badAnswer")
    package static let witnessRefused = Code(name: "witnessRefused")
    package static let badClock = Code(name: "badClock")

    // What is stored does not agree with what was signed.
    package static let damagedTile = Code(name: "damagedTile")
    package static let damagedBundle = Code(name: "damagedBundle")
    package static let missing = Code(name: "missing")
    package static let beyondHead = Code(name: "beyondHead")
    package static let notPublished = Code(name: "notPublished")
    package static let treeBehindHead = Code(name: "treeBehindHead")
    package static let headBehindTree = Code(name: "headBehindTree")
    package static let headConflict = Code(name: "headConflict")
    package static let indexDisagrees = Code(name: "indexDisagrees")

    // What a client remembers does not agree with what it is shown.
    package static let rolledBack = Code(name: "rolledBack")
    package static let historyChanged = Code(name: "historyChanged")
    package static let forked = Code(name: "forked")

    // Work that failed on the way.
    package static let alreadyExists = Code(name: "alreadyExists")
    package static let notALedger = Code(name: "notALedger")
    package static let inUse = Code(name: "inUse")
    package static let needsReopening = Code(name: "needsReopening")
    package static let notRegularFile = Code(name: "notRegularFile")
    package static let tooLarge = Code(name: "tooLarge")
    package static let inputOutput = Code(name: "inputOutput")
    package static let database = Code(name: "database")
    package static let cryptography = Code(name: "cryptography")
  }

  package let code: Code
  package let message: String
  package let remedy: String
  package let path: String?
  package let cause: (any Error)?

  package init(
    _ code: Code, _ message: String, remedy: String, path: String? = nil,
    cause: (any Error)? = nil
  ) {
    self.code = code
    self.message = message
    self.remedy = remedy
    self.path = path
    self.cause = cause
  }

  package var description: String {
    let place = path.map { " in \($0)" } ?? ""
    let reason = cause.map { " (\($0))" } ?? ""
    return "\(code.name)\(place): \(message)\(reason); \(remedy)"
  }
}
