import ArgumentParser
import ProofPrimitives
import TransparencyLedger

struct LedgerFsck: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fsck", abstract: "Check a ledger's files against each other, and mend the index.",
    discussion: """
      Says in one line each what is wrong and what to do. What was signed is never changed. Stop the \
      service first.

      Exit status: 0 nothing is damaged, 2 something is, 1 could not look.

      Example:
        pol ledger fsck ledger
        pol ledger fsck ledger --rebuild-index
      """)

  @Argument(help: ArgumentHelp("The ledger's folder, or a mirror's.", valueName: "dir"))
  var directory: String
  @Flag(help: "Make the index again from the bundles.")
  var rebuildIndex = false
  @Flag(help: "Delete partial tiles and bundles whose full one is there.")
  var prune = false
  @OptionGroup var reporting: Reporting

  func run() throws {
    try reporting.run { output in
      var inspection = LedgerInspection(directory: directory)
      try CommandFailure.at(directory) {
        try inspection.run(rebuildsIndex: rebuildIndex, prunes: prune)
      }
      for finding in inspection.findings {
        let text =
          "\(finding.severity.rawValue): \(finding.code) in \(printable(finding.path)): "
          + "\(finding.message); \(finding.remedy)"
        for (number, line) in wrapped(text, width: 76).enumerated() {
          output.line(number == 0 ? line : "  \(line)")
        }
      }
      output.line(
        "\(inspection.isWhole ? "whole" : "DAMAGED"): \(inspection.entryCount) entries, "
          + "\(inspection.tileCount) tiles, \(inspection.partialCount) older partial files")
      if prune {
        output.line(
          "deleted \(inspection.prunedCount) partial files, "
            + byteText(inspection.prunedByteCount))
      }
      if rebuildIndex, inspection.isWhole, !inspection.isMirror {
        output.line("the index was made again")
      }
      output.document(
        "pol-ledger-fsck/1",
        [
          ("whole", .bool(inspection.isWhole)), ("entries", .int(inspection.entryCount)),
          ("tiles", .int(inspection.tileCount)), ("partialFiles", .int(inspection.partialCount)),
          ("pruned", .int(inspection.prunedCount)),
          ("prunedBytes", .int(inspection.prunedByteCount)),
          (
            "findings",
            .array(
              inspection.findings.map {
                .map([
                  ("severity", .string($0.severity.rawValue)), ("code", .string($0.code)),
                  ("path", .string($0.path)), ("message", .string($0.message)),
                  ("remedy", .string($0.remedy)),
                ])
              })
          ),
        ])
      return inspection.isWhole ? 0 : 2
    }
  }
}
