internal import ProofArchive
internal import ProofPrimitives

/// Why an event of a trainer could not be recorded.
package struct RecordingError: Error, Sendable, CustomStringConvertible {
  package struct Code: Hashable, Sendable {
    package let name: String
    /// The event is not one that may come now, or says something impossible.
    package static let badEvent = Code(name: "badEvent")
    /// A line or file of the trainer's does not parse.
    package static let badInput = Code(name: "badInput")
    /// The archive could not be written.
    package static let archive = Code(name: "archive")
  }

  package let code: Code
  package let message: String
  package let remedy: String

  package init(_ code: Code, _ message: String, remedy: String) {
    self.code = code
    self.message = message
    self.remedy = remedy
  }

  package var description: String { "\(code.name): \(message); \(remedy)" }
}
