import ArgumentParser
import ChunkStorage
import ProofArchive
import ProofPrimitives
import ProofRecording
import Reexecution

struct Execute: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Re-execute steps that a verifier asks for on standard input.",
    discussion: """
      One JSON object a line in, one out; spec/executor.md says which. Settings come from an \
      archive or from a file, and from nowhere else.

      Example:
        pol execute run.pol
        pol execute --settings settings.json
      """)

  @Argument(help: "Archive, as a folder or a URL.")
  var archive: String?
  @Option(help: ArgumentHelp("Settings instead of an archive's.", valueName: "file"))
  var settings: String?
  @Option(help: "Threads that share a matrix product; changes no bit.")
  var threads = 1

  func validate() throws {
    guard (archive == nil) != (settings == nil) else {
      throw ValidationError("give an archive or --settings")
    }
    guard (1...1024).contains(threads) else { throw ValidationError("--threads is 1 to 1024") }
  }

  func run() throws {
    try Reporting.parse([]).run { output in
      let executor = ReferenceExecutor(settings: try runSettings(), threadCount: threads)
      let session = ExecutorSession(executor: executor, files: Execute.files)
      var lines = LineReader(limit: ExecutorSession.lineByteLimit)
      while !output.isAnswerLost, let line = try lines.next() {
        output.answer(String(decoding: session.reply(to: line) + [10], as: UTF8.self))
      }
      return 0
    }
  }

  private func runSettings() throws -> RunSettings {
    if let settings {
      let bytes = try DurableFile.readWhole(
        settings, limit: RunDescription.byteLimit, followsSymlinks: true)
      return try CommandFailure.at(settings) {
        try RunSettings(parsing: RunDescription(parsing: bytes, form: .relaxed).bytes)
      }
    }
    return try RunSettings(parsing: openArchive(archive ?? "").settings)
  }

  /// 64 GiB: a state is held in memory.
  private static let stateByteLimit = 64 << 30

  private static var files: ExecutorSession.Files {
    func storing<Value>(
      _ body: () throws(StorageError) -> Value
    ) throws(ReexecutionError) -> Value {
      do throws(StorageError) {
        return try body()
      } catch {
        throw ReexecutionError(
          .badFile, "\(error.place): \(error.message)", remedy: error.remedy, underlying: error)
      }
    }
    return ExecutorSession.Files(
      loadState: { (path) throws(ReexecutionError) in
        try StateFile.parse(
          storing { () throws(StorageError) in
            try DurableFile.readWhole(path, limit: stateByteLimit, followsSymlinks: true)
          })
      },
      storeState: { (state, path) throws(ReexecutionError) in
        let bytes = try StateFile.encode(state)
        try storing { () throws(StorageError) in try DurableFile.write(bytes, to: path) }
      },
      loadBytes: { (path, limit) throws(ReexecutionError) in
        try storing { () throws(StorageError) in
          try DurableFile.readWhole(path, limit: limit, followsSymlinks: true)
        }
      })
  }
}
