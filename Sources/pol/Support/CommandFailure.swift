import CheckpointFiles
import ChunkStorage
import Cryptography
import ProofArchive
import ProofPrimitives
import ProofRecording
import Reexecution
import TransparencyLedger

/// An error of any module, as the command line tells it: what, where, what to do.
struct CommandFailure: Error {
  let code: String
  let place: String
  let message: String
  let remedy: String

  init(code: String, place: String, message: String, remedy: String) {
    self.code = code
    self.place = place
    self.message = message
    self.remedy = remedy
  }

  init(_ error: any Error) {
    switch error {
    case let error as CommandFailure: self = error
    case let error as ArchiveError: self.init(error)
    case let error as StorageError: self.init(ArchiveError(error))
    case let error as CheckpointFileError:
      self.init(
        code: error.code.description, place: error.place, message: error.message,
        remedy: error.remedy)
    case let error as RecordingError:
      if let underlying = error.underlying {
        self.init(underlying)
      } else {
        self.init(
          code: error.code.name, place: error.place, message: error.message, remedy: error.remedy)
      }
    case let error as ReexecutionError:
      self.init(code: error.code.name, place: "", message: error.message, remedy: error.remedy)
    case let error as CryptographyError:
      self.init(code: error.code.name, place: "", message: error.message, remedy: error.remedy)
    case let error as LedgerError:
      self.init(
        code: error.code.name, place: error.path ?? "", message: error.message,
        remedy: error.remedy)
    case let error as TimestampError:
      self.init(code: error.code.name, place: "", message: error.message, remedy: error.remedy)
    case let error as ParsingError:
      self.init(
        code: "malformed", place: "byte \(error.offset)", message: error.reason,
        remedy: "check that this is the right file")
    default:
      self.init(code: "internal", place: "", message: "\(error)", remedy: "report this")
    }
  }

  private init(_ error: ArchiveError) {
    self.init(
      code: error.code.description, place: error.place, message: error.message,
      remedy: error.remedy)
  }

  /// The same failure, placed at a file when it does not know one itself.
  static func at<Value>(_ place: String, _ body: () throws -> Value) throws -> Value {
    do {
      return try body()
    } catch {
      let failure = CommandFailure(error)
      let inner = failure.place.isEmpty ? "" : ", \(failure.place)"
      throw CommandFailure(
        code: failure.code, place: printable(place, limit: 1000) + inner, message: failure.message,
        remedy: failure.remedy)
    }
  }
}
