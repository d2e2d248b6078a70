internal import ProofArchive
package import ProofPrimitives

/// The settings of a run as far as recording needs them: canonical JSON of whatever algorithm, with at
/// least its name and its number of steps.
///
/// What else they say is between the trainer and the executor.
package struct RunDescription: Equatable, Sendable {
  /// Canonical; what record 0's settings digest covers.
  package let bytes: [UInt8]
  package let algorithm: String
  /// Training steps of the whole run.
  package let steps: Int

  /// Of archives made of other programs' checkpoints: nothing is known of their training.
  package static let importAlgorithm = ImportedArchive.algorithm

  /// 1 MiB, which is what readers accept.
  package static let byteLimit = 1 << 20

  /// - Parameter form: `.relaxed` for what a person wrote; the canonical bytes are made of it.
  package init(
    parsing input: some Collection<UInt8>, form: JSONValue.Form = .canonical
  ) throws(RecordingError) {
    guard input.count <= RunDescription.byteLimit else {
      throw RunDescription.refusal(
        "the settings have \(input.count) bytes, the limit is \(RunDescription.byteLimit)")
    }
    let json: JSONValue
    do throws(ParsingError) {
      json = try JSONValue(parsing: input, form: form)
      // Again, since the relaxed form lets through what the canonical one has no bytes for.
      _ = try JSONValue(parsing: json.encoded, form: .canonical)
    } catch {
      throw RunDescription.refusal("\(error.reason) at byte \(error.offset)")
    }
    try self.init(json)
  }

  private init(_ json: JSONValue) throws(RecordingError) {
    guard let algorithm = json["algorithm"]?.stringValue, !algorithm.isEmpty,
      algorithm.utf8.count <= 200
    else { throw RunDescription.refusal("algorithm is not a name of 1 to 200 bytes") }
    guard let steps = json["steps"]?.countValue else {
      throw RunDescription.refusal("steps is not a non-negative integer")
    }
    bytes = json.encoded
    self.algorithm = algorithm
    self.steps = steps
  }

  private static func refusal(_ message: String) -> RecordingError {
    RecordingError(
      .badInput, at: "settings", message,
      remedy: "give a JSON object without fractions or null, with algorithm and steps")
  }
}
