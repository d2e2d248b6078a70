import ArgumentParser
import ChunkStorage
import ProofArchive
import ProofPrimitives

struct Check: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Read an archive and say what is damaged.",
    discussion: """
      Bytes are compared with digests; whether what they say is true is for `pol verify`. Without an \
      option every byte is read and every chunk decoded. --quick, --subset and --public read less, \
      say what they left out, and also take the URL of a sealed archive. Exit status 0 when what was \
      read is whole, 1 when it is not: always 1 of a folder that holds some segments alone.

      Examples:
        pol check run.pol
        pol check run.pol --quick
        pol check https://example.org/run.pol --subset 5%
        pol check run.pol --public
      """)

  @Argument(help: "Archive, as a folder or, of a shorter check, a URL (http, https, s3).")
  var archive: String
  @Flag(help: "Only what takes no key: the published bytes against the seal.")
  var `public` = false
  @Flag(help: "Checksums, lengths and tables, at the speed of reading; takes no key.")
  var quick = false
  @Option(
    help: ArgumentHelp(
      "All structure, and the chunks of this share of the checkpoints, such as 5%.",
      valueName: "percent"))
  var subset: String?
  @Option(help: "Draws the same checkpoints again, for --subset.")
  var seed: UInt64?
  @OptionGroup var accessOptions: AccessOptions
  @OptionGroup var storeOptions: StoreOptions
  @OptionGroup var reporting: Reporting

  /// One damaged file may cost every checkpoint; a person reads the first few.
  private static let shownLimit = 12

  /// Beside the longest name, in 79 columns.
  private static func lines(_ text: String) -> [String] {
    wrapped(text, width: 64, keepsCommands: true)
  }

  func validate() throws {
    guard [quick, `public`, subset != nil].count(where: { $0 }) <= 1 else {
      throw ValidationError("give one of --quick, --subset and --public")
    }
    guard seed == nil || subset != nil else { throw ValidationError("--seed goes with --subset") }
    _ = try depth()
  }

  private func depth() throws -> ArchiveChecker.Depth {
    if `public` { return .publicBytes }
    if quick { return .quick }
    guard let subset else { return .everything }
    let number = subset.hasSuffix("%") ? subset.dropLast() : subset[...]
    guard let percent = Double(number), percent > 0, percent <= 100 else {
      throw ValidationError("--subset is over 0% and at most 100%")
    }
    return .subset(share: percent / 100, seed: seed ?? UInt64.random(in: 0...UInt64.max))
  }

  private func check(
    _ progress: @escaping (Double) -> Void
  ) throws -> ArchiveChecker.Report {
    let access = try accessOptions.access()
    let depth = try depth()
    let source = try storeOptions.open(archive)
    guard !source.isNear else {
      return try ArchiveChecker.check(archive, access: access, depth: depth, progress: progress)
    }
    if case .everything = depth {
      throw CommandFailure(
        code: "io", place: printable(archive),
        message: "this check reads every byte, from a folder",
        remedy:
          "copy the archive here first with `pol pull`, or check it where it is with --quick, "
          + "--subset or --public")
    }
    return try ArchiveChecker.check(
      remote: source, access: access, depth: depth, progress: progress)
  }

  func run() throws {
    try reporting.run { output in
      let progress = ProgressBar("checking")
      let report = try check { progress.show($0) }
      progress.finish()
      for finding in report.findings.prefix(Check.shownLimit) {
        let error = finding.error
        output.line("\(error.code) at \(printable(error.place, limit: 1000))")
        for (name, text) in [
          ("what", printable(error.message, limit: 400)), ("consequence", finding.consequence),
          ("next", error.remedy),
        ] {
          for (position, line) in Check.lines(text).enumerated() {
            output.line("  " + (position == 0 ? name : "").column(13) + line)
          }
        }
      }
      let count = report.findings.count
      if count > Check.shownLimit {
        output.line("and \(count - Check.shownLimit) more findings; --json lists them all")
      }
      var rows = [
        ("archive", printable(archive)),
        (
          "state",
          report.partial.map { "partial: segments \($0.segments.list) of 0-\($0.allSegments - 1)" }
            ?? (report.isSealed ? "sealed" : "not sealed")
        ),
        (
          "read",
          "\(report.records) checkpoints, \(report.chunks) chunks, \(report.dataPoints) points, "
            + byteText(report.bytes)
        ),
      ]
      if let partial = report.partial {
        rows += [
          ("here", "\(byteText(partial.heldByteCount)) of \(byteText(partial.byteCount))"),
          ("rest", "`pol pull SOURCE \(printable(archive, limit: 1000))` fetches it"),
        ]
      }
      if let sample = report.sample {
        for (position, line) in Check.lines(text(sample, report)).enumerated() {
          rows.append((position == 0 ? "sample" : "", line))
        }
      }
      for omission in report.omissions {
        for (position, line) in Check.lines(omission).enumerated() {
          rows.append((position == 0 ? "not read" : "", line))
        }
      }
      rows.append(("result", result(report)))
      output.rows(rows)
      output.document("pol-check/1", members(report))
      return report.isWhole ? 0 : 1
    }
  }

  private func text(_ sample: ArchiveChecker.Sample, _ report: ArchiveChecker.Report) -> String {
    "chunks of \(sample.checkpoints.count) of \(sample.allCheckpoints) checkpoints, "
      + "\(report.chunks) of \(sample.allChunks) chunks, seed \(sample.seed)"
  }

  private func result(_ report: ArchiveChecker.Report) -> String {
    let count = report.findings.count
    if report.partial != nil, count == 0 { return "partial; what is here is right" }
    guard report.isWhole else { return "\(count) finding\(count == 1 ? "" : "s")" }
    return report.omissions.isEmpty ? "whole" : "whole as far as it was read"
  }

  private func members(_ report: ArchiveChecker.Report) -> [(String, JSONValue)] {
    var members: [(String, JSONValue)] = [
      ("archive", .string(archive)), ("whole", .bool(report.isWhole)),
      ("sealed", .bool(report.isSealed)), ("checkpoints", .int(report.records)),
      ("chunks", .int(report.chunks)), ("dataPoints", .int(report.dataPoints)),
      ("bytes", .int(report.bytes)),
    ]
    if let partial = report.partial {
      members.append(
        (
          "partial",
          .map([
            ("segments", .string(partial.segments.list)), ("ofSegments", .int(partial.allSegments)),
            ("heldBytes", .int(partial.heldByteCount)), ("ofBytes", .int(partial.byteCount)),
          ])
        ))
    }
    if let sample = report.sample {
      members.append(
        (
          "sample",
          .map([
            ("seed", .string("\(sample.seed)")),
            ("checkpoints", .array(sample.checkpoints.map { .int($0) })),
            ("ofCheckpoints", .int(sample.allCheckpoints)), ("ofChunks", .int(sample.allChunks)),
          ])
        ))
    }
    return members + [
      ("notRead", .array(report.omissions.map { .string($0) })),
      (
        "findings",
        .array(
          report.findings.map { finding in
            .object([
              .init("code", .string(finding.error.code.description)),
              .init("place", .string(finding.error.place)),
              .init("message", .string(finding.error.message)),
              .init("consequence", .string(finding.consequence)),
              .init("checkpoints", .string(finding.checkpoints.list)),
              .init("remedy", .string(finding.error.remedy)),
            ])
          })
      ),
    ]
  }
}
