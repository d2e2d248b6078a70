import ArgumentParser
import ChunkStorage
import Glibc
import ProofArchive
import ProofPrimitives

struct Repair: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Make an archive anew from damaged copies.",
    discussion: """
      Nothing is changed or removed in any copy: what is whole is written to a new folder. Of a \
      sealed archive every file is compared with the seal; one that no copy has whole is put \
      together from the parts that are. Of an archive without a seal the checkpoints are kept that \
      the best copy has whole. --salvage goes without a second copy and says what is lost; an \
      archive whose seal is damaged is then kept as one without a seal. \
      Exit status 0 when nothing is lost, 1 when something is.

      Examples:
        pol repair run.pol --from /backup/run.pol --out new.pol
        pol repair run.pol --from https://example.org/run.pol --from s3://proofs/run.pol --out new.pol
        pol repair run.pol --salvage --out new.pol
      """)

  @Argument(help: "The damaged archive, as a folder or a URL (http, https, s3).")
  var damaged: String
  @Option(
    help: ArgumentHelp(
      "Another copy, which may be damaged too: a folder or a URL; may be repeated.",
      valueName: "copy"))
  var from: [String] = []
  @Option(help: ArgumentHelp("New folder for what is whole.", valueName: "folder"))
  var out: String
  @Flag(help: "Without another copy: keep what is whole.")
  var salvage = false
  @OptionGroup var accessOptions: AccessOptions
  @OptionGroup var storeOptions: StoreOptions
  @OptionGroup var reporting: Reporting

  private static let shownLimit = 20

  func validate() throws {
    guard from.isEmpty == salvage else { throw ValidationError("give --from or --salvage") }
    let parent =
      Repair.resolved(out.hasSuffix("/") ? "\(out).." : "\(out)/..") ?? Repair.parent(out)
    let folders = ([damaged] + from).compactMap(Repair.resolved)
    guard !folders.contains(where: { parent.hasPrefix($0) }) else {
      throw ValidationError("--out is a new folder outside of all copies")
    }
  }

  /// The real path of the folder that a new folder will stand in.
  private static func parent(_ path: String) -> String {
    var parts = path.split(separator: "/", omittingEmptySubsequences: false)
    while parts.last?.isEmpty == true { parts.removeLast() }
    _ = parts.popLast()
    let folder = parts.joined(separator: "/")
    return resolved(folder.isEmpty ? (path.hasPrefix("/") ? "/" : ".") : folder) ?? ""
  }

  /// With a slash at its end; nil for what is not there.
  private static func resolved(_ path: String) -> String? {
    guard let found = realpath(path, nil) else { return nil }
    defer { free(found) }
    let text = String(cString: found)
    return text.hasSuffix("/") ? text : text + "/"
  }

  func run() throws {
    try reporting.run { output in
      let source = try storeOptions.open(damaged)
      let copies = try from.map { try storeOptions.open($0) }
      let access = try accessOptions.access()
      let progress = ProgressBar("repairing")
      defer { progress.finish() }
      if try isUnsealed(source, copies) {
        let kept = try ArchiveSalvage.run(source, from: copies, to: out, access: access) {
          progress.show($0)
        }
        progress.finish()
        return show(kept, output)
      }
      let report = try ArchiveRepair.run(source, from: copies, to: out, access: access) {
        progress.show($0)
      }
      progress.finish()
      return show(report, output)
    }
  }

  /// Whether no copy has a seal, or the only one a damaged seal. One that does not answer now may be of
  /// use for its other files.
  private func isUnsealed(
    _ source: any ObjectSource, _ copies: [any ObjectSource]
  ) throws -> Bool {
    guard try source.byteCount(of: ArchiveFiles.seal) == nil else {
      return try salvage && ArchiveSalvage.sealDamage(of: source) != nil
    }
    return copies.allSatisfy { (try? $0.byteCount(of: ArchiveFiles.seal)) ?? nil == nil }
  }

  // MARK: - A sealed archive

  private func show(_ report: ArchiveRepair.Report, _ output: Output) -> Int32 {
    for warning in report.warnings { output.talk("warning: \(warning)") }
    var copied = 0
    var assembled = 0
    var lost: [(name: String, what: String)] = []
    for file in report.files {
      switch file.outcome {
      case .copied: copied += 1
      case .assembled:
        assembled += 1
        output.line("put together: \(file.name)")
      case .lost(let what): lost.append((file.name, what))
      }
    }
    for file in lost.prefix(Repair.shownLimit) {
      output.line("lost in \(file.name): \(printable(file.what, limit: 1000))")
    }
    var rows = [
      ("damaged", printable(damaged, limit: 1000)), ("made", printable(out, limit: 1000)),
      ("seal", report.seal.digest.hex),
      ("files", "\(copied) copied, \(assembled) put together, \(lost.count) not complete"),
    ]
    if let rest = report.rest { rows += text(rest, report) }
    rows.append(
      ("result", report.isComplete ? "complete: the seal fits every file" : "not complete"))
    output.rows(rows)
    output.document("pol-repair/1", members(report))
    return report.isComplete ? 0 : 1
  }

  private func text(
    _ rest: UsableRest, _ report: ArchiveRepair.Report
  ) -> [(String, String)] {
    if let obstacle = rest.obstacle {
      return [("usable", "not known: \(printable("\(obstacle)", limit: 400))")]
    }
    let count = rest.checkpoints.count + rest.lostCheckpoints.count
    let segments = report.seal.segmentCount
    return [
      ("usable", "\(rest.checkpoints.count) of \(count) checkpoints"),
      ("lost", "checkpoints \(Repair.list(rest.lostCheckpoints))"),
      (
        "segments",
        "\(segments - rest.lostSegments.count) of \(segments) can be verified; "
          + "not \(Repair.list(rest.lostSegments))"
      ),
    ]
  }

  /// `1, 4-7, 9`, or `none`.
  private static func list(_ numbers: [Int]) -> String {
    var runs: [ClosedRange<Int>] = []
    for number in numbers {
      if let last = runs.last, last.upperBound + 1 == number {
        runs[runs.count - 1] = last.lowerBound...number
      } else {
        runs.append(number...number)
      }
    }
    let shown = runs.prefix(shownLimit).map {
      $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)"
    }
    return shown.isEmpty
      ? "none" : shown.joined(separator: ", ") + (runs.count > shown.count ? " and more" : "")
  }

  private func members(_ report: ArchiveRepair.Report) -> [(String, JSONValue)] {
    var members: [(String, JSONValue)] = [
      ("out", .string(out)), ("complete", .bool(report.isComplete)),
      ("seal", .string(report.seal.digest.hex)),
      (
        "files",
        .array(
          report.files.map { file in
            switch file.outcome {
            case .copied(let place):
              .map([
                ("name", .string(file.name)), ("outcome", .string("copied")),
                ("from", .string(place)),
              ])
            case .assembled:
              .map([("name", .string(file.name)), ("outcome", .string("assembled"))])
            case .lost(let what):
              .map([
                ("name", .string(file.name)), ("outcome", .string("lost")), ("lost", .string(what)),
              ])
            }
          })
      ),
    ]
    if let rest = report.rest {
      members += [
        ("lostCheckpoints", .array(rest.lostCheckpoints.map { .int($0) })),
        ("lostSegments", .array(rest.lostSegments.map { .int($0) })),
        ("usableCheckpoints", .array(rest.checkpoints.map { .int($0) })),
      ]
      if let obstacle = rest.obstacle { members.append(("obstacle", .string("\(obstacle)"))) }
    }
    return members + [("warnings", .array(report.warnings.map { .string($0) }))]
  }

  // MARK: - An archive without a seal

  private func show(_ kept: ArchiveSalvage, _ output: Output) -> Int32 {
    let lost = kept.foundCheckpoints - kept.checkpoints
    let isAllKept = lost == 0 && kept.tail == nil
    var warnings = kept.warnings
    if let damage = kept.sealDamage {
      let seal = "the seal was damaged (\(printable(damage, limit: 400))) and not copied: "
      warnings.append(
        seal + "the result is not sealed; the prover seals it with "
          + "`pol seal \(printable(out, limit: 1000)) --key KEY`"
          + (isAllKept ? ", which gives the same seal if nothing else was lost" : ""))
    }
    for warning in warnings { output.talk("warning: \(warning)") }
    var rows = [
      ("damaged", printable(damaged, limit: 1000)), ("made", printable(out, limit: 1000)),
      ("taken from", printable(kept.location, limit: 1000)),
      ("kept", "\(kept.checkpoints) checkpoints, to step \(kept.lastStep)"),
    ]
    if lost > 0 {
      rows.append(("lost", "checkpoints \(kept.checkpoints + 1) to \(kept.foundCheckpoints)"))
    }
    if let reason = kept.reason {
      rows.append(
        ("because", printable("\(reason.code) at \(reason.place): \(reason.message)", limit: 1000)))
    }
    if let tail = kept.tail { rows.append(("lost", tail)) }
    if kept.sealDamage != nil { rows.append(("lost", "the seal")) }
    rows.append(
      (
        "next",
        kept.sealDamage == nil
          ? "go on with the training, or sign what is there with `pol seal`"
          : "`pol seal \(printable(out, limit: 1000)) --key KEY`, with the prover's key"
      ))
    output.rows(rows)
    var members: [(String, JSONValue)] = [
      ("out", .string(out)), ("checkpoints", .int(kept.checkpoints)),
      ("foundCheckpoints", .int(kept.foundCheckpoints)), ("step", .int(kept.lastStep)),
      ("takenFrom", .string(kept.location)),
      ("warnings", .array(warnings.map { .string($0) })),
    ]
    if let reason = kept.reason { members.append(("reason", .string("\(reason)"))) }
    if let tail = kept.tail { members.append(("tail", .string(tail))) }
    output.document("pol-salvage/1", members)
    return isAllKept && kept.sealDamage == nil ? 0 : 1
  }
}
