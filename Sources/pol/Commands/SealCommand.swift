import ArgumentParser
import Cryptography
import ProofArchive
import ProofPrimitives
import ProofRecording
import Reexecution

struct SealCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "seal", abstract: "Sign a complete archive; after this no byte of it changes.",
    discussion: """
      For runs of the built-in trainer, the number of held-out points that the final state \
      classifies as labelled is claimed in claims.json.

      Example:
        pol seal run.pol --key key.pem
      """)

  @Argument(help: "Folder of the archive.")
  var archive: String
  @Option(help: ArgumentHelp("Private key that the run was prepared with.", valueName: "file"))
  var key: String
  @Option(help: ArgumentHelp("Content key of an encrypted archive.", valueName: "file"))
  var contentKey: String?
  @OptionGroup var reporting: Reporting

  func run() throws {
    try reporting.run { output in
      let signingKey = try loadSigningKey(key)
      var options = ArchiveWriter.Options()
      options.epochKey = try contentKey.map { try ContentKeyFile.read($0) }
      let run = try openRun(at: archive, options: options)
      let seal = try sealRun(run, key: signingKey, claims: claims(run))
      output.rows([
        ("sealed", printable(archive)), ("archive root", seal.archiveRoot.hex),
        ("model digest", seal.modelDigest.hex), ("seal digest", seal.digest.hex),
        ("prover key id", seal.proverKey.keyID.hex),
      ])
      output.document(
        "pol-seal/1",
        [
          ("archive", .string(archive)), ("archiveID", .string(seal.archiveID.hex)),
          ("archiveRoot", .string(seal.archiveRoot.hex)),
          ("modelDigest", .string(seal.modelDigest.hex)),
          ("sealDigest", .string(seal.digest.hex)), ("steps", .int(seal.stepCount)),
          ("proverKeyID", .string(seal.proverKey.keyID.hex)),
        ])
      return 0
    }
  }

  private func claims(_ run: RecordedRun) throws -> JSONValue? {
    guard run.description.algorithm == RunSettings.algorithm, run.isComplete else { return nil }
    let settings = try RunSettings(parsing: run.description.bytes)
    guard let result = try heldOutResult(run, settings: settings, threadCount: 1) else {
      return nil
    }
    return .map([
      ("heldOut", .map([("correct", .int(result.correct)), ("count", .int(result.count))]))
    ])
  }
}
