internal import ChunkStorage
internal import ProofArchive
internal import Reexecution
internal import TransparencyLedger

/// Why a check did not pass: the prover signed something false, or it could not be decided.
struct CheckStop: Error {
  let isRefuted: Bool
  let code: String
  let message: String
  let remedy: String

  static func refuted(_ message: String, code: String = "false") -> CheckStop {
    CheckStop(isRefuted: true, code: code, message: message, remedy: "")
  }

  static func undecided(_ message: String, code: String, remedy: String) -> CheckStop {
    CheckStop(isRefuted: false, code: code, message: message, remedy: remedy)
  }

  /// Bytes that match what the prover signed and break the format are his; all others are damage.
  init(_ error: ArchiveError) {
    // A server that does not answer has not shown anything damaged yet.
    let isAboutBytes = [.missing, .damaged, .malformed].contains(error.code) && !error.isSigned
    self.init(
      isRefuted: error.isSigned, code: error.code.description,
      message: (isAboutBytes ? "damaged or withheld: " : "") + "\(error.place): \(error.message)",
      remedy: error.isSigned ? "" : error.remedy)
  }

  init(_ error: LedgerError) {
    self.init(
      isRefuted: false, code: error.code.name,
      message: (error.path.map { "\($0): " } ?? "") + error.message, remedy: error.remedy)
  }

  init(_ error: ReexecutionError) {
    self.init(
      isRefuted: false, code: error.code.name, message: error.message, remedy: error.remedy)
  }

  private init(isRefuted: Bool, code: String, message: String, remedy: String) {
    self.isRefuted = isRefuted
    self.code = code
    self.message = message
    self.remedy = remedy
  }
}

func reading<Value>(
  _ body: () throws(ArchiveError) -> Value
) throws(CheckStop) -> Value {
  do throws(ArchiveError) { return try body() } catch { throw CheckStop(error) }
}

func asking<Value>(
  _ body: () throws(LedgerError) -> Value
) throws(CheckStop) -> Value {
  do throws(LedgerError) { return try body() } catch { throw CheckStop(error) }
}
