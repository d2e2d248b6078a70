import ArgumentParser
import ChunkStorage
import Glibc
import ProofArchive
import ProofPrimitives

/// How an archive is written, whatever it holds.
struct RecordingOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Encrypt with this content key; a new archive's is made if the file is not there.",
      valueName: "file"))
  var contentKey: String?
  @Option(help: "Threads that hash and compress.")
  var workers = 2
  @Flag(
    inversion: .prefixedNo,
    help: "Store chunks as differences from earlier ones where that is smaller.")
  var deltas = true

  func validate() throws {
    guard (1...64).contains(workers) else { throw ValidationError("--workers is 1 to 64") }
  }

  /// - Parameter isNew: Whether a key that is not there may be made: an archive that goes on has its own.
  func options(isNew: Bool, _ output: Output) throws -> ArchiveWriter.Options {
    var options = ArchiveWriter.Options()
    options.workers = workers
    options.usesDeltas = deltas
    guard let contentKey else { return options }
    if isNew, access(contentKey, F_OK) != 0 {
      let key = EpochKey.generate()
      try ContentKeyFile.write(key, to: contentKey)
      options.epochKey = key
      output.hint("keep \(printable(contentKey)): without it nobody opens the archive again")
    } else {
      options.epochKey = try ContentKeyFile.read(contentKey)
    }
    return options
  }
}
