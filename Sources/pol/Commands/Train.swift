import ArgumentParser
import ChunkStorage
import Glibc
import ProofArchive
import ProofPrimitives
import ProofRecording
import Reexecution

struct Train: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Train with the built-in trainer and record every step.",
    discussion: """
      A new ARCHIVE needs --data and --key. DATA is a folder with train.csv and test.csv, or one \
      file: integers between commas, the label last. An archive that is there already goes on \
      after its last checkpoint, with the data and settings that it holds.

      Examples:
        pol train run.pol --data digits --key key.pem
        pol train run.pol --data digits --key key.pem --steps 1000 --every 10 \\
          --prepare
        pol train run.pol
        pol train run.pol --ledger https://example.org/ledger --key key.pem \\
          --anchor-every 10m
      """)

  @Argument(help: "Folder of the archive.")
  var archive: String
  @OptionGroup var preparation: PreparationOptions
  @OptionGroup var recording: RecordingOptions
  @OptionGroup var anchorOptions: AnchoringOptions
  @Option(help: "Threads that share a matrix product; changes no bit.")
  var threads = 1
  @Flag(help: "Stop when a checkpoint cannot be written, instead of training on and leaving a gap.")
  var strict = false
  @Flag(help: "Stop before the first step.")
  var prepare = false
  @Option(help: ArgumentHelp("Write the trained weights as safetensors.", valueName: "file"))
  var modelOut: String?
  @OptionGroup var reporting: Reporting

  func validate() throws {
    guard
      anchorOptions.anchorEvery == nil || (preparation.ledger != nil && preparation.key != nil)
    else { throw ValidationError("--anchor-every needs --ledger and --key") }
    guard (1...1024).contains(threads) else { throw ValidationError("--threads is 1 to 1024") }
  }

  func run() throws {
    try reporting.run { output in
      Interruption.watch()
      let isNew = try !isArchive(archive)
      let run: RecordedRun
      if isNew {
        run = try preparation.prepare(
          at: archive, recording.options(isNew: true, output), output)
      } else {
        run = try openRun(at: archive, options: recording.options(isNew: false, output))
        try preparation.checkKey(of: run)
      }
      let report = TrainReport(run, archive: archive, isNew: isNew)
      if prepare {
        report.prepared(output)
        return 0
      }
      return try train(run, report, output)
    }
  }

  private func train(_ run: RecordedRun, _ report: TrainReport, _ output: Output) throws -> Int32 {
    let trainer = try ReferenceRun(run, threadCount: threads)
    let total = run.description.steps
    let anchoring = try anchorOptions.anchoring(
      of: run, ledger: preparation.ledger, key: try preparation.signingKey(),
      trust: preparation.ledger == nil ? LedgerTrust() : try preparation.trustOptions.trust())
    let anchors = AnchorNews(anchoring, run, output)
    let start = ContinuousClock.now
    let firstStep = run.writer.lastStep
    if !report.isNew {
      output.talk("going on after step \(firstStep) of \(total), with the archive's own settings")
    }
    note(run, firstStep == 0 ? "start" : "resume", [("step", .int(firstStep))], output)
    let progress = ProgressBar("training")
    var lastLoss: Float?
    let outcome = try TrainingRun.run(
      trainer, into: run.recorder(isStrict: strict, anchoring: anchoring),
      shouldStop: { Interruption.signalNumber != nil },
      troubled: { tell($0, progress, output) }, retry: { waitForStore(failures: $0, output) }
    ) { step, record in
      let loss = Float(bitPattern: record.loss)
      lastLoss = loss
      progress.show(Double(step) / Double(total), "step \(step)  loss \(brief(Double(loss)))")
      anchors.tell { progress.finish() }
    }
    progress.finish()
    anchors.end(isInterrupted: Interruption.signalNumber != nil)
    let elapsed = start.duration(to: .now)
    let seconds =
      Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) * 1e-18
    note(
      run, outcome.isComplete ? "end" : "stop",
      [("milliseconds", .int(Int(seconds * 1000))), ("step", .int(outcome.durableStep))], output)
    if !outcome.isComplete, let number = Interruption.signalNumber {
      report.stopped(outcome, output)
      return Interruption.exitStatus(number)
    }
    let heldOut = try heldOutResult(run, settings: trainer.settings, threadCount: threads)
    if let modelOut, let state = try run.writer.lastState(roles: [.weight, .buffer]) {
      try DurableFile.write(SafetensorsFile.encode(state.tensors), to: modelOut, replaces: false)
    }
    report.finished(outcome, loss: lastLoss, heldOut: heldOut, seconds: seconds, output)
    return 0
  }

  private func note(
    _ run: RecordedRun, _ event: String, _ members: [(String, JSONValue)], _ output: Output
  ) {
    do {
      try run.writer.note(
        [("event", .string(event)), ("time", .string(wallClockTime()))] + members)
    } catch {
      // Nothing hashes the journal, so that nothing is worth stopping for.
      output.hint("the journal lacks a line: \(CommandFailure(error).message)")
    }
  }

  private func tell(_ trouble: RecordingTrouble?, _ progress: ProgressBar, _ output: Output) {
    progress.finish()
    guard let trouble else {
      output.talk("recording works again, after a gap")
      return
    }
    let count = trouble.missedCheckpoints
    // Of many in a row the first ten, then each tenth of what went before.
    guard count <= 10 || count % max(1, count / 10) == 0 else { return }
    output.talk("warning: checkpoint not written: \(trouble.message)")
    output.hint(
      "the training goes on; \(count) missed, \(trouble.lostSteps) steps lost; "
        + trouble.error.remedy)
  }

  /// The last checkpoint is tried once a second for a minute.
  private func waitForStore(failures: Int, _ output: Output) -> Bool {
    guard !strict, failures <= Train.lastAttempts, Interruption.signalNumber == nil else {
      return false
    }
    if failures == 1 {
      output.hint(
        "the last checkpoint is tried again for \(Train.lastAttempts) seconds: make room now")
    }
    sleep(1)
    return true
  }

  private static let lastAttempts = 60
}

/// Whether a recorded run stands in the folder, sealed or not, or segments of one.
func isArchive(_ path: String) throws -> Bool {
  var status = stat()
  guard stat(path, &status) == 0 else {
    guard errno == ENOENT else {
      throw CommandFailure(
        code: "io", place: printable(path), message: String(cString: strerror(errno)),
        remedy: "check the path and its permissions")
    }
    return false
  }
  return [ArchiveFiles.records, PartialArchive.fileName].contains {
    access("\(path)/\($0)", F_OK) == 0
  }
}
