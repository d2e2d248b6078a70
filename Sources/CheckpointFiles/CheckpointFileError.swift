package import ChunkStorage
internal import ProofArchive
internal import ProofPrimitives

/// Why a checkpoint file could not be read or written (`spec/conversion.md` §8).
package struct CheckpointFileError: Error, Sendable, CustomStringConvertible {
  package typealias Code = StorageError.Code

  package let code: Code
  /// The file; after `, ` what in it.
  package let place: String
  package let message: String
  package let remedy: String

  init(_ code: Code, at place: String, _ message: String, remedy: String) {
    self.code = code
    self.place = printable(place, limit: 1000)
    self.message = message
    self.remedy = remedy
  }

  init(_ error: StorageError) {
    code = error.code
    place = error.place
    message = error.message
    remedy = error.remedy
  }

  init(_ error: ArchiveError) {
    code = error.code
    place = error.place
    message = error.message
    remedy = error.remedy
  }

  /// - Parameter offset: Where the parsed bytes begin in the file.
  init(_ error: ParsingError, at place: String, offset: Int = 0) {
    let code: Code =
      switch error.kind {
      case .malformed: .malformed
      case .unsupported: .unsupported
      case .damaged: .damaged
      case .limit: .limit
      }
    self.init(
      code, at: "\(place), byte \(offset + error.offset)", error.reason,
      remedy: error.kind == .unsupported
        ? CheckpointFileError.otherwise : CheckpointFileError.again)
  }

  /// What helps against bytes that break their format.
  static let again = "check that this is the right file, or write it again"
  /// What helps where a format is kept and says what is not read.
  static let otherwise = "save it in another form: spec/conversion.md says which are read"

  package var description: String { "\(code) at \(place): \(message); \(remedy)" }
}

/// Turns a storage error into this module's.
func storing<Value: ~Copyable>(
  _ body: () throws(StorageError) -> Value
) throws(CheckpointFileError) -> Value {
  do throws(StorageError) { return try body() } catch { throw CheckpointFileError(error) }
}

/// Turns a parsing error into this module's, placed in a file.
func parsing<Value>(
  _ place: String, offset: Int = 0, _ body: () throws(ParsingError) -> Value
) throws(CheckpointFileError) -> Value {
  do throws(ParsingError) {
    return try body()
  } catch {
    throw CheckpointFileError(error, at: place, offset: offset)
  }
}
