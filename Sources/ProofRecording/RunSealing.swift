package import Cryptography
package import ProofArchive
package import ProofPrimitives

/// Seals a run that is complete. A shorter one would be a proof that breaks its own settings.
///
/// - Parameter claims: What the prover says of the result; canonical JSON, so without fractions.
package func sealRun(
  _ run: RecordedRun, key: SigningKey, claims: JSONValue? = nil
) throws(RecordingError) -> Seal {
  guard run.isComplete else {
    let done = !run.writer.hasCheckpoint ? "nothing" : "step \(run.writer.lastStep)"
    throw RecordingError(
      .badEvent, at: run.writer.path,
      "the run is not complete: \(done) of \(run.description.steps) steps is recorded",
      remedy: "go on with the training, then seal")
  }
  if let claims {
    do throws(ParsingError) {
      _ = try JSONValue(parsing: claims.encoded, form: .canonical)
    } catch {
      throw RecordingError(
        .badInput, at: "claims", error.reason, remedy: "use strings and integers only")
    }
  }
  return try archiving { () throws(ArchiveError) in
    try run.writer.seal(with: key, claims: claims)
  }
}
