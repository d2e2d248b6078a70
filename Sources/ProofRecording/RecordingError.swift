package import ChunkStorage
package import ProofArchive
internal import ProofPrimitives

/// Why an event of a trainer could not be recorded.
package struct RecordingError: Error, Sendable, CustomStringConvertible {
  package struct Code: Hashable, Sendable {
    package let name: String
    /// The event is not one that may come now, or says something impossible.
    package static let badEvent = Code(name: "badEvent")
    /// A line or file of the trainer's does not parse.
    package static let badInput = Code(name: "badInput")
    /// The archive could not be read or written; `underlying` says more.
    package static let archive = Code(name: "archive")
    /// The commitment could not be logged.
    package static let commitment = Code(name: "commitment")
    /// A chain head could not be anchored.
    package static let anchor = Code(name: "anchor")
    /// The trainer failed.
    package static let trainer = Code(name: "trainer")
  }

  package let code: Code
  /// A path, and where in it; empty when the message says all.
  package let place: String
  package let message: String
  package let remedy: String
  package let underlying: ArchiveError?

  package init(_ code: Code, at place: String = "", _ message: String, remedy: String) {
    self.code = code
    self.place = place
    self.message = message
    self.remedy = remedy
    underlying = nil
  }

  package init(_ error: ArchiveError) {
    code = .archive
    place = error.place
    message = error.message
    remedy = error.remedy
    underlying = error
  }

  package init(_ error: StorageError) { self.init(ArchiveError(error)) }

  package var description: String {
    "\(code.name)\(place.isEmpty ? "" : " at \(place)"): \(message); \(remedy)"
  }
}

/// Turns an archive error into a recording error.
func archiving<Value>(
  _ body: () throws(ArchiveError) -> Value
) throws(RecordingError) -> Value {
  do throws(ArchiveError) { return try body() } catch { throw RecordingError(error) }
}

/// The bytes of a file that the user or the trainer named.
func userFile(_ path: String, limit: Int) throws(RecordingError) -> [UInt8] {
  do throws(StorageError) {
    return try DurableFile.readWhole(path, limit: limit, followsSymlinks: true)
  } catch {
    throw RecordingError(error)
  }
}
