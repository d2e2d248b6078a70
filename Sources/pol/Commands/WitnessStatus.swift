import ArgumentParser
import ChunkStorage
import Cryptography
import MerkleTrees
import ProofPrimitives
import TransparencyLedger

struct WitnessStatus: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "What a witness cosigned last, and what it holds against logs.",
    discussion: """
      May be asked while the witness serves. With --evidence the notes of each case are written to \
      files, two a case: `remembered` was cosigned before, `shown` was refused. Two notes of one size \
      with two roots prove a fork by themselves.

      Example:
        pol witness status witness --evidence cases
      """)

  @Argument(help: ArgumentHelp("The witness's folder.", valueName: "dir"))
  var directory: String
  @Option(help: ArgumentHelp("Where the notes go, a folder for each case.", valueName: "dir"))
  var evidence: String?
  @OptionGroup var reporting: Reporting

  func run() throws {
    try reporting.run { output in
      let logs = try Witness.followedLogs(at: directory)
      let witness = try Witness.open(at: directory, logs: logs)
      output.line("witness \(printable(witness.verifierKey.description))")
      var documents: [JSONValue] = []
      for origin in Set(logs.map(\.name)).sorted() {
        let last = try witness.lastCosigned(origin: origin)
        let cases = try witness.evidence(origin: origin)
        output.line(
          last.map {
            "  \(printable(origin))  \($0.size) entries, cosigned \(clockText(Int64($0.time)))"
          } ?? "  \(printable(origin))  nothing cosigned yet")
        for found in cases { output.line("    \(WitnessStatus.words(found.kind))") }
        if let evidence { try WitnessStatus.write(cases, of: origin, to: evidence) }
        documents.append(
          .object([
            .init("origin", .string(origin)), .init("size", .int(last?.size.value ?? 0)),
            .init("time", .int(last?.time ?? 0)),
            .init("evidence", .array(cases.map(WitnessStatus.json))),
          ]))
      }
      if logs.isEmpty { output.hint("it follows no log yet: `pol witness add-log`") }
      output.document(
        "pol-witness-status/1",
        [
          ("verifierKey", .string(witness.verifierKey.description)), ("logs", .array(documents)),
        ])
      return 0
    }
  }

  private static func words(_ kind: WitnessEvidence.Kind) -> String {
    switch kind {
    case .forked: "FORKED: the log signed two roots for one size"
    case .unproved: "refused: a larger head came with a proof that does not verify"
    case .rolledBack: "refused: a smaller head than the one cosigned was shown"
    }
  }

  private static func json(_ found: WitnessEvidence) -> JSONValue {
    .object([
      .init("kind", .string(found.kind.rawValue)),
      .init("remembered", .string(String(decoding: found.remembered, as: UTF8.self))),
      .init("shown", .string(String(decoding: found.shown, as: UTF8.self))),
    ])
  }

  private static func write(
    _ cases: [WitnessEvidence], of origin: String, to folder: String
  ) throws {
    let parent = "\(folder)/\(SHA256.hash(Array(origin.utf8)).hex)"
    for place in cases.isEmpty ? [] : [folder, parent] {
      try DurableFile.createDirectory(place, mode: 0o755)
    }
    for found in cases {
      let place = "\(parent)/\(found.kind.rawValue)-\(SHA256.hash(found.shown).hex.prefix(16))"
      try DurableFile.createDirectory(place, mode: 0o755)
      try DurableFile.write(found.remembered, to: "\(place)/remembered")
      try DurableFile.write(found.shown, to: "\(place)/shown")
    }
  }
}
