import ArgumentParser
import ChunkStorage
import ProofArchive
import ProofPrimitives

struct Check: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Read every byte of an archive and say what is damaged.",
    discussion: """
      Bytes are compared with digests; whether what they say is true is for `pol verify`. Exit \
      status 0 when the archive is whole, 1 when it is not.

      Example:
        pol check run.pol
        pol check run.pol --public
      """)

  @Argument(help: "Folder of the archive.")
  var archive: String
  @Flag(help: "Only what takes no key: the published bytes against the seal.")
  var `public` = false
  @OptionGroup var accessOptions: AccessOptions
  @OptionGroup var reporting: Reporting

  /// One damaged file may cost every checkpoint; a person reads the first few.
  private static let shownLimit = 12

  func run() throws {
    try reporting.run { output in
      guard !["http://", "https://", "s3://"].contains(where: archive.hasPrefix) else {
        throw CommandFailure(
          code: "io", place: printable(archive), message: "a check reads every byte, from a folder",
          remedy: "copy the archive here first with `pol pull`; `pol verify` reads from a URL")
      }
      let progress = ProgressBar("checking")
      let report = try ArchiveChecker.check(
        archive, access: accessOptions.access(), depth: `public` ? .publicBytes : .everything
      ) { progress.show($0) }
      progress.finish()
      for finding in report.findings.prefix(Check.shownLimit) {
        let error = finding.error
        output.line("\(error.code) at \(printable(error.place, limit: 1000))")
        output.line("  what         \(printable(error.message, limit: 400))")
        output.line("  consequence  \(finding.consequence)")
        output.line("  next         \(error.remedy)")
      }
      let count = report.findings.count
      if count > Check.shownLimit {
        output.line("and \(count - Check.shownLimit) more findings; --json lists them all")
      }
      output.rows([
        ("archive", printable(archive)),
        ("state", report.isSealed ? "sealed" : "not sealed"),
        (
          "read",
          "\(report.records) checkpoints, \(report.chunks) chunks, \(report.dataPoints) points, "
            + byteText(report.bytes)
        ),
        ("result", report.isWhole ? "whole" : "\(count) finding\(count == 1 ? "" : "s")"),
      ])
      output.document("pol-check/1", members(report))
      return report.isWhole ? 0 : 1
    }
  }

  private func members(_ report: ArchiveChecker.Report) -> [(String, JSONValue)] {
    [
      ("archive", .string(archive)), ("whole", .bool(report.isWhole)),
      ("sealed", .bool(report.isSealed)), ("checkpoints", .int(report.records)),
      ("chunks", .int(report.chunks)), ("dataPoints", .int(report.dataPoints)),
      ("bytes", .int(report.bytes)),
      (
        "findings",
        .array(
          report.findings.map { finding in
            .object([
              .init("code", .string(finding.error.code.description)),
              .init("place", .string(finding.error.place)),
              .init("message", .string(finding.error.message)),
              .init("consequence", .string(finding.consequence)),
              .init("remedy", .string(finding.error.remedy)),
            ])
          })
      ),
    ]
  }
}
