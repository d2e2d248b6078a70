/// Why a training step, or a part of one, could not be executed.
///
/// Never a verdict: that an executor refuses or fails says nothing about the claim.
package struct ReexecutionError: Error, Sendable, CustomStringConvertible {
  /// Names are those of `spec/executor.md` §6 and `spec/settings.md` §5. Match on these, not on text.
  package struct Code: Hashable, Sendable {
    package let name: String

    /// The settings break `spec/settings.md`.
    package static let badSettings = Code(name: "badSettings")
    /// A state lacks a tensor, has one too many, or one of another type or shape.
    package static let badState = Code(name: "badState")
    /// A data point has another shape, an element type that is not read, or a label out of range.
    package static let badDataPoint = Code(name: "badDataPoint")
    /// A batch is empty, too long, or names a data point that was not given.
    package static let badBatch = Code(name: "badBatch")
    /// A step lies outside the run.
    package static let badStep = Code(name: "badStep")
    /// A line of the executor protocol breaks `spec/executor.md`.
    package static let badMessage = Code(name: "badMessage")
    /// A file could not be read or written.
    package static let badFile = Code(name: "badFile")
  }

  package let code: Code
  /// What is wrong, where, and what was expected.
  package let message: String
  package let remedy: String
  package let underlying: (any Error)?

  package init(
    _ code: Code, _ message: String, remedy: String, underlying: (any Error)? = nil
  ) {
    self.code = code
    self.message = message
    self.remedy = remedy
    self.underlying = underlying
  }

  package var description: String { "\(code.name): \(message); \(remedy)" }
}
