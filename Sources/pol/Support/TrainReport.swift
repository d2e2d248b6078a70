import ProofArchive
import ProofPrimitives
import ProofRecording

/// What `pol train` says at its end.
struct TrainReport {
  let isNew: Bool
  private let run: RecordedRun
  private let archive: String
  private let resumedFrom: Int

  init(_ run: RecordedRun, archive: String, isNew: Bool) {
    self.run = run
    self.archive = archive
    self.isNew = isNew
    resumedFrom = run.writer.lastStep
  }

  private var name: String { printable(archive) }
  private static let gapsShown = 8

  func prepared(_ output: Output) {
    let opening = run.writer.opening
    output.rows([
      ("prepared", name), ("archive id", opening.archiveID.hex),
      ("dataset", "\(opening.datasetCount) points, root \(opening.datasetRoot)"),
      ("steps", "\(run.description.steps)"),
    ])
    output.document("pol-train/1", members([("complete", .bool(false))]))
    output.hint("train with `pol train \(name)`")
  }

  func stopped(_ outcome: TrainingRun.Outcome, _ output: Output) {
    output.rows([("stopped", "\(name), recorded to step \(outcome.durableStep)")])
    output.document("pol-train/1", members([("complete", .bool(false))]))
    output.hint("go on with `pol train \(name)`")
  }

  func finished(
    _ outcome: TrainingRun.Outcome, loss: Float?, heldOut: (correct: Int, count: Int)?,
    seconds: Double, _ output: Output
  ) {
    var rows = [
      ("trained", "\(name), \(outcome.durableStep) of \(run.description.steps) steps"),
      ("time", "\(fixed(seconds, 2)) s"),
    ]
    var more: [(String, JSONValue)] = [
      ("complete", .bool(outcome.isComplete)), ("seconds", .double(seconds)),
    ]
    if let loss {
      rows.append(("loss", brief(Double(loss))))
      more.append(("loss", .double(Double(loss))))
    }
    if let heldOut {
      let share = 100 * Double(heldOut.correct) / Double(heldOut.count)
      rows.append(
        ("held out", "\(heldOut.correct) of \(heldOut.count) correct (\(fixed(share, 2)) %)"))
      more.append(
        ("heldOut", .map([("correct", .int(heldOut.correct)), ("count", .int(heldOut.count))])))
    }
    let gaps = run.writer.gaps
    for gap in gaps.prefix(TrainReport.gapsShown) {
      rows.append(
        (
          "gap",
          "steps \(gap.firstStep) to \(gap.endStep), \(gap.lostSteps) lost: checkpoints are missing"
        ))
    }
    if gaps.count > TrainReport.gapsShown { rows.append(("gaps", "\(gaps.count) in all")) }
    let anchors = NotedAnchors(in: run)
    if let words = anchors.words { rows.append(("anchored", words)) }
    rows.append(("archive root", run.writer.root.hex))
    output.rows(rows)
    output.document("pol-train/1", members(more))
    output.hint("seal with `pol seal \(name) --key KEY`")
  }

  private func members(_ more: [(String, JSONValue)]) -> [(String, JSONValue)] {
    [
      ("archive", .string(archive)), ("archiveID", .string(run.writer.opening.archiveID.hex)),
      ("resumedFrom", .int(resumedFrom)), ("step", .int(run.writer.lastStep)),
      ("steps", .int(run.description.steps)),
      ("checkpoints", .int(run.writer.checkpointCount)),
      ("archiveRoot", .string(run.writer.root.hex)),
      (
        "gaps",
        .array(
          run.writer.gaps.map {
            .map([
              ("from", .int($0.firstStep)), ("lostSteps", .int($0.lostSteps)),
              ("to", .int($0.endStep)),
            ])
          })
      ),
      ("anchors", NotedAnchors(in: run).json),
    ] + more
  }
}
