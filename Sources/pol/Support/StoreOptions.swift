import ArgumentParser
import ChunkStorage
import ProofArchive
import ProofPrimitives

/// Which S3 server is meant, of every command that takes a source or a target; the keys come from the
/// environment alone, where no process list shows them.
struct StoreOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("S3 server, instead of POL_S3_ENDPOINT.", valueName: "url"))
  var endpoint: String?
  @Option(help: ArgumentHelp("S3 region, instead of AWS_REGION.", valueName: "name"))
  var region: String?

  func settings() throws(StorageError) -> S3Settings {
    var settings = try S3Settings.environment()
    if let endpoint { settings.endpoint = endpoint }
    if let region { settings.region = region }
    return settings
  }

  /// The archive's source that a user's word stands for. A folder needs none of this.
  ///
  /// - Parameter isPulled: The command copies it here anyway.
  func open(_ location: String, isPulled: Bool = false) throws -> any ObjectSource {
    let advice =
      isPulled ? "" : "; `pol pull \(printable(location)) FOLDER` copies the archive here"
    return try openArchiveSource(location, s3: settings()) {
      StandardStream.error.write("pol: warning: \($0)\(advice)\n")
    }
  }
}
