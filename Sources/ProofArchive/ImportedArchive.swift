internal import ProofPrimitives

/// Archives made of other programs' checkpoints (`spec/conversion.md` §5): nothing is known of the steps
/// between these, so that no training in them can be judged.
package enum ImportedArchive {
  /// The algorithm that their settings name.
  package static let algorithm = "import/v1"

  /// The step that the settings give the first checkpoint; 0 when they give none, are of another
  /// algorithm, or give one that no training has.
  package static func firstStep(_ settings: [UInt8]) -> Int {
    guard let json = try? JSONValue(parsing: settings, form: .canonical),
      json["algorithm"]?.stringValue == algorithm, let step = json["firstStep"]?.countValue,
      step <= CheckpointRecord.stepLimit
    else { return 0 }
    return step
  }
}

extension ArchiveReader {
  /// What a recorded step lacks to the step that a person means: records count from the first
  /// checkpoint, and that of an imported archive may be of a later step. Parses the settings.
  package var stepOffset: Int { ImportedArchive.firstStep(settings) }
}
